"""Criteria that ask, driven by hand: what a script requests, and what it makes of these replies."""

from collections.abc import Callable

from asft.budget import ceiling_of
from asft.types import Asker, Criterion, Inquiry, Measurements, Reply, Request


def inquiries(criterion: Criterion, measurements: Measurements, seed: int = 0) -> list[Inquiry]:
    """Those of its only need that asks."""
    [asker] = [need.asker for need in criterion.needs if need.asker is not None]
    assert isinstance(asker, Asker)
    return list(asker.inquiries(measurements, seed))


def driven(
    inquiry: Inquiry, answer: Callable[[Request], str]
) -> tuple[dict[str, float | None], list[Request]]:
    """What a script ends with, and all that it asked. Its ceiling is held to."""
    asked: list[Request] = []
    script = inquiry.script()
    try:
        requests = next(script)
        while True:
            asked += requests
            replies = [
                Reply(text=answer(one), finish="stop", input_tokens=1, output_tokens=1) for one in requests
            ]
            requests = script.send(replies)
    except StopIteration as end:
        result = end.value
    spent = [ceiling_of(one) for one in asked]
    most = inquiry.ceiling
    assert len(asked) <= most.requests
    assert sum(one.input_tokens for one in spent) <= most.input_tokens
    assert sum(one.output_tokens for one in spent) <= most.output_tokens
    return dict(result), asked
