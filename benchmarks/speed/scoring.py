"""P10: how fast given answers are scored, beside what one would write instead.

    ASFT_DATA=/path/to/data python benchmarks/speed/scoring.py --model smollm2 --dtype float32
    ASFT_DATA=/path/to/data python benchmarks/speed/scoring.py --train          # GSM8K train, pocket student
    ASFT_DATA=/path/to/data python benchmarks/speed/scoring.py --device cuda --model qwen2.5-7b \\
        --dtype bfloat16 --rows 512 --checked 0 --peak-tflops 989               # an H100

Random weights in the shapes of SmolLM2-135M, Qwen2.5-0.5B and Qwen2.5-7B; prompts and answers of random
tokens, as long as those of GSM8K. All sides take turns; a figure is the median with its bootstrap 95%
interval.
"""

import argparse
import copy
import csv
import ctypes
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tables
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config
from trl.kernels import ChunkedLogProbFunction
from trl.trainer.utils import add_fused_lm_head

from asft import scorer, student
from asft.scorer import Row
from asft.scorer.body import TILES, Apart, network
from asft.scorer.fold import fold

CONFIGS = {
    "smollm2": LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    ),
    "qwen2.5": Qwen2Config(
        vocab_size=151936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    ),
    "qwen2.5-7b": Qwen2Config(
        vocab_size=152064,
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        tie_word_embeddings=False,
    ),
}
# Questions and answers of GSM8K have 59.6 and 121.8 tokens in the mean where numbers are cut into digits, as
# Qwen does (cl100k otherwise); the pocket tokenizer makes 111.5 and 172.2 of them.
SHORTER = (59.6 / 111.5, 121.8 / 172.2)
BATCH = 8
CHUNK = 32768
"""TRL's own size of a piece of the vocabulary."""

Found = list[tuple[np.ndarray, np.ndarray | None]]
"""nll and entropy of each row's answer tokens, in the order of the rows; no entropy where a side has none."""


def batches(rows: Sequence[Row], *, in_order: bool) -> Iterable[list[int]]:
    """Rows by their number, eight at a time."""
    order = list(range(len(rows)))
    if not in_order:
        order.sort(key=lambda i: len(rows[i][0]) + len(rows[i][1]))
    return (order[start : start + BATCH] for start in range(0, len(order), BATCH))


def padded(rows: Sequence[Row], model: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, attention mask, and labels that are -100 but for answers, where the model is."""
    full = [[*prompt, *answer] for prompt, answer in rows]
    width = max(map(len, full))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in full])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in full])
    labels = [
        [-100] * len(prompt) + list(answer) + [-100] * (width - len(prompt) - len(answer))
        for prompt, answer in rows
    ]
    return ids.to(model.device), mask.to(model.device), torch.tensor(labels, device=model.device)


def by_row(model: Any, rows: Sequence[Row]) -> Found:
    """(a) One row at a time, and the loss that the model gives for labels."""
    found: Found = []
    for row in rows:
        ids, mask, labels = padded([row], model)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        found.append((np.full(len(row[1]), loss.item()), None))
    return found


def by_batch(model: Any, rows: Sequence[Row], *, in_order: bool = True) -> Found:
    """(b) Batches of eight; log_softmax and entropy of all logits. (c) The same, sorted."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for batch in batches(rows, in_order=in_order):
        ids, mask, _ = padded([rows[i] for i in batch], model)
        logits = model(input_ids=ids, attention_mask=mask).logits
        log_p = torch.log_softmax(logits[:, :-1].float(), -1)
        nll = -log_p.gather(2, ids[:, 1:, None])[:, :, 0]
        entropy = -(log_p.exp() * log_p).sum(-1)
        found.update(zip(batch, _answers(nll, entropy, [rows[i] for i in batch]), strict=True))
    return [found[i] for i in range(len(rows))]


def by_trl(model: Any, rows: Sequence[Row]) -> Found:
    """(d) TRL's head that goes through the vocabulary in pieces, as its trainers use it, sorted."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    plain = model.forward
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    for batch in batches(rows, in_order=False):
        ids, mask, labels = padded([rows[i] for i in batch], model)
        made = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
        found.update(
            zip(batch, _answers(-made.log_probs, made.entropy, [rows[i] for i in batch]), strict=True)
        )
    model.forward = plain
    return [found[i] for i in range(len(rows))]


def by_trl_on_answers(model: Any, rows: Sequence[Row]) -> Found:
    """(d) TRL's function once more, given the states of answer tokens alone."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    head = model.get_output_embeddings()
    for batch in batches(rows, in_order=False):
        ids, mask, labels = padded([rows[i] for i in batch], model)
        states = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        asked = labels[:, 1:] != -100
        log_p, entropy, *_ = ChunkedLogProbFunction.apply(
            states[:, :-1][asked], head.weight, None, ids[:, 1:][asked], 1.0, CHUNK, None, 1.0, ("entropy",)
        )
        ends = np.cumsum([len(rows[i][1]) for i in batch])[:-1]
        found.update(
            zip(
                batch,
                zip(*(np.split(x.float().cpu().numpy(), ends) for x in (-log_p, entropy)), strict=True),
                strict=True,
            )
        )
    return [found[i] for i in range(len(rows))]


def by_loss(model: Any, rows: Sequence[Row]) -> Found:
    """(e) The loss alone, of batches of eight, sorted."""
    for batch in batches(rows, in_order=False):
        ids, mask, labels = padded([rows[i] for i in batch], model)
        model(input_ids=ids, attention_mask=mask, labels=labels)
    return []


def by_asft(model: Any, rows: Sequence[Row]) -> Found:
    """The scorer."""
    loaded = student.Loaded(student=student.Student(), model=model, tokenizer=None)
    return [(found.nll, found.entropy) for found in scorer.per_token(loaded, rows).tokens]


def forward_only(model: Any, rows: Sequence[Row]) -> Found:
    """The ideal: the body, and the head on answer tokens in pieces, which is faster than at once; the logits
    are thrown away. In the scorer's batches."""
    loaded = student.Loaded(student=student.Student(), model=model, tokenizer=None)
    place = model.device.type
    plan = scorer.Plan.of(rows, budget=scorer.BUDGET[place], start=scorer.START[place])
    tile = TILES[place]
    parts = network(loaded.model, rows[0])
    assert isinstance(parts, Apart)
    for batch in plan.batches:
        inputs = [[*rows[i][0], *rows[i][1]][:-1] for i in batch]
        width = max(map(len, inputs))
        ids = torch.tensor([row + row[-1:] * (width - len(row)) for row in inputs], device=model.device)
        states = parts.states(ids)
        wanted = [
            states[n, len(rows[i][0]) - 1 : len(rows[i][0]) + len(rows[i][1]) - 1]
            for n, i in enumerate(batch)
        ]
        for some in torch.cat(wanted).split(tile.rows):
            read, vocab = parts.reader(some, tile.piece)
            for first in range(0, vocab, tile.piece):
                read(first, min(vocab, first + tile.piece))
    return []


SIDES: dict[str, Callable[[Any, Sequence[Row]], Found]] = {
    "asft": by_asft,
    "forward only": forward_only,
    "(a) row by row, loss": by_row,
    "(b) batches of 8": by_batch,
    "(c) b, sorted": lambda model, rows: by_batch(model, rows, in_order=False),
    "(d) TRL": by_trl,
    "(d) TRL, answers only": by_trl_on_answers,
    "(e) loss only": by_loss,
}


def _answers(nll: Tensor, entropy: Tensor, rows: Sequence[Row]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of `[b, s]` by position, those of the answers."""
    spans = [slice(len(prompt) - 1, len(prompt) + len(answer) - 1) for prompt, answer in rows]
    return [
        (nll[i, span].float().cpu().numpy(), entropy[i, span].float().cpu().numpy())
        for i, span in enumerate(spans)
    ]


@dataclass(frozen=True)
class Case:
    """A model, and what it is asked to score."""

    model: Any
    rows: list[Row]

    @property
    def tokens(self) -> int:
        return sum(len(prompt) + len(answer) for prompt, answer in self.rows)

    @property
    def flops(self) -> float:
        """Of what cannot be spared: 2 for each weight of the body and token, of the head and answer token."""
        head = self.model.get_output_embeddings().weight
        body = sum(p.numel() for p in self.model.base_model.parameters())
        body -= self.model.get_input_embeddings().weight.numel()
        answered = sum(len(answer) for _, answer in self.rows)
        return 2.0 * (body * self.tokens + head.numel() * answered)


def case(name: str, dtype: str, count: int, prefix: int, device: str) -> Case:
    """A model by its name and rows for it: of random tokens, or for the pocket student GSM8K itself."""
    texts = gsm8k()
    loaded = student.load(student.Student(), "cpu")
    drawn = random.Random(0).sample(range(len(texts)), count)
    asked = student.prompt_ids(loaded.tokenizer, [texts[i][0] for i in drawn])
    answers = student.answer_ids(loaded, [texts[i][1] for i in drawn])
    if name == "pocket":
        return Case(loaded.model.to(device, getattr(torch, dtype)), list(zip(asked, answers, strict=True)))
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(CONFIGS[name], dtype=getattr(torch, dtype)).eval()
    plain = [loaded.tokenizer([texts[i][k] for i in drawn])["input_ids"] for k in (0, 1)]
    rng, vocab = random.Random(1), CONFIGS[name].vocab_size
    shared = rng.choices(range(vocab), k=prefix)
    rows: list[Row] = []
    for lengths in zip(*(map(len, ids) for ids in plain), strict=True):
        q, a = (round(length * factor) for length, factor in zip(lengths, SHORTER, strict=True))
        rows.append(([*shared, *rng.choices(range(vocab), k=q)], rng.choices(range(vocab), k=a + 1)))
    return Case(model, rows)


def gsm8k() -> list[tuple[str, str]]:
    """Questions and answers of the train split."""
    folder = os.environ.get("ASFT_DATA")
    if not folder:
        sys.exit("ASFT_DATA is not set: it names the folder that holds gsm8k/train.jsonl")
    file = Path(folder) / "gsm8k" / "train.jsonl"
    lines = map(json.loads, file.read_text("utf-8").splitlines())
    return [(line["question"], line["answer"]) for line in lines]


@dataclass(frozen=True)
class Run:
    """What some work took, and what came of it."""

    seconds: float
    cpu: float
    """Seconds of all cores together, which other work on the machine disturbs less."""
    peak: float
    """MB beyond those in use at its start: of the device, where it is none of the processor's."""
    made: Any


def timed(work: Callable[[], Any], *, inference: bool = True) -> Run:
    """Do it, and look at clock and memory. `inference`: without any gradients."""
    # What earlier work has freed must not count as there already; 5 resets the peak of the process.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    on_gpu = torch.cuda.is_initialized()
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() / 2**20 if on_gpu else _memory("VmRSS")
    clock, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode() if inference else nullcontext():
        made = work()
    if on_gpu:
        torch.cuda.synchronize()
    seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
    peak = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else _memory("VmHWM")
    return Run(seconds, cpu, peak - before, made)


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def exact(model: Any, rows: Sequence[Row]) -> Found:
    """Row by row in float64."""
    precise = copy.deepcopy(model).double()
    found: Found = []
    with torch.inference_mode():
        for prompt, answer in rows:
            ids = torch.tensor([[*prompt, *answer]], device=precise.device)
            logits = precise(input_ids=ids).logits[0, len(prompt) - 1 : -1].cpu()
            log_p = torch.log_softmax(logits, -1)
            nll = -log_p.gather(1, torch.tensor(answer)[:, None])[:, 0]
            found.append((nll.numpy(), -(log_p.exp() * log_p).sum(-1).numpy()))
    return found


def logits_part(given: Case) -> Run:
    """What the scorer does with the states of as many answer tokens as it takes at once."""
    parts = network(given.model, given.rows[0])
    assert isinstance(parts, Apart)
    device = given.model.device
    tile = TILES[device.type]
    states = torch.randn(tile.rows, given.model.config.hidden_size, dtype=given.model.dtype, device=device)
    target = torch.randint(0, given.model.config.vocab_size, (tile.rows,), device=device)

    def work() -> None:
        read, vocab = parts.reader(states, tile.piece)
        fold(read, target, vocab=vocab, piece=tile.piece)

    timed(work)
    return timed(work)


def compared(settings: argparse.Namespace) -> None:
    """All sides on one model, in turns."""
    given = case(settings.model, settings.dtype, settings.rows, settings.prefix, settings.device)
    name = (
        f"{settings.model}-{settings.dtype}"
        + (f"-{settings.device}" if settings.device != "cpu" else "")
        + (f"-prefix{settings.prefix}" if settings.prefix else "")
    )
    rows = kept(f"scoring/{settings.name or name}") if settings.add else []
    once = {row["side"]: {key: row[key] for key in ONCE} for row in rows} or quality(given, settings.checked)
    for repetition in range(len(rows) // len(SIDES), len(rows) // len(SIDES) + settings.repeat):
        for side, work in SIDES.items():
            run = timed(lambda work=work: work(given.model, given.rows))
            rows.append(
                {
                    "side": side,
                    "repetition": repetition,
                    "rows": len(given.rows),
                    "tokens": given.tokens,
                    "seconds": run.seconds,
                    "cpu": run.cpu,
                    "tokens/s": given.tokens / run.seconds,
                    "TFLOP/s": given.flops / run.seconds / 1e12,
                    "peak MB": run.peak,
                    **once[side],
                }
            )
            print(f"{repetition} {side:24} {run.seconds:7.2f} s, {run.cpu:7.2f} s of the cores", flush=True)
    ours = {row["repetition"]: row for row in rows if row["side"] == "asft"}

    def ratio(key: str) -> Callable[[Sequence[dict[str, Any]]], str]:
        return lambda some: tables.shown([row[key] / ours[row["repetition"]][key] for row in some])

    def known(key: str, form: str) -> Callable[[Sequence[dict[str, Any]]], str]:
        return lambda some: format(some[0][key], form) if some[0][key] != "" else ""

    made = tables.table(
        rows,
        ["side"],
        {
            "tokens/s": tables.figure("tokens/s", 0),
            "time / asft's": ratio("seconds"),
            "CPU / asft's": ratio("cpu"),
            "TFLOP/s": tables.figure("TFLOP/s", 2),
            "peak MB": tables.figure("peak MB", 0),
            "logits part MB": known("logits part MB", ".0f"),
            "largest nll error": known("nll error", ".1e"),
            "largest entropy error": known("entropy error", ".1e"),
            "same quarter by nll": known("same by nll", ".2f"),
            "by entropy": known("same by entropy", ".2f"),
        },
    )
    shared = f", {settings.prefix} of them at the start of every row" if settings.prefix else ""
    where = f"{torch.get_num_threads()} threads"
    if settings.device != "cpu":
        where = torch.cuda.get_device_name()
    if settings.peak_tflops:
        best = float(np.median([row["TFLOP/s"] for row in ours.values()])) / settings.peak_tflops
        where += f", asft at {best:.1%} of a peak of {settings.peak_tflops:g} TFLOP/s"
    made = (
        f"{settings.model}, {settings.dtype}: {len(given.rows)} rows of {given.tokens} tokens{shared}; "
        f"{where}, {len(ours)} repetitions.\n\n{made}"
    )
    print(f"\n{made}")
    _keep(settings.name or name, rows, made)


ONCE = ("logits part MB", "nll error", "entropy error", "same by nll", "same by entropy")
"""What is measured once, and not with every repetition; empty where a side has none."""


def quality(given: Case, checked: int) -> dict[str, dict[str, Any]]:
    """Of each side, how wrong its first rows are, and how many of the quarter of the rows with the highest
    mean nll (and entropy) it finds: those of the scorer in float32. This warms up each side, too."""
    few = Case(given.model, given.rows[: checked or 1])
    expected = exact(few.model, few.rows) if checked else []
    rounded = given.model.dtype != torch.float32 and bool(checked)
    with torch.inference_mode():
        ranked = by_asft(copy.deepcopy(given.model).float(), given.rows) if rounded else []
    once: dict[str, dict[str, Any]] = {}
    for side, work in SIDES.items():
        once[side] = dict.fromkeys(ONCE, "")
        found = timed(lambda work=work: work(few.model, few.rows)).made
        if not expected or not found or found[0][1] is None:
            continue
        pairs = list(zip(found, expected, strict=True))
        for k, name in enumerate(("nll", "entropy")):
            once[side][f"{name} error"] = max(float(np.abs(a[k] - b[k]).max()) for a, b in pairs)
        if rounded and side in ("asft", "(b) batches of 8"):
            with torch.inference_mode():
                found = work(given.model, given.rows)
            for k, name in enumerate(("nll", "entropy")):
                both = _hardest(found, k) & _hardest(ranked, k)
                once[side][f"same by {name}"] = len(both) / len(_hardest(ranked, k))
    once["asft"]["logits part MB"] = logits_part(given).peak
    return once


def _hardest(found: Found, statistic: int) -> set[int]:
    means = [float(np.mean(np.asarray(row[statistic], dtype=float))) for row in found]
    return set(sorted(range(len(means)), key=means.__getitem__)[-(len(means) // 4) :])


def kept(name: str) -> list[dict[str, Any]]:
    """The rows of an earlier run."""
    with (tables.RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return [{key: _number(text) for key, text in row.items()} for row in csv.DictReader(lines)]


def _number(text: str) -> Any:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _keep(name: str, rows: Sequence[dict[str, Any]], made: str) -> None:
    (tables.RESULTS / "scoring").mkdir(parents=True, exist_ok=True)
    tables.keep(f"scoring/{name}", rows, made)
    file = tables.RESULTS / "scoring" / f"{name}.json"
    said = json.loads(file.read_text("utf-8"))
    said["packages"] = {package: version(package) for package in ("torch", "transformers", "trl", "numpy")}
    said["threads"] = torch.get_num_threads()
    file.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def whole_train(settings: argparse.Namespace) -> None:
    """Seconds of each part of scoring all references of GSM8K train by the pocket student."""
    rows = []
    for repetition in range(settings.repeat):
        texts = gsm8k()
        loaded = student.load(student.Student(), "cpu")
        clock = time.perf_counter()
        asked = student.prompt_ids(loaded.tokenizer, [question for question, _ in texts])
        given = list(zip(asked, student.answer_ids(loaded, [a for _, a in texts]), strict=True))
        tokenized = time.perf_counter() - clock
        body = _timed_calls(loaded.model.base_model)
        clock = time.perf_counter()
        plan = scorer.Plan.of(given, budget=scorer.BUDGET["cpu"], start=scorer.START["cpu"])
        planned = time.perf_counter() - clock
        run = timed(lambda loaded=loaded, given=given: scorer.score(loaded, given))
        tokens = sum(len(prompt) + len(answer) for prompt, answer in given)
        rows.append(
            {
                "repetition": repetition,
                "rows": len(given),
                "tokens": tokens,
                "batches": len(plan.batches),
                "tokenize": tokenized,
                "score": run.seconds,
                "of which plan": planned,
                "of which body": sum(body),
                "of which logits, statistics and the rest": run.seconds - planned - sum(body),
                "tokens/s": tokens / run.seconds,
                "peak MB": run.peak,
            }
        )
        print(rows[-1], flush=True)
    shown = {key: tables.figure(key, 1) for key in rows[0] if key not in ("repetition", "rows", "tokens")}
    made = tables.table(rows, ["rows", "tokens"], shown)
    made = f"The pocket student, {torch.get_num_threads()} threads, seconds.\n\n{made}"
    print(made)
    _keep(settings.name or "gsm8k-train-pocket", rows, made)


def _timed_calls(module: Any) -> list[float]:
    """The seconds of each call of a module, from now on."""
    seconds: list[float] = []
    module.register_forward_pre_hook(lambda *_: seconds.append(-time.perf_counter()))

    def ended(*_: Any) -> None:
        seconds[-1] += time.perf_counter()

    module.register_forward_hook(ended)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=[*CONFIGS, "pocket"], default="smollm2")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--checked", type=int, default=4, help="rows that are compared with float64; 0: none")
    parser.add_argument("--prefix", type=int, default=0, help="tokens that all rows begin with")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--peak-tflops", type=float, help="of the device, for the share of it that is used")
    parser.add_argument("--add", action="store_true", help="repetitions to the results that are there")
    parser.add_argument("--name", help="of the results; made from the model and dtype by default")
    parser.add_argument("--train", action="store_true")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    (whole_train if settings.train else compared)(settings)


if __name__ == "__main__":
    main()
