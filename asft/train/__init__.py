"""One TRL SFT run, LoRA or whole. Only this package imports trl."""

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asft.student import Loaded, Student, renamed_checkpointing
from asft.train import devices, methods, weighing
from asft.train.hardware import Hardware, Shape
from asft.train.rows import fitting, rows
from asft.train.settings import settings
from asft.train.telling import telling
from asft.train.validating import UNVALIDATED, Validated, stopping, validated
from asft.types import Example

__all__ = ["Hardware", "Shape", "Trained", "Validated", "settings", "train"]


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
    tokens_seen: int
    """Tokens in all steps, prompts included and padding not."""
    loss_first: float | None
    """Mean loss at the first logged step, nats per token; None where nothing is logged."""
    loss_last: float | None
    losses: tuple[float, ...]
    """The same at each logged step."""
    validation: Validated | None
    """None where nothing was held out."""
    seconds: float


def train(
    loaded: Loaded,
    examples: Sequence[Example],
    out: Path,
    *,
    seed: int = 0,
    start: str | None = None,
    merged: bool = False,
    sft: Mapping[str, Any] | None = None,
    lora: methods.Lora | None = None,
    weights: Sequence[float] | None = None,
    validation: Sequence[Example] = (),
    patience: int | None = None,
    logs: Path | None = None,
    keep: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> Trained:
    """Train a student on worked answers and save it to `out`; the base stays as it was.

    It is an adapter, or with `lora` False the whole model. It is a fresh one, or goes on from the folder
    `start`; with `merged` it is a fresh adapter on the base with `start` merged in. The loss is on the answer
    and its end token only. `sft` and `lora` go to TRL's SFTConfig and peft's LoraConfig under their own
    names.

    `weights`: how much each example counts in the loss. `validation` is evaluated on the way as `sft` says;
    training ends after `patience` evaluations without a better loss. Without it nothing is evaluated,
    whatever `sft` says. What `sft` reports to writes into the folder `logs`; without one nothing is reported.
    Checkpoints lie beside `out` while it is trained. `keep`: whether the student is saved; of several
    processes that train it together one is enough.

    `progress` gets each finished step, the number of all, and what is known of it. Raises DataError where
    there is nothing to train on.
    """
    import datasets
    from transformers import PrinterCallback, set_seed
    from trl import SFTConfig, SFTTrainer

    from asft.train.quick import quick

    started = time.monotonic()
    hardware = Hardware.here(loaded.model.device.type)
    shape = Shape.of(loaded.student, hardware.device)
    to_trl, to_peft = settings(sft or {}, {} if lora is None else lora, hardware, shape)
    to_trl = devices.divided(to_trl, devices.count())
    checkpoints = out.with_name(".checkpoints")
    shutil.rmtree(checkpoints, ignore_errors=True)
    to_trl |= {"output_dir": str(checkpoints), "seed": seed}
    to_trl |= {} if validation else UNVALIDATED
    to_trl |= {"report_to": "none"} if logs is None else {}
    limit = to_trl["max_length"]
    fits = fitting(loaded, examples, limit)
    worked = rows([examples[at] for at in fits.places])
    held = rows([validation[at] for at in fitting(loaded, validation, limit).places]) if validation else None
    weigh = weighing.put_on(worked, [weights[at] for at in fits.places]) if weights else False
    to_trl |= {"remove_unused_columns": False} if weigh else {}
    set_seed(seed)
    model = methods.dress(loaded, start, to_peft, merged=merged)
    datasets.disable_progress_bars()
    with renamed_checkpointing(), _logging_to(logs):
        trainer = (weighing.trainer if weigh else SFTTrainer)(
            model=model,
            args=SFTConfig(**to_trl),
            train_dataset=datasets.Dataset.from_list(worked),
            eval_dataset=datasets.Dataset.from_list(held) if held else None,
            processing_class=loaded.tokenizer,
        )
        blank = devices.evened(trainer)
        trainer.remove_callback(PrinterCallback)
        if held and patience is not None:
            trainer.add_callback(stopping(patience))
        if progress:
            trainer.add_callback(telling(progress))
        with quick(trainer, hardware):
            trainer.train()
    if keep:
        methods.save(loaded, model, out)
    methods.undress(loaded, model)
    shutil.rmtree(checkpoints, ignore_errors=True)
    logged = trainer.state.log_history
    losses = [entry["loss"] for entry in logged if "loss" in entry]
    return Trained(
        student=dataclasses.replace(loaded.student, adapter=str(out)),
        examples=len(worked),
        dropped=len(examples) - len(worked),
        truncated=sum(length > limit for length in fits.lengths) if limit else 0,
        steps=trainer.state.global_step,
        tokens=sum(fits.lengths),
        tokens_seen=_seen(logged, blank),
        loss_first=losses[0] if losses else None,
        loss_last=losses[-1] if losses else None,
        losses=tuple(losses),
        validation=validated(trainer.state, len(held), keeps_best=bool(to_trl.get("load_best_model_at_end")))
        if held
        else None,
        seconds=time.monotonic() - started,
    )


def _seen(logged: Sequence[Mapping[str, Any]], blank: int) -> int:
    """Tokens up to the last log, which evaluations are, too; without those that fill up each epoch."""
    return max(
        (
            int(entry[key]) - blank * int(entry["epoch"])
            for entry in logged
            for key in ("num_tokens", "eval_num_tokens")
            if key in entry
        ),
        default=0,
    )


@contextmanager
def _logging_to(logs: Path | None) -> Iterator[None]:
    """Where tensorboard, wandb and trackio write: they read it from the environment."""
    if logs is None:
        yield
        return
    folders = {
        "TENSORBOARD_LOGGING_DIR": logs / "tensorboard",
        "WANDB_DIR": logs,
        "TRACKIO_DIR": logs / "trackio",
    }
    before = {name: os.environ.get(name) for name in folders}
    os.environ.update({name: str(folder) for name, folder in folders.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
