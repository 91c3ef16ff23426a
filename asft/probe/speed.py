"""How fast an endpoint is at more and more calls at once."""

import asyncio
import statistics
import time

from asft.probe.asking import LONGEST_WAIT, Asking, count
from asft.probe.findings import Level

LEVELS = (1, 4, 16)
TOKENS = 64
"""At most, of each answer."""


async def measure(asking: Asking, at_once: int) -> Level:
    """So many calls at once, and two in turn where it is one; each asks something else."""
    started = time.monotonic()
    rounds = 2 if at_once == 1 else 1
    answers = []
    for turn in range(rounds):
        asked = (asking.chat(_question(at_once, turn, place), TOKENS) for place in range(at_once))
        answers += await asyncio.gather(*asked)
    seconds = time.monotonic() - started
    # What one level used up of a limit is not the next one's fault.
    await asyncio.sleep(min(LONGEST_WAIT, max(answer.retry_after or 0.0 for answer in answers)))
    good = [answer for answer in answers if answer.ok]
    failed = next((answer for answer in answers if not answer.ok and answer.status != 429), None)
    told = "" if failed is None else f"{failed.status}: {failed.told}" if failed.status else failed.told
    return Level(
        at_once=at_once,
        calls=len(answers),
        answered=len(good),
        median=statistics.median(answer.seconds for answer in good) if good else 0.0,
        slowest=max((answer.seconds for answer in good), default=0.0),
        seconds=seconds,
        output_tokens=sum(count(answer.usage.get("completion_tokens")) for answer in good),
        rate_limited=sum(answer.status == 429 for answer in answers),
        failed=told,
    )


def _question(at_once: int, turn: int, place: int) -> str:
    """Begins differently for each, so that no cache of beginnings helps."""
    start = 1000 * at_once + 100 * turn + place
    return f"{start} is where you start. Count upwards from there, separated by commas. Write nothing else."
