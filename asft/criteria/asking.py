"""What criteria that ask a teacher or judge share: requests made again, and what they cost at most."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import Field

from asft.budget import ceiling_of
from asft.prompts import Prompt
from asft.types import NO_REQUESTS, Ceiling, Message, Reply, Request, Script

T = TypeVar("T")
Count = Annotated[int, Field(ge=0)]
Tokens = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=64)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]

LEFT_OUT = "\n[...]\n"
"""Stands where a long text was shortened."""

Ask = Callable[[int], Request]
"""Makes a request from its index: 0, and 1, 2, ... when it is made again."""


def until_read(asks: Sequence[Ask], read: Callable[[Reply], T | None], reasks: int) -> Script[list[T | None]]:
    """Make all requests at once, and those whose reply cannot be read again; None where none could be."""
    found: list[T | None] = [None] * len(asks)
    for index in range(1 + reasks):
        unread = [place for place, value in enumerate(found) if value is None]
        if not unread:
            break
        replies = yield [asks[place](index) for place in unread]
        for place, reply in zip(unread, replies, strict=True):
            found[place] = read(reply)
    return found


def at_most(asks: Sequence[Ask], reasks: int) -> Ceiling:
    """What `until_read` costs at most, where an index changes nothing of the cost."""
    return sum((ceiling_of(ask(0)) for ask in asks), NO_REQUESTS) * (1 + reasks)


def shortened(text: str, most: int) -> str:
    """A text of at most so many UTF-8 bytes: its beginning and its end, where answers stand."""
    whole = text.encode("utf-8", "surrogatepass")
    if len(whole) <= most:
        return text
    half = (most - len(LEFT_OUT)) // 2
    head, tail = (part.decode("utf-8", "ignore") for part in (whole[:half], whole[-half:]))
    return f"{head}{LEFT_OUT}{tail}"


def rendered(prompt: Prompt, **values: object) -> tuple[Message, ...]:
    """A prompt with those of the values that it has variables for."""
    known = (*prompt.variables, *prompt.optional)
    return prompt.render(**{name: value for name, value in values.items() if name in known})


def known_by(prompt: Prompt) -> str:
    """A prompt's words, for a manifest, so that a changed one is noticed."""
    return "\n".join(f"## {role}\n{text.strip()}" for role, text in prompt.sections)
