"""What a recipe should say about an endpoint, from what was found."""

import math
from collections.abc import Sequence

from asft.probe.asking import Asking
from asft.probe.findings import Finding, Level

ANSWER = 1024
"""Tokens of a long answer, which the timeout has to allow."""
SAFETY = 3
"""So many times what such an answer takes."""


def advice(asking: Asking, findings: Sequence[Finding], levels: Sequence[Level]) -> str:
    """Sections of a recipe, with the reason of a line beside it."""
    teacher = asking.teacher
    level = _best(levels)
    verdicts = {finding.name: finding.verdict for finding in findings}
    lines = [("teacher:", ""), ("  use: openai", ""), (f"  base_url: {teacher.base_url}", "")]
    lines.append((f"  model: {asking.model}", ""))
    if teacher.key_env != "OPENAI_API_KEY":
        lines.append((f"  key_env: {teacher.key_env}", ""))
    if asking.limit_field != asking.limit_fields[0]:
        lines.append((f"  limit_field: {asking.limit_field}", "the other is refused"))
    elif teacher.limit_field != "auto":
        lines.append((f"  limit_field: {teacher.limit_field}", "taken"))
    refused = asking.left_out | ({"seed"} if verdicts["seed"] == "no" else set())
    if refused:
        lines.append((f"  leave_out: [{', '.join(sorted(refused))}]", "refused"))
    timeout = _timeout(level)
    if timeout is not None:
        lines.append((f"  timeout: {timeout}", f"{SAFETY} times what {ANSWER} tokens take"))
    lines += [("engine:", ""), _concurrency(level, levels)]
    width = max(len(line) for line, reason in lines if reason)
    return "\n".join(f"{line:<{width}}  # {reason}" if reason else line for line, reason in lines)


def _best(levels: Sequence[Level]) -> Level:
    """The fewest calls at once that are about as fast as can be, none of them turned away."""
    whole = [level for level in levels if level.answered == level.calls] or list(levels[:1])
    most = max(_rate(level) for level in whole)
    return next(level for level in whole if _rate(level) >= 0.9 * most)


def _rate(level: Level) -> float:
    """Answers per second, which are known also where tokens are not told."""
    return level.answered / level.seconds if level.seconds else 0.0


def _timeout(level: Level) -> int | None:
    """Seconds, in steps of 30; None where no tokens are told."""
    tokens = level.output_tokens / level.answered if level.answered else 0
    if not tokens:
        return None
    return max(30, 30 * math.ceil(SAFETY * level.slowest * ANSWER / tokens / 30))


def _concurrency(level: Level, levels: Sequence[Level]) -> tuple[str, str]:
    turned = next((one for one in levels if one.answered < one.calls), None)
    if turned is not None:
        return "  concurrency: auto", f"at {turned.at_once} at once some are turned away"
    if level is levels[0]:
        return f"  concurrency: {level.at_once}", "more at once is no faster"
    single = _rate(levels[0])
    times = f"{level.at_once} at once: {_rate(level) / single:.1f} times the speed of 1"
    if level is levels[-1]:
        return "  concurrency: auto", times
    return f"  concurrency: {level.at_once}", f"{times}; more add none"
