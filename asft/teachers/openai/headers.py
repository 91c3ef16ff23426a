"""What the headers of an answer say: how much the endpoint still takes, and how long it asks to wait."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from asft.types import RateLimits

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
_FIELDS = {
    "requests_left": ("x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining"),
    "requests_reset": ("x-ratelimit-reset-requests", "anthropic-ratelimit-requests-reset"),
    "tokens_left": ("x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining"),
    "tokens_reset": ("x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"),
}


def rate_limits(raw: Sequence[tuple[bytes, bytes]]) -> RateLimits | None:
    """What the endpoint says that it still takes; None where it says nothing that can be read."""
    told = {
        name.lower().decode("latin-1"): value.decode("latin-1")
        for name, value in raw
        if b"ratelimit" in name.lower()
    }
    if not told:
        return None
    values = {
        field: next((told[name] for name in names if name in told), "") for field, names in _FIELDS.items()
    }
    limits = RateLimits(
        requests_left=_whole(values["requests_left"]),
        requests_reset=_duration(values["requests_reset"]),
        tokens_left=_whole(values["tokens_left"]),
        tokens_reset=_duration(values["tokens_reset"]),
    )
    return None if limits == RateLimits() else limits


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the endpoint asks to wait, in whichever way it says it; None where it does not."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    told = headers.get("retry-after", "")
    seconds = _number(told)
    if seconds is None:
        try:
            seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds)


def _duration(text: str) -> float | None:
    """Seconds: "6m0s", "20ms", "1.5", or the time until a date."""
    seconds = _number(text)
    if seconds is None and text:
        parts = _PART.findall(text)
        if "".join(number + unit for number, unit in parts) == text:
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds is None:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(text: str) -> int | None:
    number = _number(text)
    return None if number is None else max(0, int(number))
