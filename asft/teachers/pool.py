"""`pool`: several endpoints as one teacher.

Which member a request goes to first depends on the request and the weights alone. Where that one cannot
take it, another does. Which one answered is a matter of weather, so the journal knows the pool by one name.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field

from asft.budget import Prices, dearest, largest
from asft.errors import AsftError, FatalError, RequestError, RetryableError
from asft.registry import fill, make, plugin
from asft.types import Reply, Request, Sleeper, Teacher

IN_A_ROW = 3
"""Failures with no answer between, after which a member is left alone; one now and then says little."""
FIRST_REST = 1.0
"""Seconds that it is left alone then; after each further failure twice as long."""
LOOK = 1.0
"""Seconds after which a call that waits for a place looks whether a member is back."""
LONGEST_QUEUE = 30.0
"""Seconds that a call waits for a place before it is given back."""

_log = logging.getLogger(__name__)


@plugin
class Member:
    """One endpoint of a pool."""

    use: str
    """The name of its plug-in."""
    teacher: Any
    """The plug-in."""
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """Its share of the requests, beside the weights of the others."""
    max_concurrency: Annotated[int, Field(ge=1)] | None = None
    """Calls of it at once; None: as many as the pool is asked."""


@plugin
class Pool:
    """Several endpoints as one: weighted, with limits of their own, and one for the other where it fails."""

    members: tuple[Any, ...]
    """Sections like that of a teacher, with `use`; and with `weight` and `max_concurrency`, as wanted."""
    known_as: str = "pool"
    """What the journal knows it by, beside the models of its members."""
    terms: str = ""
    """What the terms of its members say of training with their output, where it is said for all at once."""
    rest: Annotated[float, Field(gt=0.0)] = 30.0
    """The most seconds that a member is left alone after failures, unless it asks for more."""

    def __post_init__(self) -> None:
        """Make the members; all that is wrong with them is told at once."""
        problems: list[str] = []
        made = [_member(f"members.{i}", one, problems) for i, one in enumerate(self.members)]
        if not made:
            problems.append("members: at least one is wanted")
        if problems:
            raise ValueError("; ".join(problems))
        object.__setattr__(self, "members", tuple(made))

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the journal knows it by: whom it asks, wherever they are and however many there are."""
        known = {json.dumps(_model(member), sort_keys=True) for member in self.members}
        return {"base_url": self.known_as, "members": [json.loads(text) for text in sorted(known)]}

    @property
    def prices(self) -> Prices | None:
        """The dearest of its members', for what it can cost at most; None where one is unknown."""
        return dearest(getattr(member.teacher, "prices", None) for member in self.members)

    @property
    def active_params(self) -> float | None:
        """The most of its members': which of them answered is not known; None where one is unknown."""
        return largest(getattr(member.teacher, "active_params", None) for member in self.members)

    def check(self) -> str:
        """What its members say of themselves. Raises FatalError with all that is wrong with them."""
        said, problems = [], []
        for place, member in enumerate(self.members):
            own = getattr(member.teacher, "check", None)
            try:
                said.append(member.use if own is None else own())
            except AsftError as error:
                problems.append(f"members.{place}: {error}")
        if problems:
            raise FatalError("; ".join(problems))
        return f"{len(said)} members: {'; '.join(said)}"

    async def reach(self) -> list[str]:
        """What its members may not mean, and who of them cannot be reached. Raises FatalError for all."""
        reaching = [
            (place, member.teacher.reach())
            for place, member in enumerate(self.members)
            if hasattr(member.teacher, "reach")
        ]
        told = await asyncio.gather(*(call for _, call in reaching), return_exceptions=True)
        warnings, lost = [], []
        for (place, _), found in zip(reaching, told, strict=True):
            if isinstance(found, FatalError):
                lost.append(f"members.{place}: {found}")
            elif isinstance(found, BaseException):
                raise found
            else:
                warnings += [f"members.{place}: {sentence}" for sentence in found]
        if len(lost) == len(self.members):
            raise FatalError("; ".join(lost))
        return [*lost, *warnings]

    async def __aenter__(self) -> "Pool":
        """Open the members that want to be opened."""
        async with AsyncExitStack() as stack:
            places = []
            for number, member in enumerate(self.members):
                teacher = member.teacher
                if hasattr(teacher, "__aenter__"):
                    teacher = await stack.enter_async_context(cast(Any, teacher))
                places.append(_Place(name=f"members.{number}", member=member, teacher=teacher))
            self._opened.append(_Opened(places, self.rest, stack.pop_all()))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._opened.pop().stack.aclose()

    async def reply(self, request: Request) -> Reply:
        """One call of one member, or of another where it could not be made.

        Raises RequestError, and RetryableError or FatalError where that is so of all members.
        """
        if not self._opened:
            async with self:
                return await self.reply(request)
        return await self._opened[-1].reply(request)

    # Members that live on this machine

    @property
    def takes_turns(self) -> bool:
        """Whether one of its members lives on this machine."""
        return bool(self._sleepers)

    @property
    def shares_device(self) -> bool:
        """Whether one of its members does."""
        return any(member.shares_device for _, member in self._sleepers)

    async def wake(self, logs: Path | None) -> None:
        """Wake those that sleep."""
        for number, member in self._sleepers:
            folder = None if logs is None else logs / f"member-{number}"
            if folder is not None:
                folder.mkdir(exist_ok=True)
            await member.wake(folder)

    async def sleep(self) -> None:
        """Let those sleep that can."""
        for _, member in self._sleepers:
            await member.sleep()

    async def stop(self) -> None:
        """End what they have started, each of them, whatever becomes of the others."""
        async with AsyncExitStack() as ends:
            for _, member in self._sleepers:
                ends.push_async_callback(member.stop)

    @property
    def _sleepers(self) -> list[tuple[int, Sleeper]]:
        pairs = ((number, member.teacher) for number, member in enumerate(self.members))
        return [(number, teacher) for number, teacher in pairs if isinstance(teacher, Sleeper)]

    @cached_property
    def _opened(self) -> "list[_Opened]":
        return []


@dataclass(eq=False, kw_only=True)
class _Place:
    """A member while the pool is open."""

    name: str
    member: Member
    teacher: Teacher
    in_flight: int = 0
    failures: int = 0
    """Since its last answer."""
    rests_until: float = -math.inf
    is_limited: bool = False
    """Whether it rests because it was asked too often."""
    why: str = ""
    """Its latest failure."""
    is_out: bool = False
    """Whether no call of it can succeed any more."""

    @property
    def is_free(self) -> bool:
        """Whether it takes a call now; one that was left alone is tried with one at a time."""
        most = self.member.max_concurrency or math.inf
        return self.in_flight < (1 if self.failures >= IN_A_ROW else most)

    def answered(self) -> None:
        """It has answered, whatever the answer."""
        self.failures, self.is_limited = 0, False

    def failed(self, error: RetryableError, longest: float) -> None:
        """It could not be asked, and is left alone where it asks for that, or fails again and again."""
        now = asyncio.get_running_loop().time()
        self.why, self.is_limited = str(error), error.rate_limited
        if now >= self.rests_until:
            # What was in flight when it failed says nothing more.
            self.failures += 1
        again = self.failures - (1 if error.rate_limited else IN_A_ROW)
        seconds = min(longest, FIRST_REST * 2.0 ** min(again, 30)) if again >= 0 else 0.0
        self.rests_until = max(self.rests_until, now + (error.retry_after or seconds))


class _Opened:
    """The members of a pool that is open, in one event loop."""

    def __init__(self, places: Sequence[_Place], rest: float, stack: AsyncExitStack) -> None:
        self.stack = stack
        self._places = places
        self._rest = rest
        self._waiting: list[asyncio.Future[None]] = []

    async def reply(self, request: Request) -> Reply:
        order = [self._places[i] for i in _order(request, [place.member.weight for place in self._places])]
        tried: set[_Place] = set()
        while True:
            async with self._place(order, tried) as place:
                tried.add(place)
                try:
                    reply = await place.teacher.reply(request)
                except FatalError as error:
                    self._take_out(place, error)
                    continue
                except RequestError:
                    place.answered()
                    raise
                except RetryableError as error:
                    place.failed(error, self._rest)
                    if error.charged:
                        # It is put down before another is asked.
                        raise RetryableError(str(error), charged=True) from error
                    continue
                place.answered()
            prices = getattr(place.teacher, "prices", None)
            if reply.cost_usd is None and prices is not None:
                reply = replace(reply, cost_usd=prices.of(reply))
            # What one member still takes says nothing of the pool.
            return replace(reply, limits=None)

    @contextlib.asynccontextmanager
    async def _place(self, order: Sequence[_Place], tried: set[_Place]) -> AsyncIterator[_Place]:
        """The first member that takes a call, for as long as the call lasts."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_QUEUE
        while (place := self._first(order, tried)) is None:
            if loop.time() >= deadline:
                raise RetryableError(
                    f"every member of the pool had all the calls that its max_concurrency allows for "
                    f"{LONGEST_QUEUE:g} s; raise it, or lower the number of calls at once",
                    rate_limited=True,
                )
            freed = loop.create_future()
            self._waiting.append(freed)
            await asyncio.wait([freed], timeout=LOOK)
        place.in_flight += 1
        try:
            yield place
        finally:
            place.in_flight -= 1
            waiting, self._waiting = self._waiting, []
            for freed in waiting:
                freed.set_result(None)

    def _first(self, order: Sequence[_Place], tried: set[_Place]) -> _Place | None:
        """Who takes the call now; None where one will. Raises where nobody does."""
        now = asyncio.get_running_loop().time()
        alive = [place for place in order if not place.is_out]
        if not alive:
            raise FatalError("; ".join(f"{place.name}: {place.why}" for place in self._places))
        awake = [place for place in alive if place.rests_until <= now and place not in tried]
        if not awake:
            soonest = min(place.rests_until for place in alive)
            told = dict.fromkeys(place.why for place in alive)
            raise RetryableError(
                f"no member of the pool answers: {'; '.join(told)}",
                retry_after=max(0.0, soonest - now),
                rate_limited=all(place.is_limited for place in alive),
            )
        return next((place for place in awake if place.is_free), None)

    def _take_out(self, place: _Place, error: FatalError) -> None:
        was_in = not place.is_out
        place.is_out, place.why = True, str(error)
        left = sum(not one.is_out for one in self._places)
        if was_in and left:
            _log.warning(
                "%s of the pool is left out, the run goes on with %d of %d: %s",
                place.name,
                left,
                len(self._places),
                error,
            )


def _member(key: str, given: Any, problems: list[str]) -> Member | None:
    """A member from its section; what is wrong goes to `problems`, without values, which may be secrets."""
    if isinstance(given, Member):
        return given
    if not isinstance(given, Mapping) or not isinstance(given.get("use"), str):
        problems.append(f"{key}: a section with `use` is wanted")
        return None
    own = {name: given[name] for name in ("use", "weight", "max_concurrency") if name in given}
    options = {name: option for name, option in given.items() if name not in own}
    try:
        teacher = make("teacher", given["use"], options)
    except AsftError as error:
        problems.append(f"{key}: {error}")
        return None
    made, wrong = fill(Member, {**own, "teacher": teacher})
    problems.extend(f"{key}: {sentence}" for sentence in wrong)
    return cast(Member | None, made)


def _model(member: Member) -> Mapping[str, Any]:
    """What a member's answers depend on: what it is known by, without where it is."""
    known = getattr(member.teacher, "identity", None)
    if known is None:
        fields = getattr(type(member.teacher), "__dataclass_fields__", {})
        options = {name: getattr(member.teacher, name) for name in fields}
        known = {"use": member.use, **json.loads(json.dumps(options, default=str))}
    return {name: value for name, value in known.items() if name != "base_url"}


def _order(request: Request, weights: Iterable[float]) -> list[int]:
    """The members in the order in which they are asked; each is first for its share of all requests."""
    asked = [request.to, request.seed, request.draw, request.index, repr(request.sampling)]
    asked += [part for message in request.messages for part in (message.role, message.content)]
    digest = hashlib.blake2b(repr(asked).encode("utf-8", "surrogatepass")).digest()

    def waits(number: int, weight: float) -> float:
        drawn = hashlib.blake2b(number.to_bytes(4, "big"), key=digest, digest_size=8).digest()
        # Of such times the least is a member's as often as its weight says, with or without the others.
        return -math.log((int.from_bytes(drawn, "big") + 1) / 2**64) / weight

    times = [waits(number, weight) for number, weight in enumerate(weights)]
    return sorted(range(len(times)), key=times.__getitem__)
