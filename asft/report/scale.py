"""Round numbers for axes and bins."""

import math


def round_step(low: float, high: float, about: int) -> float:
    """1, 2 or 5 times a power of ten: the step that cuts [low, high] into roughly `about` parts."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    return min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers at even steps, the first at or below `low` and the last at or above `high`."""
    if not low < high:
        return [low - 0.5, low + 0.5]
    step = round_step(low, high, about)
    # A hair of slack: 0.3 / 0.1 is just below 3.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]
