"""The criterion that says nothing."""

from asft.registry import plugin
from asft.types import Measurements, Need


@plugin
class Unscored:
    """No score for any seed: for selectors that read none, such as `random` and `badge`.

    Nothing is measured for it, so that a baseline pays for no measuring. Selectors that rank take no seed.

    Cost: none.
    When: what is selected does not depend on a score.
    Source: none.
    """

    @property
    def needs(self) -> tuple[Need, ...]:
        """Nothing."""
        return ()

    def score(self, measurements: Measurements) -> list[float | None]:
        """None for each."""
        return [None] * len(measurements.examples)
