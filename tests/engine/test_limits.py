"""As many calls and as fast as an endpoint bears: simulated, so that every figure is the same each time."""

import math
import random

import pytest

from asft.engine.limit import FIRST, SAMPLES, Found
from asft.engine.pace import Pace, Sent
from asft.testing.rate import Rate
from asft.types import RateLimits
from tests.engine.simulated import Latency, Server, constant, demand, lognormal

# How many at once


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_a_number_in_the_recipe_is_obeyed_exactly(at_once: int) -> None:
    server = Server()
    asking = demand(server, 20.0, concurrency=at_once)
    assert server.most_at_once == at_once
    assert set(asking.at_once) == {at_once}


def test_a_number_that_is_found_doubles_with_every_round_of_replies() -> None:
    server = Server(constant(1.0))
    asking = demand(server, 6.4, concurrency="auto")
    # 4, 8, 16, 32, 64, 128, 256: a round takes a second. Those that come back together free the places of
    # others that are not asked for yet, which costs a little.
    assert asking.at_once[0] == FIRST
    assert 0.75 * FIRST * 2**6 <= asking.at_once[-1] <= FIRST * 2**6


def test_heavy_tailed_latencies_of_an_endpoint_that_bears_everything_cut_nothing() -> None:
    rng = random.Random(0)
    latency = lognormal()
    limit = Found(120.0)
    at, before = 0.0, FIRST
    for _ in range(200_000):
        at += 0.01
        # As many at once as are allowed, up to 200: levels are met again and again.
        sent = Sent(at - latency(rng), 100, min(limit.at_once, rng.randint(1, 200)))
        limit.answered(at, sent, 100, sent.in_flight)
        assert limit.at_once >= before
        before = limit.at_once
    assert before >= 200


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    limit = Found(120.0)
    for at in range(1000):
        limit.answered(at + 1.0, Sent(at, 100, in_flight=20), 100, 20)
    assert limit.at_once == 40


@pytest.mark.parametrize("latency", [lognormal(), constant(0.2)])
def test_an_endpoint_that_queues_what_is_more_than_40_is_kept_busy_and_its_queue_short(
    latency: Latency,
) -> None:
    best = Server(latency, places=40)
    demand(best, 120.0, concurrency=40)
    server = Server(latency, places=40)
    asking = demand(server, 120.0, concurrency="auto")
    assert server.goodput(0, 120) >= 0.95 * best.goodput(0, 120)
    # It goes up once more when 10 s have passed without a cut, and comes down again.
    assert max(asking.at_once[40:]) <= 3 * 40


def test_a_slow_endpoint_that_does_one_thing_at_a_time_is_not_given_what_it_would_time_out_on() -> None:
    server = Server(lognormal(median=10.0), places=1)
    asking = demand(server, 1200.0, concurrency="auto", timeout=120.0)
    assert max(asking.at_once) <= 16
    assert server.goodput(0, 1200) >= 0.9 / 12
    given_up = len(server.asked) - len(server.answered) - asking.at_once[-1]
    assert given_up <= 0.15 * len(server.asked)


def test_answers_that_get_longer_are_no_overload() -> None:
    limit = Found(120.0)
    at = 0.0
    for n in range(2000):
        at += 0.1
        # Twice as many at once, and at the same time answers of eight times the length.
        long = n >= 1000
        in_flight = 40 if long else 16
        limit.answered(at, Sent(at - (4.0 if long else 0.5), 100, in_flight), 800 if long else 100, in_flight)
    assert limit._above.count == 0 or abs(limit._above.value) < 0.01


def test_calls_that_take_twice_as_long_with_more_at_once_cut_the_limit_once_in_a_round() -> None:
    limit = Found(120.0)
    for at in range(30):
        limit.answered(at + 1.0, Sent(at, 100, in_flight=15), 100, 15)
    before = limit.at_once
    # All of these go out before the first cut.
    for _ in range(3 * SAMPLES):
        limit.answered(103.0, Sent(100.0, 100, in_flight=before), 100, before)
    assert 0.5 * before <= limit.at_once < 0.7 * (before + SAMPLES)


# How fast


PHASES = Rate(((60.0, 50.0), (60.0, 10.0), (math.inf, 100.0)))
CHANGES = [(20, 60, 50), (80, 120, 10), (140, 240, 100)]


@pytest.mark.parametrize(
    ("latency", "concurrency"), [(lognormal(), "auto"), (constant(0.2), "auto"), (lognormal(), 64)]
)
def test_a_rate_limit_that_nobody_tells_and_that_moves_is_used_and_rarely_run_into(
    latency: Latency, concurrency: str
) -> None:
    server = Server(latency, rate=PHASES)
    demand(server, 240.0, concurrency=concurrency)
    for begin, end, limit in CHANGES:
        assert server.goodput(begin, end) >= 0.9 * limit
    assert server.share_refused < 0.05


def test_a_rate_limit_whose_refusals_come_late_is_used_and_rarely_run_into() -> None:
    server = Server(rate=PHASES, refusal=0.3)
    demand(server, 240.0)
    for begin, end, limit in CHANGES:
        assert server.goodput(begin, end) >= 0.9 * limit
    assert server.share_refused < 0.05


def test_what_an_endpoint_tells_of_its_limits_is_used_instead_of_refusals() -> None:
    server = Server(rate=Rate(((math.inf, 20.0),), burst=10.0, headers=True))
    demand(server, 120.0)
    assert server.goodput(20, 120) >= 0.9 * 20
    assert server.refused == []


def test_calls_that_are_refused_by_chance_hold_up_no_others() -> None:
    server = Server(chance=0.05)
    demand(server, 60.0, concurrency=64)
    free = Server()
    demand(free, 60.0, concurrency=64)
    assert server.goodput(0, 60) >= 0.9 * free.goodput(0, 60)


def test_after_refusals_no_call_goes_out_before_the_time_that_is_asked_for() -> None:
    pace = Pace()
    calls = [Sent(at / 10, 100) for at in range(4)]
    for sent in calls:
        pace.send(sent.at, sent)
    assert [pace.refused(0.5, sent, 30.0) for sent in calls] == [False, False, False, True]
    assert pace.ready_at == 30.5


def test_the_rate_after_refusals_is_a_tenth_below_what_was_taken_in() -> None:
    pace = Pace()
    calls = [Sent(at / 10, 100) for at in range(40)]
    for sent in calls:
        pace.send(sent.at, sent)
    for sent in calls[-4:]:
        pace.refused(4.0, sent, None)
    # 36 in 3.9 seconds.
    assert pace.learnt == pytest.approx(0.9 * 36 / 3.9)


def test_requests_per_minute_are_kept_at_even_distances() -> None:
    server = Server(constant(0.1))
    demand(server, 30.0, requests_per_minute=120)
    apart = [after - before for before, after in zip(server.asked, server.asked[1:], strict=False)]
    # The first may be made up for.
    assert min(apart[1:]) == pytest.approx(0.5)
    assert len(server.asked) == pytest.approx(60, abs=2)


def test_tokens_per_minute_are_kept_and_what_a_call_does_not_use_is_used_by_others() -> None:
    server = Server(constant(2.0))
    # Each call can use 400 tokens, and uses 150: 40 of them are 6000.
    demand(server, 600.0, tokens_per_minute=6000)
    used = [150 * server.goodput(minute * 60, minute * 60 + 60) * 60 for minute in range(1, 10)]
    assert sum(used) / len(used) == pytest.approx(6000, rel=0.05)
    assert max(used) <= 6000 + 2 * 400


def test_where_an_endpoint_tells_that_no_request_is_left_the_next_one_waits_until_there_are() -> None:
    pace = Pace()
    sent = Sent(0.0, 100)
    pace.send(0.0, sent)
    pace.ended(1.0, sent, 100, RateLimits(requests_left=0, requests_reset=20.0))
    assert pace.ready_at == 21.0


def test_tokens_that_are_left_count_by_what_a_call_uses() -> None:
    pace = Pace()
    sent = Sent(0.0, 400)
    pace.send(0.0, sent)
    # 1000 tokens for ten calls, in 20 seconds.
    pace.ended(1.0, sent, 100, RateLimits(tokens_left=1000, tokens_reset=20.0))
    assert pace.rate(1.0) == pytest.approx(0.5)
