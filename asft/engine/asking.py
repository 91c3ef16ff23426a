"""One request: from the journal where it is there, else by a call, and on the disk before anyone sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from asft.budget import NOTHING, Amount, computed
from asft.engine.calls import Calls, Endpoint
from asft.engine.charged import Charged
from asft.engine.commits import Commits
from asft.errors import BudgetError, FatalError, RequestError
from asft.journal import Journal, Line, LineKind, Stored, key_of, request_text
from asft.types import Ceiling, Reply, Request

REFUSALS_AT_FIRST = 20
"""So many refusals and no answer: it is the settings that are refused, and not the requests."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request, and what is derived from it."""

    request: Request
    ceiling: Ceiling
    text: str
    """The whole of the request, that which its reply is found by."""
    key: bytes
    """The digest of the text."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A reply or refusal, and what it is charged to this step at its first use."""

    key: bytes
    reply: Reply | None
    refusal: str | None
    cost: Amount


class Asking:
    """The requests of one step."""

    def __init__(
        self,
        journal: Journal,
        calls: Mapping[str, Calls],
        charged: Charged,
        at: tuple[int, str],
        changed: Callable[[], None],
    ) -> None:
        """`at`: the round and step that are charged. `changed` is called when places become free or taken."""
        self.called = 0
        """Replies that came from an endpoint."""
        self.replayed = 0
        """Replies that came from the journal."""
        self._journal = journal
        self._calls = calls
        self._account = charged.account
        self._round, self._step = at
        self._changed = changed
        self._commits = Commits(journal, lambda: any(one.gate.in_flight for one in calls.values()))
        self._used = charged.used

    def question(self, request: Request, ceiling: Ceiling) -> Question:
        """What is asked. `ceiling` is that of the request."""
        text = request_text(self._of(request).endpoint.identity, request)
        return Question(request=request, ceiling=ceiling, text=text, key=key_of(text))

    async def obtain(self, question: Question, number: int) -> Answer:
        """The reply or refusal, from the journal or by a call; it is on the disk when this returns."""
        calls = self._of(question.request)
        stored = self._journal.find(question.key)
        charged_in = self._journal.charged_in(question.key)
        if stored is None:
            stored = await self._call(calls, question, number, charged=charged_in is None)
        else:
            self.replayed += 1
            if stored.refusal is not None and not calls.answered:
                calls.refused.append(question.key)
            if charged_in is None:
                # Another run paid for it. This one is charged all the same, so that runs compare.
                self._account.send(question.ceiling)
                await self._commits.add(self._line(question, stored, paid=False))
                self._account.sent(question.ceiling, _amount(stored, calls.endpoint))
        if stored.refusal is None:
            calls.answered += 1
        elif not calls.answered and len(calls.refused) >= REFUSALS_AT_FIRST:
            raise FatalError(
                f"the {question.request.to} refused the first {REFUSALS_AT_FIRST} requests, all of them: "
                f"{stored.refusal}. Mend the model name, the sampling or the extra fields, and run again"
            )
        mine = charged_in in (None, (self._round, self._step))
        return Answer(
            key=question.key,
            reply=stored.reply,
            refusal=stored.refusal,
            cost=_amount(stored, calls.endpoint) if mine else NOTHING,
        )

    def charge(self, answer: Answer) -> Amount:
        """What an answer is charged now: its cost at its first use in this step."""
        if answer.key in self._used:
            return NOTHING
        self._used.add(answer.key)
        return answer.cost

    async def drain(self) -> None:
        """Put on the disk what has arrived."""
        await self._commits.drain()
        for calls in self._calls.values():
            if len(calls.refused) >= REFUSALS_AT_FIRST and not calls.answered:
                # They say nothing about these requests: with other settings of the server they succeed.
                self._journal.forget_refusals(calls.refused)

    async def _call(self, calls: Calls, question: Question, number: int, *, charged: bool) -> Stored:
        """Make the call. A reply that was lost from a damaged file is paid again, and not `charged` again."""
        request, ceiling, account = question.request, question.ceiling, self._account
        most = account.amount(ceiling)

        async def failed(costs: bool, seconds: float) -> None:
            self._changed()
            if not costs:
                account.sent(ceiling, NOTHING)
                return
            await self._commits.add(self._timeout(question, most, seconds))
            account.sent(ceiling, most)
            if not account.time_out(ceiling):
                raise BudgetError(
                    f"calls of the {request.to} time out, which may cost money, and the part of the budget "
                    "that is kept for that is gone. Nothing is lost: make the timeout longer or the budget "
                    "larger, and run the same command again to continue"
                )

        async def keep(stored: Stored) -> Stored:
            self._changed()
            self.called += 1
            await self._commits.add(self._line(question, stored, charged=charged), stored)
            account.sent(ceiling, _amount(stored, calls.endpoint) if charged else NOTHING)
            return stored

        self._changed()
        try:
            stored = await calls.make(
                request,
                number,
                most.tokens,
                sending=lambda: account.send(ceiling),
                failed=failed,
                keep=lambda reply: keep(Stored(request=question.text, reply=_priced(reply, calls.endpoint))),
            )
        except RequestError as refusal:
            if not calls.answered:
                calls.refused.append(question.key)
            stored = await keep(Stored(request=question.text, reply=None, refusal=str(refusal)))
        self._changed()
        if stored.reply is not None:
            self._check(request, stored.reply, ceiling)
        if not self._journal.run:
            return stored
        # Where runs share a journal, another may have been first; its reply is the reply.
        return self._journal.find(question.key) or stored

    def _check(self, request: Request, reply: Reply, ceiling: Ceiling) -> None:
        """Stop where a budget cannot be kept, because an endpoint counts otherwise than it was asked to."""
        what, told, most = "output", reply.output_tokens, ceiling.output_tokens
        if told <= most:
            what, told, most = "input", reply.input_tokens, ceiling.input_tokens
            if told <= most or not self._account.limits_tokens:
                return
        raise BudgetError(
            f"the {request.to} reports {told} {what} tokens for a request that can have {most} at most; they "
            "are counted in full. Its settings or its count are wrong; mend that, and run the same command "
            "again to continue"
        )

    def _timeout(self, question: Question, most: Amount, seconds: float) -> Line:
        return Line(
            round=self._round,
            step=self._step,
            role=question.request.to,
            purpose=question.request.purpose,
            kind="timeout",
            key=question.key,
            input_tokens=question.ceiling.input_tokens,
            output_tokens=question.ceiling.output_tokens,
            cost_usd=None if most.usd is None else float(most.usd),
            flops=most.flops,
            seconds=seconds,
            estimated=True,
        )

    def _line(self, question: Question, stored: Stored, *, charged: bool = True, paid: bool = True) -> Line:
        kind: LineKind = "refusal"
        reply = Reply(text="", finish="stop", input_tokens=0, output_tokens=0, cost_usd=0.0)
        if stored.reply is not None:
            kind, reply = "reply", stored.reply
        return Line(
            round=self._round,
            step=self._step,
            role=question.request.to,
            purpose=question.request.purpose,
            kind=kind,
            key=question.key,
            input_tokens=reply.input_tokens,
            cached_tokens=reply.cached_tokens,
            reasoning_tokens=reply.reasoning_tokens,
            output_tokens=reply.output_tokens,
            cost_usd=reply.cost_usd,
            flops=computed(self._of(question.request).endpoint.active_params, reply),
            seconds=reply.seconds,
            charged=charged,
            paid=paid,
            estimated=reply.estimated,
        )

    def _of(self, request: Request) -> Calls:
        if request.to not in self._calls:
            raise FatalError(
                f"a script asks the {request.to}, and there is none; known: {', '.join(self._calls)}. "
                f"Give the recipe a section {request.to!r}"
            )
        return self._calls[request.to]


def _priced(reply: Reply, endpoint: Endpoint) -> Reply:
    if reply.cost_usd is not None or endpoint.prices is None:
        return reply
    return replace(reply, cost_usd=endpoint.prices.of(reply))


def _amount(stored: Stored, endpoint: Endpoint) -> Amount:
    """What a reply or refusal is of a budget."""
    if stored.reply is None:
        return Amount(requests=1)
    cost = stored.reply.cost_usd
    tokens = stored.reply.input_tokens + stored.reply.output_tokens
    return Amount(
        requests=1,
        tokens=tokens,
        usd=None if cost is None else Decimal(repr(cost)),
        flops=computed(endpoint.active_params, stored.reply),
    )
