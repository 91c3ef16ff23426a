"""What is dear to make of a context, and is made once for as long as the context stays."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """What was made last, for as long as it is asked for the same things.

    They are compared by identity, which costs nothing, and held, so that no other thing takes their place.
    """

    def __init__(self, make: Callable[..., T]) -> None:
        self._make = make
        self._made: tuple[tuple[Any, ...], T] | None = None

    def of(self, *things: Any) -> T:
        """What `make` gives for these things."""
        if self._made is None or not all(a is b for a, b in zip(self._made[0], things, strict=True)):
            self._made = things, self._make(*things)
        return self._made[1]
