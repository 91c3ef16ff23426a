"""One TRL SFT + LoRA run. The only file that imports trl."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asft.errors import DataError
from asft.student import Loaded, Student, answer_ids, prompt_ids, renamed_checkpointing
from asft.types import Example


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What one training run was."""

    student: Student
    examples: int
    dropped: int
    """Examples that are not trained on: without a worked answer, or with a prompt that fills `max_length`."""
    truncated: int
    """Examples longer than `max_length`, whose ends are cut off."""
    steps: int
    tokens: int
    """Tokens of all examples in one pass, prompts included."""
    loss_first: float | None
    """Mean loss at the first logged step, nats per token; None where nothing is logged."""
    loss_last: float | None
    seconds: float


def train(
    loaded: Loaded,
    examples: Sequence[Example],
    out: Path,
    *,
    seed: int = 0,
    start: str | None = None,
    sft: Mapping[str, Any] | None = None,
    lora: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Trained:
    """Train a LoRA adapter on worked answers and save it to `out`; the base stays as it was.

    The adapter is a fresh one, or goes on from the folder `start`. The loss is on the answer and its end
    token only. `sft` and `lora` go to TRL's SFTConfig and peft's LoraConfig under their own names.
    `progress` gets each finished step, the number of all, and the loss as text where it is logged. Raises
    DataError where there is nothing to train on.
    """
    import datasets
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import PrinterCallback, set_seed
    from trl import SFTConfig, SFTTrainer

    worked = [example for example in examples if example.completion]
    if not worked:
        raise DataError("there is no example with a worked answer to train on")
    started = time.monotonic()
    on_cpu = loaded.model.device.type == "cpu"
    to_trl, to_peft = settings(sft or {}, lora or {}, on_cpu=on_cpu)
    to_trl |= {"output_dir": str(out), "seed": seed}
    limit = to_trl["max_length"]
    worked, lengths = _fitting(loaded, worked, limit)
    set_seed(seed)
    model: Any
    with renamed_checkpointing():
        if start is None:
            model = get_peft_model(loaded.model, LoraConfig(**to_peft))
        else:
            model = PeftModel.from_pretrained(loaded.model, start, is_trainable=True)
    rows = [
        {
            "prompt": [{"role": "user", "content": example.prompt}],
            "completion": [{"role": "assistant", "content": example.completion}],
        }
        for example in worked
    ]
    datasets.disable_progress_bars()
    with renamed_checkpointing():
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(**to_trl),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=loaded.tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        if progress:
            trainer.add_callback(_telling(progress))
        trainer.train()
    model.save_pretrained(str(out))
    model.unload()
    # TRL leaves its own forward on the base.
    vars(loaded.model).pop("forward", None)
    loaded.model.eval()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Trained(
        student=dataclasses.replace(loaded.student, adapter=str(out)),
        examples=len(worked),
        dropped=len(examples) - len(worked),
        truncated=sum(length > limit for length in lengths) if limit else 0,
        steps=trainer.state.global_step,
        tokens=sum(lengths),
        loss_first=losses[0] if losses else None,
        loss_last=losses[-1] if losses else None,
        seconds=time.monotonic() - started,
    )


def settings(
    sft: Mapping[str, Any], lora: Mapping[str, Any], *, on_cpu: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes to SFTConfig and to LoraConfig: the caller's settings, and asft's where he is silent."""
    from trl import SFTConfig

    known = {field.name for field in dataclasses.fields(SFTConfig)}
    # transformers 5.23 renames gradient checkpointing, which TRL turns on by default.
    renamed = "activation_checkpointing" in known
    to_trl = {
        "use_cpu": on_cpu,
        "bf16": not on_cpu,
        "activation_checkpointing" if renamed else "gradient_checkpointing": False,
        # TRL's default of 1024 cuts silently.
        "max_length": None,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 10,
        "disable_tqdm": True,
        "logging_strategy": "steps",
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "dataloader_pin_memory": not on_cpu,
        **_batching(sft, on_cpu),
        **sft,
    }
    to_peft = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **lora}
    return to_trl, to_peft


def _batching(sft: Mapping[str, Any], on_cpu: bool) -> dict[str, int]:
    """16 examples a step, where the caller is silent about the batch.

    On a CPU they are taken four at a time, which pads less: the same step but for rounding.
    """
    if {"per_device_train_batch_size", "gradient_accumulation_steps", "auto_find_batch_size"} & set(sft):
        return {"per_device_train_batch_size": 16}
    at_once = 4 if on_cpu else 16
    return {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": 16 // at_once}


def _fitting(
    loaded: Loaded, examples: Sequence[Example], limit: int | None
) -> tuple[list[Example], list[int]]:
    """Those of which at least a token of the answer is left within `limit`, and how long each is, uncut.

    TRL would train on nothing for the others. Raises DataError where none is left.
    """
    asked = [len(ids) for ids in prompt_ids(loaded.tokenizer, [example.prompt for example in examples])]
    answers = [len(ids) for ids in answer_ids(loaded, [example.completion or "" for example in examples])]
    fits = [i for i, prompt in enumerate(asked) if limit is None or prompt < limit]
    if not fits:
        raise DataError(
            f"train.max_length = {limit} cuts the whole answer off every example: the shortest prompt has "
            f"{min(asked)} tokens; make it larger, or leave it out"
        )
    return [examples[i] for i in fits], [asked[i] + answers[i] for i in fits]


def _telling(progress: Callable[[int, int, str], None]) -> Any:
    """A callback of transformers that tells how far it is."""
    from transformers import TrainerCallback

    class Telling(TrainerCallback):
        """Tells after each step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            losses = [entry["loss"] for entry in state.log_history[-1:] if "loss" in entry]
            progress(state.global_step, state.max_steps, f"loss {losses[0]:.3f}" if losses else "")

    return Telling()
