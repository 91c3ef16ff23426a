"""Several answers to one question: whether one of them is right, and what most of them say."""

import math
from collections.abc import Hashable, Sequence


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of k answers is right, from `samples` answers of which `right` are.

    1 - C(samples - right, k) / C(samples, k): the unbiased estimate of Chen et al. 2021, in whole numbers up
    to the one division.
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise ValueError(
            f"{right} right of {samples} answers, k = {k}: give 0 <= right <= samples and 1 <= k <= samples"
        )
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def majority(answers: Sequence[Hashable | None]) -> int | None:
    """Where the commonest answer comes first; None where every answer is None, which is nobody's vote.

    Of answers that are equally common the one that was drawn first wins: for answers drawn alike that is a
    fair lot.
    """
    votes = [answer for answer in answers if answer is not None]
    if not votes:
        return None
    return answers.index(max(dict.fromkeys(votes), key=votes.count))
