"""How far a training run is."""

from collections.abc import Callable
from typing import Any


def telling(progress: Callable[[int, int, str], None]) -> Any:
    """A callback of transformers that tells how far it is."""
    from transformers import TrainerCallback

    class Telling(TrainerCallback):
        """Tells after each step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            losses = [entry["loss"] for entry in state.log_history[-1:] if "loss" in entry]
            progress(state.global_step, state.max_steps, f"loss {losses[0]:.3f}" if losses else "")

    return Telling()
