"""Whether the rounds of a run end before there are as many as the recipe allows."""

from collections.abc import Sequence

from asft.recipe import StopOptions

DIGITS = 12
"""Of a difference of two shares, so that 0.905 - 0.9 is 0.005."""


def why(stop: StopOptions, accuracies: Sequence[float]) -> str | None:
    """Why no round follows; None where one may. `accuracies`: on what is held out, those of all rounds."""
    if not accuracies:
        return None
    last = accuracies[-1]
    if stop.target is not None and last >= stop.target:
        return f"the target is reached: accuracy {last:.4g} on what is held out, at least {stop.target:g}"
    plateau = stop.plateau
    if plateau is None or len(accuracies) <= plateau.rounds:
        return None
    now, before = max(accuracies[-plateau.rounds :]), max(accuracies[: -plateau.rounds])
    gain = round(now - before, DIGITS)
    if gain >= plateau.least:
        return None
    rounds = "the last round" if plateau.rounds == 1 else f"the last {plateau.rounds} rounds"
    return (
        f"a plateau: the best accuracy of {rounds} on what is held out is {now:.4g}, {before:.4g} before; "
        f"a gain of {plateau.least:g} was wanted"
    )
