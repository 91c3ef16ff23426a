"""How far a training run is."""

import time
from collections.abc import Callable
from typing import Any


def telling(progress: Callable[[int, int, str], None]) -> Any:
    """A callback of transformers that tells after each step: the step, how many there are, and what is known.

    That is the loss and the tokens per second since it was logged before, padding not counted; and the loss
    in validation.
    """
    from transformers import TrainerCallback

    class Telling(TrainerCallback):
        """Tells after each step."""

        def __init__(self) -> None:
            self._known: dict[str, str] = {}
            self._tokens = 0.0
            self._since = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            self._since = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            now, logs = time.monotonic(), others["logs"]
            if "loss" in logs:
                self._known["loss"] = f"loss {logs['loss']:.3f}"
                tokens = logs.get("num_tokens", self._tokens)
                speed = (tokens - self._tokens) / max(now - self._since, 1e-9)
                self._known["speed"] = f"{speed:.0f} tokens/s"
                self._tokens = tokens
            if "eval_loss" in logs:
                self._known["validation"] = f"validation {logs['eval_loss']:.3f}"
            # Evaluating is no training.
            self._since = now

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            progress(state.global_step, state.max_steps, ", ".join(self._known.values()))

    return Telling()
