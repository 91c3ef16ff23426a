"""What headers say of limits and waits, in the forms in which endpoints say it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from asft.errors import RetryableError
from asft.teachers.openai.headers import rate_limits, retry_after
from asft.types import RateLimits, Reply


def limits(**told: str) -> RateLimits | None:
    return rate_limits(
        [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in told.items()]
    )


def test_requests_and_tokens_are_read_with_the_seconds_until_they_are_there_again() -> None:
    assert limits(
        X_RateLimit_Limit_Requests="60",
        X_RateLimit_Remaining_Requests="59",
        X_RateLimit_Reset_Requests="1s",
        x_ratelimit_remaining_tokens="149984",
        x_ratelimit_reset_tokens="6m0s",
        content_type="application/json",
    ) == RateLimits(requests_left=59, requests_reset=1.0, tokens_left=149984, tokens_reset=360.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("500µs", 0.0005),
        ("7.5", 7.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("", None),
        ("soon", None),
        ("5 minutes", None),
        ("nan", None),
    ],
)
def test_a_reset_is_read_in_every_form(text: str, seconds: float | None) -> None:
    found = limits(x_ratelimit_remaining_requests="1", x_ratelimit_reset_requests=text)
    assert found is not None
    assert found.requests_reset == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%S"])
def test_a_reset_is_read_as_a_date(form: str) -> None:
    date = (datetime.now(UTC) + timedelta(seconds=1000)).strftime(form)
    found = limits(anthropic_ratelimit_tokens_remaining="8000", anthropic_ratelimit_tokens_reset=date)
    assert found is not None
    assert found.tokens_left == 8000
    assert found.tokens_reset is not None
    assert 900 < found.tokens_reset <= 1000
    past = limits(anthropic_ratelimit_requests_reset="2020-01-01T00:00:00Z")
    assert past == RateLimits(requests_reset=0.0)


def test_without_such_headers_nothing_is_known() -> None:
    assert limits() is None
    assert limits(content_type="x", x_ratelimit_remaining_requests="many") is None


def test_a_reply_carries_what_the_endpoint_still_takes(told: Callable[..., Reply]) -> None:
    body = {"choices": [{"message": {"content": "x"}}]}
    headers = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "250ms"}
    assert told(body, headers=headers).limits == RateLimits(requests_left=3, requests_reset=0.25)
    assert told(body).limits is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
        # It is the finer of the two.
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
    ],
)
def test_a_wait_is_read_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_wait_is_read_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    seconds = retry_after({"retry-after": date})
    assert seconds is not None
    assert 900 < seconds <= 1000


def test_an_error_carries_the_wait_and_whether_it_is_a_rate_limit(told: Callable[..., Reply]) -> None:
    for status, limited in ((429, True), (503, False)):
        with pytest.raises(RetryableError) as caught:
            told({"error": {"message": "busy"}}, status, {"Retry-After": "3"})
        assert (caught.value.retry_after, caught.value.rate_limited) == (3.0, limited)
