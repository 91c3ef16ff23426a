"""What a classification amounts to: accuracy, and F1 over its labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LabelCounts:
    """How one label of a classification fared. A share of nothing is 0.0, as scikit-learn has it."""

    right: int
    """Items of this label that were called so."""
    called: int
    """Items that were called so."""
    items: int
    """Items of this label."""

    @property
    def precision(self) -> float:
        """right / called."""
        return self.right / self.called if self.called else 0.0

    @property
    def recall(self) -> float:
        """right / items."""
        return self.right / self.items if self.items else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall: 2 right / (called + items)."""
        return 2 * self.right / (self.called + self.items) if self.called + self.items else 0.0


@dataclass(frozen=True, kw_only=True)
class Classified:
    """What a classification amounts to over all its labels."""

    accuracy: float
    """Right / all items."""
    macro_f1: float
    """The mean over labels of their F1, each label as heavy as another, however rare."""
    micro_f1: float
    """F1 of all labels' counts together. It is the accuracy where every answer is a label."""
    labels: dict[str, LabelCounts]
    """By label, in the order of the label set."""


def classified(references: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> Classified:
    """Accuracy, macro and micro F1 over a label set (van Rijsbergen 1979), as scikit-learn's `f1_score`.

    An answer that is None or no label is wrong, and lowers the recall of the item's label and the precision
    of none; so micro F1 lies above the accuracy then. A label of no item that nobody was called by has F1 0
    and counts in the macro mean: give the labels that are there. Raises ValueError for no items, and for a
    reference outside the label set.
    """
    if len(references) != len(answers) or not references:
        raise ValueError(
            f"{len(references)} references and {len(answers)} answers: give as many of each, at least one"
        )
    if strange := sorted(set(references) - set(labels)):
        raise ValueError(f"the reference {strange[0]!r} is not in the label set {sorted(set(labels))}")
    pairs = list(zip(references, answers, strict=True))
    counts = {
        label: LabelCounts(
            right=sum(a == r == label for r, a in pairs),
            called=sum(a == label for _, a in pairs),
            items=sum(r == label for r, _ in pairs),
        )
        for label in labels
    }
    right = sum(one.right for one in counts.values())
    called = sum(one.called for one in counts.values())
    return Classified(
        accuracy=right / len(pairs),
        macro_f1=math.fsum(one.f1 for one in counts.values()) / len(counts),
        micro_f1=LabelCounts(right=right, called=called, items=len(pairs)).f1,
        labels=counts,
    )
