"""One TRL SFT + LoRA run. Only this package imports trl."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asft.errors import DataError
from asft.student import Loaded, Student, renamed_checkpointing
from asft.train import methods
from asft.train.rows import fitting
from asft.train.settings import settings
from asft.train.telling import telling
from asft.types import Example

__all__ = ["Trained", "settings", "train"]


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
    worked, lengths = fitting(loaded, worked, limit)
    set_seed(seed)
    model = methods.dress(loaded, start, to_peft)
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
            trainer.add_callback(telling(progress))
        trainer.train()
    model.save_pretrained(str(out))
    methods.undress(loaded, model)
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
