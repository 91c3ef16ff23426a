"""What stands around a question of the test split: a system prompt, worked examples, stop strings."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from asft.errors import DataError
from asft.recipe import EvaluateOptions
from asft.student import Prompt
from asft.types import Example, Message


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How questions are put to the student."""

    system: str | None = None
    shots: tuple[Example, ...] = ()
    """Examples that are shown with their answers before each question, in this order."""
    stop: tuple[str, ...] = ()
    """Texts before which an answer ends."""

    def prompt(self, question: str) -> Prompt:
        """The question alone, or the chat that ends with it: each shot is a turn of user and student."""
        if self.system is None and not self.shots:
            return question
        system = [] if self.system is None else [Message(role="system", content=self.system)]
        shown = [
            turn
            for shot in self.shots
            for turn in (
                Message(role="user", content=shot.prompt),
                Message(role="assistant", content=shot.completion or shot.answer),
            )
        ]
        return [*system, *shown, Message(role="user", content=question)]


def asking_by(
    options: EvaluateOptions, seeds: Sequence[Example], test: Sequence[Example], seed: int
) -> Asking:
    """The shots are drawn from the pool by the run's seed, the same for all questions; more hold the fewer.

    A seed whose question is in the test split too is never shown. Raises DataError for too small a pool.
    """
    shots: Sequence[Example] = ()
    if options.shots:
        tested = {" ".join(example.prompt.split()) for example in test}
        pool = [example for example in seeds if " ".join(example.prompt.split()) not in tested]
        if len(pool) < options.shots:
            raise DataError(
                f"evaluate.shots = {options.shots}: the pool has {len(pool)} seeds that are not in the test "
                "split; show fewer"
            )
        random.Random(f"{seed} shots").shuffle(pool)
        shots = pool[: options.shots]
    return Asking(system=options.system, shots=tuple(shots), stop=tuple(options.stop))
