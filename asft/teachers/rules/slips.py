"""Mistakes that the rules teacher makes on purpose: a wrong result in the last calculation."""

import random
import re

_LAST = re.compile(r"<<(?P<left>[^<>=]*)=(?P<value>-?[\d.]+)>>(?P<said>-?[\d,.]*\d)?")
_FINAL = re.compile(r"####\s*\$?(?P<value>-?\d[\d,]*(?:\.\d+)?)")


def slip(answer: str, rng: random.Random) -> str:
    """The same worked answer with another final result, as from a slip in the last calculation.

    Returns the text unchanged where it states no final number.
    """
    final = _FINAL.search(answer)
    if final is None:
        return answer
    right = int(final["value"].replace(",", "").split(".")[0])
    options = {right + delta for delta in (-10, -2, -1, 1, 2, 10)} | {right * 2}
    # A slip keeps the sign, which would give it away at once.
    options = {value for value in options if value != right and (value > 0) == (right >= 0)}
    wrong = str(rng.choice(sorted(options)))
    head, tail = answer[: final.start()], answer[final.end() :]
    calculations = list(_LAST.finditer(head))
    if calculations and calculations[-1]["said"]:
        last = calculations[-1]
        head = f"{head[: last.start()]}<<{last['left']}={wrong}>>{wrong}{head[last.end() :]}"
    return f"{head}#### {wrong}{tail}"
