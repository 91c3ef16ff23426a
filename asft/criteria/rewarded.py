"""The criterion that reads what a reward model thinks of the student's answers."""

import math

from asft import needs
from asft.registry import plugin
from asft.types import Measurements, Need


@plugin
class Reward:
    """How poor the student's own answer is to a reward model: minus its score.

    High is hard: what the reward model likes least comes first, as with the low reward of arXiv 2512.00884.
    The score is the one logit of a sequence classification model, given the question and the greedy answer.
    It needs no reference and no teacher, and it costs a pass of that model over the pool. An answer longer
    than the model takes has no score.
    """

    model: str
    """A folder or a name on the hub: a sequence classification model with one label."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The reward of the own answer."""
        return (needs.reward(self.model),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """Minus the reward."""
        measured = [one.signals.get("reward") for one in measurements.observations]
        return [None if value is None or not math.isfinite(value) else -value for value in measured]
