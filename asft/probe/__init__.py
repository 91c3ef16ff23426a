"""What an endpoint can do, asked before money is spent: a few dozen short calls.

    reach (name, connection, TLS) -> key and model -> what a recipe relies on -> speed -> advice

What cannot be used at all (nothing there, a wrong key, an unknown model) is a FatalError in one sentence.
Everything else is a finding: yes, no, ignored (taken without a word and without effect), or unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass

from asft.errors import FatalError
from asft.probe.advice import advice
from asft.probe.asking import Asking
from asft.probe.checks import CHECKS
from asft.probe.entry import enter
from asft.probe.findings import Finding, Level
from asft.probe.reach import reach
from asft.probe.speed import LEVELS, measure
from asft.teachers.openai import OpenAI

__all__ = ["Finding", "Level", "Probed", "probe"]


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What was found."""

    base_url: str
    model: str
    findings: tuple[Finding, ...]
    levels: tuple[Level, ...]
    """How fast it is, at more and more calls at once."""
    advice: str
    """A few lines for a recipe, as YAML."""
    calls: int
    input_tokens: int
    output_tokens: int


async def probe(teacher: OpenAI, tell: Callable[[int, int, str], None]) -> Probed:
    """Probe a teacher's endpoint; its model may be empty, and is then the only one that there is.

    `tell` is called with how many parts are done, how many there are, and what comes next. Raises
    FatalError where the endpoint cannot be used.
    """
    total = len(CHECKS) + len(LEVELS) + 2
    tell(0, total, "connection")
    teacher.check()
    reached = await reach(teacher.base_url, teacher.proxy)
    tell(1, total, "key and model")
    async with Asking(teacher) as asking:
        first, findings = await enter(asking)
        findings = [reached, *findings]
        for done, (name, check) in enumerate(CHECKS.items(), start=2):
            tell(done, total, name)
            findings.append(await check(asking, first))
        levels: list[Level] = []
        for done, at_once in enumerate(LEVELS, start=2 + len(CHECKS)):
            tell(done, total, f"speed at {at_once}")
            levels.append(await measure(asking, at_once))
    if not any(level.answered for level in levels):
        raise FatalError(
            f"{teacher.base_url} answered single questions and then none of {levels[-1].calls} at once "
            f"({levels[-1].failed}); try again later"
        )
    return Probed(
        base_url=teacher.base_url,
        model=asking.model,
        findings=tuple(findings),
        levels=tuple(levels),
        advice=advice(asking, findings, levels),
        calls=asking.calls,
        input_tokens=asking.input_tokens,
        output_tokens=asking.output_tokens,
    )
