"""An endpoint that goes away is waited for; one that stays away stops the run with a sentence."""

import math

import pytest

from asft.errors import GaveUpError
from tests.engine.simulated import Server, constant, demand


@pytest.mark.parametrize("concurrency", [1, 4, 64, "auto"])
def test_an_endpoint_that_was_never_there_stops_the_run_within_10_seconds(concurrency: int | str) -> None:
    server = Server(down=lambda at: True)
    with pytest.raises(GaveUpError, match=r"teacher does not answer: connection refused\. See that it runs"):
        demand(server, 600.0, concurrency=concurrency)
    assert 5.0 < max(server.asked) <= 10.0
    # It is not hammered: a few calls at first, then one at a time.
    assert len(server.asked) <= 64 + 40


def test_an_endpoint_that_comes_up_a_few_seconds_late_is_waited_for() -> None:
    server = Server(down=lambda at: at < 5.0)
    demand(server, 20.0, concurrency=4)
    assert len(server.answered) > 50


@pytest.mark.parametrize("concurrency", [1, 16, 64, "auto"])
def test_an_endpoint_that_goes_away_is_waited_for_with_one_call_at_a_time(concurrency: int | str) -> None:
    server = Server(down=lambda at: 30.0 <= at < 90.0, places=64)
    asking = demand(server, 120.0, concurrency=concurrency)
    meanwhile = [at for at in server.asked if 32.0 <= at < 90.0]
    assert 4 <= len(meanwhile) <= 20
    # Asked again within 10 s of its return, and as before soon after.
    assert min(at for at in server.answered if at > 90.0) < 102.0
    assert server.goodput(105, 115) >= 0.7 * server.goodput(15, 25)
    assert any("waited for" in told and "connection refused" in told for told in asking.told[70:170])


def test_an_endpoint_that_stays_away_stops_the_run_when_patience_is_over() -> None:
    server = Server(down=lambda at: at >= 30.0)
    with pytest.raises(GaveUpError, match=r"went away, and was not back within 60 s: .*same command again"):
        demand(server, 600.0, concurrency=16, patience=60.0)
    assert 85.0 <= max(server.asked) <= 95.0


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_faults_now_and_then_do_not_look_like_an_endpoint_that_is_gone(share: float) -> None:
    server = Server(faults=share)
    asking = demand(server, 60.0, concurrency=64, tries=20)
    assert not any("no answer" in told for told in asking.told)
    free = Server()
    demand(free, 60.0, concurrency=64)
    assert server.goodput(0, 60) >= 0.95 * (1 - share) * free.goodput(0, 60)


def test_an_endpoint_that_accepts_and_never_answers_stops_the_run() -> None:
    server = Server(constant(math.inf))
    with pytest.raises(GaveUpError, match="does not answer: no reply within 5 s"):
        demand(server, 600.0, concurrency=8, timeout=5.0)
    assert max(server.asked) <= 15.0
