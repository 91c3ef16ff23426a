"""What evaluations on held-out examples, while a student is trained, decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNVALIDATED: Mapping[str, Any] = {
    "eval_strategy": "no",
    "eval_on_start": False,
    "save_strategy": "no",
    "load_best_model_at_end": False,
}
"""Settings of TRL where there is nothing to evaluate on."""


@dataclass(frozen=True, kw_only=True)
class Validated:
    """How training went on examples that are not trained on."""

    examples: int
    losses: tuple[tuple[int, float], ...]
    """Step and loss of each evaluation, nats per token, as TRL reports it: the mean over its batches."""
    best_step: int | None
    """After which the student was the best; None where it was never evaluated."""
    kept_step: int
    """After which the student was as it is kept."""
    stopped_early: bool


def stopping(patience: int) -> Any:
    """A callback that ends training after so many evaluations in a row that are not better than the best."""
    from transformers import EarlyStoppingCallback

    return EarlyStoppingCallback(early_stopping_patience=patience)


def validated(state: Any, examples: int, *, keeps_best: bool) -> Validated:
    """What a trainer's state says of it."""
    losses = tuple((entry["step"], entry["eval_loss"]) for entry in state.log_history if "eval_loss" in entry)
    lowest = min(losses, key=lambda one: one[1])[0] if losses else None
    kept = keeps_best and state.best_model_checkpoint is not None
    return Validated(
        examples=examples,
        losses=losses,
        best_step=state.best_global_step or lowest,
        kept_step=state.best_global_step if kept else state.global_step,
        stopped_early=state.global_step < state.max_steps,
    )
