"""What a run may spend, what a call costs, and an account that never goes over.

Before a script starts, the most that it can cost is set aside; what its calls really cost is counted when
they end, and the rest comes back. A script starts only where its ceiling fits beside all that is spent
and set aside, so timing cannot change which scripts start: one that fits now fits later too.

Money is counted in decimals and FLOPs in whole numbers, never in binary fractions: sums of those depend on
the order in which calls end.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from asft import flops
from asft.errors import BudgetError
from asft.registry import plugin
from asft.types import Ceiling, Message, Reply, Request

MESSAGE_OVERHEAD = 64
"""Tokens set aside for each message beside its text: roles, marks, and what chat templates put in front."""

BYTES_PER_TOKEN = 3
"""For estimates: fewer than in English prose, so that a budget is counted rather too high than too low."""

_MILLION = 1_000_000

Price = Annotated[Decimal, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
ActiveParams = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
"""Parameters of a model that a token meets, such as 7.6e9: all of a dense model's, and of its experts those
that are chosen."""


@plugin
class Budget:
    """The most that a run may use; None is no limit. Calls of teacher and judge count, failed ones too."""

    examples: Count | None = None
    """Accepted examples; whoever accepts them keeps to it."""
    requests: Count | None = None
    tokens: Count | None = None
    """Input and output together."""
    usd: Price | None = None
    """US dollars."""
    flops: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    """Of calls, and of what the ledger holds of the student; needs `active_params` of who is asked."""
    timeout_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.02
    """The part of all but examples that is kept for calls that time out and are charged anyway."""


@plugin
class Prices:
    """US dollars per million tokens."""

    input: Price
    output: Price
    cached_input: Price | None = None
    """None: as input."""
    reasoning: Price | None = None
    """None: as output."""

    def cost(
        self, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0, reasoning_tokens: int = 0
    ) -> Decimal:
        """What a call costs. Cached tokens are a part of the input, reasoning tokens one of the output."""
        cached = self.input if self.cached_input is None else self.cached_input
        reasoning = self.output if self.reasoning is None else self.reasoning
        return (
            (input_tokens - cached_tokens) * self.input
            + cached_tokens * cached
            + (output_tokens - reasoning_tokens) * self.output
            + reasoning_tokens * reasoning
        ) / _MILLION

    def of(self, reply: Reply) -> float:
        """What a reply costs."""
        cost = self.cost(
            input_tokens=reply.input_tokens,
            cached_tokens=reply.cached_tokens,
            output_tokens=reply.output_tokens,
            reasoning_tokens=reply.reasoning_tokens,
        )
        return float(cost)

    def most(self, ceiling: Ceiling) -> Decimal:
        """The most that calls within this ceiling can cost."""
        dearest_input = max(self.input, self.cached_input or self.input)
        dearest_output = max(self.output, self.reasoning or self.output)
        return (ceiling.input_tokens * dearest_input + ceiling.output_tokens * dearest_output) / _MILLION


FREE = Prices(input=Decimal(0), output=Decimal(0))


def dearest(prices: Iterable[Prices | None]) -> Prices | None:
    """Prices that none of these is above; None where one is unknown."""
    known = list(prices)
    if not known or None in known:
        return None
    all_of = [one for one in known if one is not None]
    return Prices(
        input=max(one.input for one in all_of),
        output=max(one.output for one in all_of),
        cached_input=max(one.input if one.cached_input is None else one.cached_input for one in all_of),
        reasoning=max(one.output if one.reasoning is None else one.reasoning for one in all_of),
    )


def largest(sizes: Iterable[float | None]) -> float | None:
    """The most `active_params` of these; None where some are unknown."""
    known = list(sizes)
    return None if not known or None in known else max(one for one in known if one is not None)


def computed(active_params: float | None, reply: Reply) -> int | None:
    """FLOPs of a call; None where it is unknown who was asked."""
    if active_params is None:
        return None
    return flops.asked(
        active_params,
        input_tokens=reply.input_tokens,
        cached_tokens=reply.cached_tokens,
        output_tokens=reply.output_tokens,
    )


def estimated_tokens(texts: Iterable[str]) -> int:
    """About how many tokens texts are, where nobody has counted them."""
    return math.ceil(sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) / BYTES_PER_TOKEN)


def input_ceiling(text_bytes: int, messages: int) -> int:
    """The most tokens that messages with so many UTF-8 bytes of text can be: a token is a byte or more."""
    return text_bytes + MESSAGE_OVERHEAD * messages


def ceiling_of(request: Request) -> Ceiling:
    """The most that one request can use."""
    return Ceiling(
        requests=1,
        input_tokens=input_ceiling(sum(map(_bytes, request.messages)), len(request.messages)),
        output_tokens=request.sampling.max_tokens,
    )


@dataclass(frozen=True, kw_only=True)
class Amount:
    """So much of a budget."""

    requests: int = 0
    tokens: int = 0
    """Input and output."""
    usd: Decimal | None = Decimal(0)
    """None where a price is unknown."""
    flops: int | None = 0
    """None where it is unknown how many parameters are active."""

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            requests=self.requests + other.requests,
            tokens=self.tokens + other.tokens,
            usd=None if self.usd is None or other.usd is None else self.usd + other.usd,
            flops=None if self.flops is None or other.flops is None else self.flops + other.flops,
        )

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(
            requests=self.requests - other.requests,
            tokens=self.tokens - other.tokens,
            usd=None if self.usd is None or other.usd is None else self.usd - other.usd,
            flops=None if self.flops is None or other.flops is None else self.flops - other.flops,
        )


NOTHING = Amount()


@dataclass(eq=False)
class Reservation:
    """What is set aside for one open script."""

    left: Ceiling
    """What the script may still ask for."""


class Account:
    """What is spent and set aside of a budget, in one step of a run.

    What this step was charged before it was killed is counted when its scripts use it again, so that each
    script meets the same account as in a run that was never interrupted. The ledger's own total is kept
    beside that: no call is made that could take it over the budget, whatever was done over with other
    settings.
    """

    def __init__(
        self,
        budget: Budget,
        prices: Iterable[Prices | None],
        *,
        active_params: Iterable[float | None] = (None,),
        elsewhere: int = 0,
        before: Amount = NOTHING,
        timed_out: Amount = NOTHING,
        recorded: Amount = NOTHING,
    ) -> None:
        """`prices` and `active_params` of all endpoints: a ceiling is that of the dearest and the largest.

        `elsewhere` are FLOPs that are no call's: what the student has computed, and what is set aside for
        what it has to compute yet. `before` is what earlier steps were charged, `timed_out` what calls that
        timed out were, and `recorded` all that the ledger holds against this run.
        """
        self._budget = budget
        self._prices = tuple(prices)
        self._active_params = largest(active_params)
        self._elsewhere = Amount(flops=elsewhere)
        self._limits = _limits(budget)
        self._before = before
        self._timed_out = timed_out
        self._recorded = recorded
        self._held = NOTHING
        self._in_flight = NOTHING
        if budget.usd is not None and (None in self._prices or recorded.usd is None):
            why = "an endpoint has no prices" if None in self._prices else "earlier calls have no known price"
            raise BudgetError(
                f"a budget of {budget.usd} usd cannot be kept, because {why}; "
                "give every endpoint its prices per million tokens, or set a budget of requests or tokens"
            )
        if budget.flops is not None and None in (self._active_params, recorded.flops):
            raise BudgetError(
                f"a budget of {budget.flops:g} flops cannot be kept, because an endpoint has no "
                "active_params; give every endpoint the number of its model's parameters that are active for "
                "a token, such as 7.6e9, or set a budget of requests or tokens"
            )

    @property
    def spent(self) -> Amount:
        """What is charged up to here: earlier steps, what this step used, and what timed out."""
        return self._before + self._timed_out

    @property
    def limits_tokens(self) -> bool:
        """Whether too many tokens could exceed it."""
        limits = (self._budget.tokens, self._budget.usd, self._budget.flops)
        return any(limit is not None for limit in limits)

    def affordable(self, ceiling: Ceiling) -> bool:
        """Whether it fits were every open script charged at its ceiling."""
        committed = self._elsewhere + self._before + self._held + self.amount(ceiling)
        for limit in self._limits:
            # Timeouts that the reserve did not cover come out of what is for scripts.
            timed_out = max(limit.reserve, limit.of(self._timed_out))
            if limit.of(committed) + timed_out > limit.most:
                return False
        return True

    def reserve(self, ceiling: Ceiling) -> Reservation:
        """Set the ceiling of a script aside."""
        if not self.affordable(ceiling):
            raise BudgetError(f"{ceiling} is more than is left of {self._budget}")
        self._held += self.amount(ceiling)
        return Reservation(left=ceiling)

    def ask(self, reservation: Reservation, request: Ceiling) -> bool:
        """Take a request's ceiling out of its script's; False where the script has not so much left."""
        left = Ceiling(
            requests=reservation.left.requests - request.requests,
            input_tokens=reservation.left.input_tokens - request.input_tokens,
            output_tokens=reservation.left.output_tokens - request.output_tokens,
        )
        if min(left.requests, left.input_tokens, left.output_tokens) < 0:
            return False
        reservation.left = left
        return True

    def answered(self, request: Ceiling, cost: Amount) -> None:
        """A request has ended: count what it cost instead of its ceiling."""
        self._held -= self.amount(request)
        self._before += cost

    def close(self, reservation: Reservation) -> None:
        """The script has ended: what it did not ask for comes back."""
        self._held -= self.amount(reservation.left)

    def send(self, request: Ceiling) -> None:
        """A call is about to be made. Raises BudgetError where it could take the ledger over the budget."""
        most = self._elsewhere + self._recorded + self._in_flight + self.amount(request)
        for limit in self._limits:
            if limit.of(most) > limit.most:
                raise BudgetError(
                    f"the next call could exceed the budget of {limit.told} {limit.name}: calls that timed "
                    "out, or replies that this step no longer uses, have taken part of it; raise it to go on"
                )
        self._in_flight += self.amount(request)

    def sent(self, request: Ceiling, cost: Amount) -> None:
        """The call has ended, and the ledger holds `cost` for it."""
        self._in_flight -= self.amount(request)
        self._recorded += cost

    def time_out(self, request: Ceiling) -> bool:
        """Charge a call that timed out its ceiling; False where the reserve for that is gone."""
        self._timed_out += self.amount(request)
        return all(limit.of(self._timed_out) <= limit.reserve for limit in self._limits)

    def amount(self, ceiling: Ceiling) -> Amount:
        """What a ceiling is of a budget."""
        known = [prices.most(ceiling) for prices in self._prices if prices is not None]
        size = self._active_params
        return Amount(
            requests=ceiling.requests,
            tokens=ceiling.input_tokens + ceiling.output_tokens,
            usd=max(known, default=Decimal(0)) if len(known) == len(self._prices) else None,
            flops=None
            if size is None
            else flops.asked(size, input_tokens=ceiling.input_tokens, output_tokens=ceiling.output_tokens),
        )


@dataclass(frozen=True)
class _Limit:
    """What a budget limits, and to how much."""

    name: str
    of: Callable[[Amount], int | Decimal]
    most: Decimal
    reserve: Decimal
    """The part of it that is kept for calls that time out."""

    @property
    def told(self) -> str:
        """How much, for people."""
        return f"{float(self.most):g}" if self.name == "flops" else f"{self.most}"


def _limits(budget: Budget) -> tuple[_Limit, ...]:
    counts: list[tuple[str, Callable[[Amount], int | Decimal], float | Decimal | None]] = [
        ("requests", lambda amount: amount.requests, budget.requests),
        ("tokens", lambda amount: amount.tokens, budget.tokens),
        # A price or a size is unknown only where no budget of it is set.
        ("usd", lambda amount: amount.usd or Decimal(0), budget.usd),
        ("flops", lambda amount: amount.flops or 0, budget.flops),
    ]
    share = Decimal(str(budget.timeout_share))
    limits = [(name, of, Decimal(most)) for name, of, most in counts if most is not None]
    return tuple(_Limit(name, of, most, most * share) for name, of, most in limits)


def _bytes(message: Message) -> int:
    return len(message.content.encode("utf-8", "surrogatepass"))
