"""The criterion that reads what a reward model thinks of the student's answers."""

import math

from asft import needs
from asft.registry import plugin
from asft.types import Measurements, Need


@plugin
class Reward:
    """How poor the student's own answer is to a reward model: minus its score.

    High is hard: what the reward model likes least comes first. The score is the one logit of a sequence
    classification model, given the question and the greedy answer. An answer longer than the model takes has
    no score.

    Cost: one answer a seed, and a forward pass of the reward model.
    When: there is neither a reference nor money for a judge, and a reward model for such answers.
    Source: the low reward of arXiv 2512.00884.
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
