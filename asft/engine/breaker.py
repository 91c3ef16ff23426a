"""Notices that an endpoint has gone away, waits for it with few calls, and gives it up in the end.

Calls fail now and then, and one request can fail for ever: neither means that the endpoint is gone. It is
gone where calls of several requests fail one after the other with no answer between. Then one call at a
time asks whether it is back. No clock in here: whoever uses it says when.
"""

import math

AT_START = 8.0
"""Seconds that an endpoint which has never answered is waited for: it is rather misnamed than away."""
IN_A_ROW = 5
"""Failures with no answer between, over a second or more, after which it is gone."""
AT_ONCE = 20
"""Failures with no answer between after which it is gone at once."""
FIRST_PROBE = 0.5
"""Seconds until it is asked whether it is back; each time half as long again."""
LAST_PROBE = 10.0


class Breaker:
    """Closed while the endpoint answers, open while it is gone."""

    def __init__(self, patience: float) -> None:
        """`patience`: the seconds that it is waited for after it has answered once."""
        self._patience = patience
        self._has_answered = False
        self._first_sent = math.inf
        self._failures = 0
        self._who: set[int] = set()
        self._since = math.inf
        self._until_probe = FIRST_PROBE
        self.is_open = False
        self.probe_at = math.inf
        """When the next call may ask whether it is back, while it is open."""
        self.error = ""
        """The latest failure."""

    def sent(self, now: float) -> None:
        """A call goes out."""
        self._first_sent = min(self._first_sent, now)
        if self.is_open:
            # The next one goes when this one has failed.
            self.probe_at = math.inf

    def answered(self) -> None:
        """A call was answered, whatever the answer."""
        self._has_answered = True
        self._failures, self._since, self._until_probe = 0, math.inf, FIRST_PROBE
        self._who.clear()
        self.is_open = False

    def failed(self, now: float, who: int, asked: float | None, error: str) -> None:
        """A call for script `who` failed. `asked`: the seconds that the endpoint asks to wait."""
        self._failures += 1
        self._who.add(who)
        self._since = min(self._since, now)
        self.error = error
        if not self.is_open:
            lasts = now - (self._since if self._has_answered else self._first_sent)
            many = self._failures >= AT_ONCE or (self._failures >= IN_A_ROW and lasts >= 1.0)
            self.is_open = many and (len(self._who) > 1 or not self._has_answered)
        elif self.probe_at < math.inf:
            # It went out before it was known that the endpoint is gone.
            return
        if self.is_open:
            at = now + max(self._until_probe, asked or 0.0)
            self.probe_at = min(at, max(now, self.deadline)) if asked is None else at
            self._until_probe = min(LAST_PROBE, 1.5 * self._until_probe)

    @property
    def deadline(self) -> float:
        """When it is given up, if it is not back by then."""
        if self._has_answered:
            return self._since + self._patience
        return self._first_sent + min(AT_START, self._patience)

    def gives_up(self, now: float) -> bool:
        """Whether it was waited for long enough."""
        return self.is_open and now >= self.deadline

    def seconds_gone(self, now: float) -> float:
        """For how long there has been no answer."""
        return now - (self._since if self._has_answered else self._first_sent)

    @property
    def has_answered(self) -> bool:
        """Whether it ever did, in this step."""
        return self._has_answered
