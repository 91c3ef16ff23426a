"""P11: how fast a student is trained, beside TRL as it is shipped and as one would set it.

    ASFT_DATA=/path/to/data python benchmarks/speed/training.py                        # pocket, 3 seeds
    ASFT_DATA=/path/to/data python benchmarks/speed/training.py --model smollm2 --steps 20 --seeds 0
    ASFT_DATA=/path/to/data python benchmarks/speed/training.py --model qwen2.5-7b --method qlora \\
        --device cuda --steps 20 --seeds 0 --peak-tflops 989                           # an H100

GSM8K's questions and answers; all sides take turns with the same examples, 16 of them a step, the same rate
and schedule, and are timed from the texts to the adapter on the disk. The pocket student is trained as it is,
and its loss on examples that nobody trains on is compared. The others have random weights in the shape of
SmolLM2-135M, Qwen2.5-0.5B and Qwen2.5-7B, and the pocket student's tokenizer with texts cut to give as many
tokens as their own do: they are about speed alone.
"""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import scoring
import tables
import torch
from transformers import AutoModelForCausalLM, PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer

from asft import scorer, student, train
from asft.student import Loaded, Student
from asft.train import methods
from asft.types import Example

STEP = 16
HELD = 200
"""Examples that nobody trains on."""
SAME = {"learning_rate": 1e-3, "lr_scheduler_type": "cosine", "warmup_steps": 10, "report_to": "none"}
SHIPPED = {
    **SAME,
    "max_length": None,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 2,
    "save_strategy": "no",
    "disable_tqdm": True,
}
"""TRL as it is shipped, but that it cuts nothing, and has 16 examples a step."""
TUNED = {
    **SHIPPED,
    "activation_checkpointing": False,
    "train_sampling_strategy": "group_by_length",
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 4,
}
"""With those of its own settings that make it faster; on a CPU also in bfloat16, where asft takes that."""


@dataclass(frozen=True)
class Case:
    """A student, what it is trained on, and how."""

    loaded: Loaded
    examples: list[Example]
    held: list[Example]
    lora: methods.Lora
    tokens: int
    """Of the examples."""
    answered: int
    """Those of them that are trained on."""

    @property
    def flops(self) -> float:
        """Of what cannot be spared: forward, and backward to the states, 2 each for a weight of the body and
        token, of the head and answer token; 2 more where the weights are trained."""
        config = self.loaded.model.config
        shape = train.Shape.of(self.loaded.student, self.loaded.model.device.type)
        assert shape is not None
        head = config.vocab_size * config.hidden_size
        body = shape.parameters - head * (1 if config.tie_word_embeddings else 2)
        passes = 6.0 if self.lora is False else 4.0
        return passes * (body * self.tokens + head * self.answered)


@contextmanager
def case(settings: argparse.Namespace) -> Iterator[Case]:
    """A student by its name, and GSM8K for it."""
    texts = scoring.gsm8k()
    drawn = random.Random(0).sample(range(len(texts)), settings.steps * STEP + HELD)
    small = settings.model == "pocket"
    q, a = (1.0, 1.0) if small else scoring.SHORTER
    examples = [
        Example.make(
            task="gsm8k",
            prompt=texts[i][0][: round(q * len(texts[i][0]))],
            answer="",
            completion=texts[i][1][: round(a * len(texts[i][1]))],
        )
        for i in drawn
    ]
    with tempfile.TemporaryDirectory(prefix="asft-speed-") as folder:
        quantise: Any = "nf4" if settings.method == "qlora" else None
        base = "pocket" if small else random_student(settings.model, settings.device, Path(folder))
        loaded = student.load(Student(base=base, quantise=quantise), settings.device)
        asked = student.prompt_ids(loaded.tokenizer, [one.prompt for one in examples[HELD:]])
        answers = student.answer_ids(loaded, [one.completion or "" for one in examples[HELD:]])
        answered = sum(map(len, answers))
        yield Case(
            loaded=loaded,
            examples=examples[HELD:],
            held=examples[:HELD] if small else [],
            lora=False if settings.method == "full" else {"r": 8, "lora_alpha": 16},
            tokens=sum(map(len, asked)) + answered,
            answered=answered,
        )


def random_student(name: str, device: str, folder: Path) -> str:
    """The folder of a student with random weights, in bfloat16 for a GPU."""
    torch.manual_seed(0)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(scoring.CONFIGS[name], dtype=dtype)
    model.save_pretrained(folder)
    student.load(Student(), "cpu").tokenizer.save_pretrained(folder)
    return str(folder)


def by_asft(given: Case, seed: int, out: Path) -> None:
    train.train(
        given.loaded, given.examples, out, seed=seed, sft=SAME | {"num_train_epochs": 1}, lora=given.lora
    )


def by_trl(given: Case, seed: int, out: Path, settings: dict[str, Any]) -> None:
    """What one writes with TRL."""
    rows = [
        {
            "prompt": [{"role": "user", "content": one.prompt}],
            "completion": [{"role": "assistant", "content": one.completion}],
        }
        for one in given.examples
    ]
    set_seed(seed)
    lora: Any = False
    if given.lora is not False:
        lora = {"target_modules": "all-linear", "task_type": "CAUSAL_LM", **given.lora}
    model = methods.dress(given.loaded, None, lora)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(out),
            seed=seed,
            num_train_epochs=1,
            use_cpu=given.loaded.model.device.type == "cpu",
            **settings,
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=given.loaded.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    methods.save(given.loaded, model, out)
    methods.undress(given.loaded, model)


def sides(given: Case) -> dict[str, Callable[[Case, int, Path], None]]:
    """Who trains, by name."""
    on_cpu = given.loaded.model.device.type == "cpu"
    hardware = train.Hardware.here(given.loaded.model.device.type)
    taken = train.settings({}, given.lora, hardware, train.Shape.of(given.loaded.student, hardware.device))[0]
    shipped = SHIPPED | ({"bf16": False} if on_cpu else {})
    tuned = TUNED | {"bf16": taken["bf16"], "fp16": taken["fp16"]}
    return {
        "TRL, as shipped": lambda case, seed, out: by_trl(case, seed, out, shipped),
        "TRL, tuned": lambda case, seed, out: by_trl(case, seed, out, tuned),
        "asft": by_asft,
    }


def loss(given: Case, out: Path) -> float:
    """Of a trained student on what nobody trains on: nats a token."""
    rows = list(
        zip(
            student.prompt_ids(given.loaded.tokenizer, [one.prompt for one in given.held]),
            student.answer_ids(given.loaded, [one.completion or "" for one in given.held]),
            strict=True,
        )
    )
    with student.wearing(given.loaded, str(out)) as trained:
        stats = scorer.score(trained, rows)
    return sum(one.nll_sum for one in stats) / sum(one.tokens for one in stats)


def compared(settings: argparse.Namespace) -> None:
    """All sides, in turns."""
    name = settings.name or "-".join(
        [settings.model, settings.method, *([settings.device] if settings.device != "cpu" else [])]
    )
    rows = scoring.kept(f"training/{name}") if settings.add else []
    with case(settings) as given, tempfile.TemporaryDirectory(prefix="asft-speed-") as folder:
        for side, work in sides(given).items() if not rows else ():
            # The first call of each pays for what is imported and set up once.
            few = Case(given.loaded, given.examples[:STEP], [], given.lora, 0, 0)
            work(few, 0, Path(folder) / f"warm-up {side}")
        for seed in settings.seeds:
            for side, work in sides(given).items():
                out = Path(folder) / f"{seed} {side}"
                run = scoring.timed(partial(work, given, seed, out), inference=False)
                rows.append(
                    {
                        "side": side,
                        "seed": seed,
                        "steps": settings.steps,
                        "tokens": given.tokens,
                        "seconds": run.seconds,
                        "cpu": run.cpu,
                        "tokens/s": given.tokens / run.seconds,
                        "TFLOP/s": given.flops / run.seconds / 1e12,
                        "peak MB": run.peak,
                        "validation loss": loss(given, out) if given.held else "",
                    }
                )
                print(rows[-1], flush=True)
    keep(name, rows, settings)


def keep(name: str, rows: Sequence[dict[str, Any]], settings: argparse.Namespace) -> None:
    """Print the table, and keep it with all runs and the versions."""
    shipped = {row["seed"]: row for row in rows if row["side"] == "TRL, as shipped"}

    def ratio(key: str, *, upside_down: bool = False) -> Callable[[Sequence[dict[str, Any]]], str]:
        def made(some: Sequence[dict[str, Any]]) -> str:
            values = [row[key] / shipped[row["seed"]][key] for row in some if row[key] != ""]
            return tables.shown([1 / v if upside_down else v for v in values], 3) if values else ""

        return made

    def figure(key: str, digits: int) -> Callable[[Sequence[dict[str, Any]]], str]:
        return lambda some: tables.shown([row[key] for row in some], digits) if some[0][key] != "" else ""

    made = tables.table(
        rows,
        ["side"],
        {
            "tokens/s": figure("tokens/s", 0),
            "times TRL as shipped": ratio("tokens/s"),
            "by CPU time": ratio("cpu", upside_down=True),
            "TFLOP/s": figure("TFLOP/s", 3),
            "peak MB": figure("peak MB", 0),
            "validation loss": figure("validation loss", 4),
            "of TRL's": ratio("validation loss"),
        },
    )
    where = f"{torch.get_num_threads()} threads"
    if settings.device != "cpu":
        where = torch.cuda.get_device_name()
    if settings.peak_tflops:
        best = statistics.median(row["TFLOP/s"] for row in rows if row["side"] == "asft")
        where += f", asft at {best / settings.peak_tflops:.1%} of a peak of {settings.peak_tflops:g} TFLOP/s"
    seeds, tokens = len(shipped), rows[0]["tokens"]
    made = (
        f"{settings.model}, {settings.method}: {rows[0]['steps']} steps of {STEP} examples, {tokens} tokens; "
        f"{where}; {seeds} seed{'s' if seeds > 1 else ''}.\n\n{made}"
    )
    print(f"\n{made}")
    (tables.RESULTS / "training").mkdir(parents=True, exist_ok=True)
    tables.keep(f"training/{name}", rows, made)
    file = tables.RESULTS / "training" / f"{name}.json"
    said = json.loads(file.read_text("utf-8"))
    used = ("torch", "transformers", "trl", "peft", "accelerate")
    said |= {"packages": {package: version(package) for package in used}, "threads": torch.get_num_threads()}
    file.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=["pocket", *scoring.CONFIGS], default="pocket")
    parser.add_argument("--method", choices=["lora", "qlora", "full"], default="lora")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak-tflops", type=float, help="of the device, for the share of it that is used")
    parser.add_argument("--add", action="store_true", help="seeds to the results that are there")
    parser.add_argument("--name", help="of the results; made from the model and method by default")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    datasets.disable_progress_bars()
    compared(settings)


if __name__ == "__main__":
    main()
