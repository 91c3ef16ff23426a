"""How a filter's finding on an example becomes its verdict on a draft."""

from collections.abc import Callable

from asft.types import Decision, Draft, Example, Verdict

Finding = tuple[Decision, str]
"""A decision and its reason."""


def verdict(name: str, draft: Draft, find: Callable[[Example], Finding]) -> Verdict:
    """The verdict on a draft: what is found of its example, or a drop where it has none."""
    if draft.example is None:
        return Verdict(
            number=draft.number, decision="drop", filter=name, reason=f"no example: {draft.reason}"
        )
    decision, reason = find(draft.example)
    return Verdict(number=draft.number, decision=decision, filter=name, reason=reason)
