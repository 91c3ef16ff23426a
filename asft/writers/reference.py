"""The writer that writes nothing: real data, for baselines without a teacher."""

from random import Random

from asft.registry import plugin
from asft.types import NO_REQUESTS, Ceiling, Context, Draft, Pick, Script
from asft.writers.replies import NoDraftError, with_example, without_example


@plugin
class Reference:
    """No call: the seed itself with its worked reference, as classical active learning has it labelled.

    A seed is taken once in a run. It is its own parent, and has its own id; a filter that drops questions of
    the pool, such as `duplicate`, drops it.
    """

    def write(self, pick: Pick, context: Context, rng: Random) -> Script[Draft]:
        """Ends at once."""
        yield from ()
        seed = pick.example
        if seed.completion is None:
            return without_example(pick, NoDraftError("no solution", f"seed {seed.id} has no worked answer"))
        if pick.draw:
            return without_example(pick, NoDraftError("taken before", f"seed {seed.id}"))
        return with_example(pick, context, seed.prompt, seed.completion, seed.answer)

    def ceiling(self, pick: Pick, context: Context) -> Ceiling:
        """Nothing."""
        return NO_REQUESTS
