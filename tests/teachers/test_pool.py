"""A pool of endpoints: who is asked first, who takes over, and what it costs."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from asft.budget import Prices
from asft.engine import Endpoint, Engine, Job, Outcome
from asft.errors import FatalError, PluginError, RequestError, RetryableError
from asft.journal import Journal
from asft.registry import make
from asft.serve import serving
from asft.teachers.pool import IN_A_ROW, Member, Pool
from asft.types import Ceiling, Message, RateLimits, Reply, Request, Sampling, Script, Sleeper

T = TypeVar("T")


class Fake:
    """Says its name, or fails as it is told to."""

    def __init__(self, name: str, error: Exception | None = None, prices: Prices | None = None) -> None:
        self.name, self.error, self.prices = name, error, prices
        self.asked = self.at_once = self.most_at_once = self.open = 0
        self.seconds = 0.0
        self.reply_with = Reply(text=name, finish="stop", input_tokens=1000, output_tokens=100)

    async def __aenter__(self) -> "Fake":
        self.open += 1
        return self

    async def __aexit__(self, *error: object) -> None:
        self.open -= 1

    async def reply(self, request: Request) -> Reply:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        if self.error is not None:
            raise self.error
        return self.reply_with


def pool(
    *fakes: Fake, weights: Sequence[float] = (), most: Sequence[int | None] = (), **options: Any
) -> Pool:
    members = tuple(
        Member(
            use="fake",
            teacher=fake,
            weight=weights[i] if weights else 1.0,
            max_concurrency=most[i] if most else None,
        )
        for i, fake in enumerate(fakes)
    )
    return Pool(members=members, **options)


def ask(number: int = 0) -> Request:
    return Request(messages=(Message(role="user", content=f"p{number}"),), sampling=Sampling(max_tokens=200))


def in_it(pool: Pool, use: Callable[[Pool], Awaitable[T]]) -> T:
    async def go() -> T:
        async with pool:
            return await use(pool)

    return asyncio.run(go())


def told(pool: Pool, count: int) -> list[str]:
    """What a number of requests, one after the other, are told."""

    async def use(pool: Pool) -> list[str]:
        return [(await pool.reply(ask(number))).text for number in range(count)]

    return in_it(pool, use)


def failing(pool: Pool, number: int = 0) -> Exception:
    async def use(pool: Pool) -> Exception:
        with pytest.raises((RetryableError, FatalError, RequestError)) as caught:
            await pool.reply(ask(number))
        return caught.value

    return in_it(pool, use)


# Who is asked first


def test_each_member_is_asked_for_its_share_by_weight() -> None:
    counts = Counter(told(pool(Fake("a"), Fake("b"), Fake("c"), weights=[5, 3, 2]), 2000))
    # A share of 0.5 of 2000 has a standard deviation of 22; the draw is always the same.
    assert [round(counts[name] / 2000, 1) for name in "abc"] == [0.5, 0.3, 0.2]


def test_the_same_request_goes_to_the_same_member_whatever_was_asked_before() -> None:
    assert told(pool(Fake("a"), Fake("b")), 40) == told(pool(Fake("a"), Fake("b")), 40)
    assert told(pool(Fake("a"), Fake("b")), 40)[::-1] == in_it(
        pool(Fake("a"), Fake("b")), lambda pool: _each(pool, range(39, -1, -1))
    )


async def _each(pool: Pool, numbers: Sequence[int]) -> list[str]:
    return [(await pool.reply(ask(number))).text for number in numbers]


def test_a_further_member_takes_requests_over_and_moves_no_others() -> None:
    two = told(pool(Fake("a"), Fake("b")), 100)
    three = told(pool(Fake("a"), Fake("b"), Fake("c")), 100)
    assert {after for before, after in zip(two, three, strict=True) if before != after} == {"c"}


def test_seed_draw_and_index_are_a_part_of_the_request() -> None:
    async def use(pool: Pool) -> set[str]:
        return {(await pool.reply(replace(ask(), index=index))).text for index in range(20)}

    assert in_it(pool(Fake("a"), Fake("b")), use) == {"a", "b"}


# Who takes over


def test_a_call_that_could_not_be_made_goes_to_another_member() -> None:
    down = Fake("down", RetryableError("a.example cannot be reached"))
    assert set(told(pool(down, Fake("up")), 30)) == {"up"}
    # It is left alone after a few failures in a row.
    assert down.asked == IN_A_ROW


def test_a_member_that_fails_now_and_then_is_not_left_alone() -> None:
    flaky = Fake("flaky")

    async def use(pool: Pool) -> None:
        for number in range(60):
            flaky.error = RetryableError("hiccup") if flaky.asked % 2 else None
            await pool.reply(ask(number))

    in_it(pool(flaky, Fake("other"), weights=[1e9, 1]), use)
    assert flaky.asked == 60


def test_a_member_that_is_asked_too_often_is_left_alone_for_as_long_as_it_asks() -> None:
    limited = Fake("limited", RetryableError("slow down", retry_after=0.3, rate_limited=True))
    other = Fake("other")

    async def use(pool: Pool) -> list[str]:
        heard = await _each(pool, range(10))
        limited.error = None
        await asyncio.sleep(0.35)
        return [*heard, *await _each(pool, range(10))]

    heard = in_it(pool(limited, other, weights=[1e9, 1]), use)
    assert heard == ["other"] * 10 + ["limited"] * 10
    assert limited.asked == 11


def test_a_member_that_is_back_is_tried_with_one_call_first() -> None:
    back = Fake("back", RetryableError("down"))
    other = Fake("other")

    async def use(pool: Pool) -> None:
        await _each(pool, range(5))
        back.error, back.seconds = None, 0.05
        await asyncio.sleep(0.1)
        await asyncio.gather(*(pool.reply(ask(number)) for number in range(20)))

    in_it(pool(back, other, weights=[1e9, 1], rest=0.1), use)
    assert (back.asked, back.most_at_once) == (IN_A_ROW + 1, 1)


def test_where_all_are_asked_too_often_the_shortest_wait_is_told() -> None:
    slow = Fake("slow", RetryableError("slow down", retry_after=50, rate_limited=True))
    slower = Fake("slower", RetryableError("slower down", retry_after=500, rate_limited=True))
    error = failing(pool(slow, slower))
    assert isinstance(error, RetryableError)
    assert error.retry_after is not None
    assert 49 < error.retry_after <= 50
    assert (error.rate_limited, error.charged) == (True, False)
    assert "slow down" in str(error)
    assert "slower down" in str(error)


def test_trouble_beside_a_rate_limit_is_no_rate_limit() -> None:
    limited = Fake("limited", RetryableError("slow down", retry_after=5, rate_limited=True))
    error = failing(pool(limited, Fake("down", RetryableError("down"))))
    assert isinstance(error, RetryableError)
    assert not error.rate_limited


def test_a_call_that_may_have_cost_something_is_told_before_another_is_made() -> None:
    hanging, other = Fake("hanging", RetryableError("no reply", charged=True)), Fake("other")

    async def use(pool: Pool) -> RetryableError:
        with pytest.raises(RetryableError) as caught:
            await pool.reply(ask())
        return caught.value

    error = in_it(pool(hanging, other, weights=[1e9, 1]), use)
    assert (error.charged, other.asked) == (True, 0)


def test_a_refusal_is_about_the_request_and_asks_nobody_else() -> None:
    refusing, other = Fake("refusing", RequestError("too long")), Fake("other")
    error = failing(pool(refusing, other, weights=[1e9, 1]))
    assert (str(error), other.asked) == ("too long", 0)


def test_a_member_with_a_wrong_key_is_left_out_with_a_warning_while_others_live(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = Fake("wrong", FatalError("a.example answers 401: no such key"))
    with caplog.at_level(logging.WARNING):
        assert set(told(pool(wrong, Fake("right")), 30)) == {"right"}
    assert wrong.asked == 1
    [record] = caplog.records
    assert record.getMessage() == (
        "members.0 of the pool is left out, the run goes on with 1 of 2: a.example answers 401: no such key"
    )


def test_where_no_member_is_left_the_run_stops_and_all_reasons_are_told() -> None:
    error = failing(pool(Fake("a", FatalError("no key")), Fake("b", FatalError("no model"))))
    assert isinstance(error, FatalError)
    assert sorted(str(error).split("; ")) == ["members.0: no key", "members.1: no model"]


# Calls at once


def test_a_member_gets_no_more_calls_at_once_than_it_may_and_the_others_take_the_rest() -> None:
    small, large = Fake("small"), Fake("large")
    small.seconds = large.seconds = 0.02

    async def use(pool: Pool) -> None:
        await asyncio.gather(*(pool.reply(ask(number)) for number in range(60)))

    in_it(pool(small, large, weights=[1e9, 1], most=[3, None]), use)
    assert (small.most_at_once, small.asked, large.asked) == (3, 3, 57)


def test_where_all_have_all_that_they_may_calls_wait() -> None:
    fakes = [Fake("a"), Fake("b")]
    for fake in fakes:
        fake.seconds = 0.01

    async def use(pool: Pool) -> None:
        await asyncio.gather(*(pool.reply(ask(number)) for number in range(40)))

    in_it(pool(*fakes, most=[2, 3]), use)
    assert [fake.most_at_once for fake in fakes] == [2, 3]
    assert sum(fake.asked for fake in fakes) == 40


def test_a_call_that_is_cancelled_gives_its_place_back() -> None:
    fake = Fake("a")
    fake.seconds = 60

    async def use(pool: Pool) -> str:
        calls = [asyncio.create_task(pool.reply(ask(number))) for number in range(3)]
        await asyncio.sleep(0.01)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        fake.seconds = 0
        return (await pool.reply(ask())).text

    assert in_it(pool(fake, most=[1]), use) == "a"


# Prices, identity, members


def test_a_ceiling_is_by_the_dearest_and_a_reply_by_the_one_that_answered() -> None:
    cheap = Fake("cheap", prices=Prices(input=Decimal(1), output=Decimal(9), cached_input=Decimal("0.5")))
    dear = Fake("dear", prices=Prices(input=Decimal(3), output=Decimal(4), reasoning=Decimal(20)))
    both = pool(cheap, dear)
    assert both.prices == Prices(
        input=Decimal(3), output=Decimal(9), cached_input=Decimal(3), reasoning=Decimal(20)
    )

    async def use(pool: Pool) -> dict[str, float | None]:
        return {reply.text: reply.cost_usd for reply in [await pool.reply(ask(i)) for i in range(20)]}

    # 1000 in and 100 out: (1000 x 1 + 100 x 9) / 1e6 and (1000 x 3 + 100 x 4) / 1e6.
    assert in_it(both, use) == {"cheap": 0.0019, "dear": 0.0034}


def test_a_price_that_one_member_does_not_tell_is_unknown_for_all() -> None:
    known, unknown = Fake("known", prices=Prices(input=Decimal(1), output=Decimal(1))), Fake("unknown")
    assert pool(known, unknown).prices is None

    async def use(pool: Pool) -> set[float | None]:
        return {(await pool.reply(ask(number))).cost_usd for number in range(20)}

    assert in_it(pool(known, unknown), use) == {None, 0.0011}


def test_a_cost_that_the_reply_tells_is_kept_and_what_one_member_still_takes_is_not() -> None:
    fake = Fake("a", prices=Prices(input=Decimal(1), output=Decimal(1)))
    fake.reply_with = replace(fake.reply_with, cost_usd=0.5, limits=RateLimits(requests_left=0))

    async def use(pool: Pool) -> Reply:
        return await pool.reply(ask())

    reply = in_it(pool(fake), use)
    assert (reply.cost_usd, reply.limits) == (0.5, None)


def section(**changed: Any) -> dict[str, Any]:
    return {"use": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", **changed}


def made(*members: Any, **options: Any) -> Pool:
    found: Pool = make("teacher", "pool", {"members": list(members), **options})
    return found


def test_the_journal_knows_a_pool_by_its_models_wherever_they_are() -> None:
    two = made(section(), section(model="n"))
    assert two.identity == {
        "base_url": "pool",
        "members": [{"extra_body": {}, "model": "m"}, {"extra_body": {}, "model": "n"}],
    }
    moved = made(section(model="n", base_url="https://a.example/v1"), section(), section(), known_as="pool")
    assert moved.identity == two.identity
    assert made(section(), known_as="mine").identity["base_url"] == "mine"
    assert made(section(extra_body={"top_k": 1})).identity != made(section()).identity
    assert made({"use": "rules"}).identity != made({"use": "rules", "error_rate": 0.5}).identity


def test_members_are_sections_with_two_keys_more() -> None:
    both = made(section(weight=3, max_concurrency=8), {"use": "rules"})
    assert [(one.use, one.weight, one.max_concurrency) for one in both.members] == [
        ("openai", 3.0, 8),
        ("rules", 1.0, None),
    ]
    assert both.members[0].teacher.model == "m"


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (section(modell="m"), r"members\.1: teacher 'openai': unknown option 'modell', did you mean 'model'"),
        ({"use": "opnai"}, r"members\.1: there is no teacher 'opnai'; did you mean 'openai'"),
        ({"model": "m"}, r"members\.1: a section with `use` is wanted"),
        ("openai", r"members\.1: a section with `use` is wanted"),
        (section(weight=0), r"members\.1: option 'weight' = 0: Input should be greater than 0"),
        (section(max_concurrency="many"), r"members\.1: option 'max_concurrency' = 'many'"),
    ],
)
def test_what_is_wrong_with_a_member_is_told_with_its_place(member: Any, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        made({"use": "rules"}, member)


def test_a_pool_without_members_is_refused() -> None:
    with pytest.raises(PluginError, match="at least one is wanted"):
        made()


def test_a_secret_in_a_section_stands_in_no_message() -> None:
    with pytest.raises(PluginError) as caught:
        made(section(api_key="sk-marker-77"), section(model=5))
    assert "sk-marker-77" not in str(caught.value)


def test_what_is_wrong_with_any_member_is_told_before_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEY_A", "KEY_B"):
        monkeypatch.delenv(name, raising=False)
    away = "https://a.example/v1"
    with pytest.raises(FatalError, match=r"members\.0: .* KEY_A is not set.*members\.2: .* KEY_B is not set"):
        made(
            section(base_url=away, key_env="KEY_A"), section(), section(base_url=away, key_env="KEY_B")
        ).check()
    assert made(section(), {"use": "rules"}).check() == (
        "2 members: m at http://127.0.0.1:9/v1, without a key; rules"
    )


def test_members_are_opened_and_closed_with_the_pool() -> None:
    fakes = [Fake("a"), Fake("b")]

    async def use(pool: Pool) -> list[int]:
        return [fake.open for fake in fakes]

    assert in_it(pool(*fakes), use) == [1, 1]
    assert [fake.open for fake in fakes] == [0, 0]


class Sleeping(Fake):
    """Lives on this machine."""

    def __init__(self, shares_device: bool) -> None:
        super().__init__("asleep")
        self.takes_turns = True
        self.shares_device = shares_device
        self.did: list[Any] = []

    async def wake(self, logs: Path | None) -> None:
        self.did.append(("wake", logs))

    async def sleep(self) -> None:
        self.did.append("sleep")

    async def stop(self) -> None:
        self.did.append("stop")
        raise FatalError("it does not stop")


def test_members_on_this_machine_take_turns_with_the_student(tmp_path: Path) -> None:
    fakes = [Sleeping(False), Sleeping(True)]
    both = pool(Fake("away"), *fakes)
    assert isinstance(both, Sleeper)
    assert both.shares_device
    assert not pool(Fake("away"), fakes[0]).shares_device
    assert both.takes_turns
    assert not pool(Fake("away")).takes_turns

    async def turn() -> None:
        await both.wake(tmp_path)
        await both.sleep()
        await both.stop()

    with pytest.raises(FatalError, match="it does not stop"):
        asyncio.run(turn())
    assert [fake.did for fake in fakes] == [
        [("wake", tmp_path / f"member-{number}"), "sleep", "stop"] for number in (1, 2)
    ]


# With the engine


def test_a_run_goes_on_where_an_endpoint_goes_away_and_asks_nothing_twice(tmp_path: Path) -> None:
    class Echo:
        def __init__(self, lives: int) -> None:
            self.lives = lives
            self.seen: list[str] = []

        async def reply(self, request: Request) -> Reply:
            self.lives -= 1
            if self.lives < 0:
                raise ConnectionResetError
            self.seen.append(request.messages[-1].content)
            return Reply(text=self.seen[-1], finish="stop", input_tokens=2, output_tokens=2)

    dying, lasting = Echo(lives=10), Echo(lives=10_000)

    def script(number: int) -> Script[str]:
        [reply] = yield [ask(number)]
        return reply.text

    def job(number: int) -> Job[str]:
        ceiling = Ceiling(requests=1, input_tokens=200, output_tokens=200)
        return Job(number=number, script=lambda: script(number), ceiling=ceiling)

    outcomes: list[Outcome[str]] = []

    def keep(outcome: Outcome[str]) -> bool:
        outcomes.append(outcome)
        return True

    async def go() -> None:
        async with serving(dying, model="m") as one, serving(lasting, model="m") as two:
            both = made(section(base_url=one), section(base_url=two))
            with Journal(tmp_path / "j") as journal:
                async with Engine(journal, {"teacher": Endpoint.of(both, backoff=0.01)}) as engine:
                    jobs = [job(number) for number in range(60)]
                    await engine.drive(jobs, round=1, step="write", on_result=keep)

    asyncio.run(go())
    assert [outcome.result for outcome in outcomes] == [f"p{number}" for number in range(60)]
    assert len(dying.seen) == 10
    assert sorted(dying.seen + lasting.seen) == sorted(f"p{number}" for number in range(60))
