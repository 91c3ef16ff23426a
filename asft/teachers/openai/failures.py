"""What goes wrong: a sentence that says what to do, in an error that says whether to try again."""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asft.errors import FatalError, RequestError, RetryableError, TeacherError
from asft.teachers.openai.headers import retry_after
from asft.teachers.openai.reading import UnreadableError, message_of
from asft.teachers.openai.variables import hidden

if TYPE_CHECKING:
    from openai import APIStatusError

_QUOTED = r"['\"`]{}['\"`]"
_REFUSED = re.compile(
    r"not (?:be )?(?:support|permit|allow)|unsupported|unrecogni[sz]ed|unknown|deprecated", re.I
)
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_OPTIONAL = ("temperature", "top_p", "seed")


@dataclass(frozen=True, kw_only=True)
class Failures:
    """The failures of one endpoint."""

    base_url: str
    model: str
    key_env: str
    proxy: str
    """Its host; empty where the recipe names none."""
    timeout: float
    connect_timeout: float
    first_byte_timeout: float
    """All in seconds."""
    secrets: tuple[str, ...]
    """What no sentence may hold."""

    def late(self) -> RetryableError:
        """The whole call took too long."""
        return RetryableError(f"{self.base_url}: no reply within {self.timeout:g} s", charged=True)

    def refused(self, error: "APIStatusError") -> TeacherError | RequestError:
        """An answer that is an error."""
        body, response = error.body, error.response
        # The client has taken the error out of the body, where there is one.
        said = message_of(body) or response.text or response.reason_phrase
        after = retry_after(response.headers)
        return self._told(error.status_code, said, body if isinstance(body, dict) else {}, after)

    def unreadable(self, error: UnreadableError) -> TeacherError | RequestError:
        """An answer with status 200 that holds no reply, but perhaps an error."""
        if error.status is not None and 400 <= error.status < 600:
            return self._told(error.status, str(error), {}, None)
        # It was made, and may have been charged.
        return RetryableError(
            f"{self.base_url} gives a reply that is none: {self._hidden(error)}", charged=True
        )

    def unreachable(self, error: Exception) -> TeacherError:
        """No connection, or one that broke off."""
        import httpx2

        cause = error.__cause__ or error
        if isinstance(cause, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            # Nothing was asked, so nothing is charged.
            return RetryableError(
                f"{self.base_url}: no connection within {self.connect_timeout:g} s. Check its host and "
                "port, and that no firewall stands between"
            )
        if isinstance(cause, httpx2.TimeoutException):
            seconds = self.first_byte_timeout
            return RetryableError(f"{self.base_url}: no reply within {seconds:g} s", charged=True)
        if isinstance(cause, httpx2.ProxyError):
            proxy = self.proxy or "of the environment"
            return RetryableError(
                f"{self.base_url}: the proxy {proxy} refuses the way there ({self._hidden(cause)}). Check "
                "the proxy, and its user and password"
            )
        if isinstance(cause, httpx2.ConnectError):
            return self._unconnected(list(_causes(cause)))
        why = self._hidden(cause) or type(cause).__name__
        told = f"{self.base_url} breaks off ({why})"
        if isinstance(cause, httpx2.RemoteProtocolError) and self.base_url.startswith("http:"):
            told += "; where it speaks TLS, base_url begins with https://"
        return RetryableError(told)

    def _unconnected(self, causes: list[BaseException]) -> TeacherError:
        url = urlsplit(self.base_url)
        where = self.proxy and f" through the proxy {self.proxy}"
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return FatalError(
                    f"{self.base_url} cannot be reached: its certificate is not trusted "
                    f"({cause.verify_message}). Check the host in base_url; a certificate authority of your "
                    "own goes into the file that SSL_CERT_FILE names"
                )
            if isinstance(cause, ssl.SSLError):
                return FatalError(
                    f"{self.base_url} cannot be reached: what listens there speaks no TLS. Write base_url "
                    "with http://, or give the port that speaks TLS"
                )
            if isinstance(cause, socket.gaierror):
                return RetryableError(
                    f"{self.base_url} cannot be reached{where}: the name of the host is not known. Check how "
                    f"{self.proxy or url.hostname!r} is written, and the network"
                )
            if isinstance(cause, ConnectionRefusedError):
                return RetryableError(
                    f"{self.base_url} cannot be reached{where}: nothing listens there. Check that the server "
                    "runs, and the port"
                )
        why = self._hidden(causes[-1]) or type(causes[-1]).__name__
        return RetryableError(
            f"{self.base_url} cannot be reached{where} ({why}). Check base_url, and the network"
        )

    def _told(
        self, status: int, said: str, error: Mapping[str, Any], after: float | None
    ) -> TeacherError | RequestError:
        told = f"{self.base_url} answers {status}: {self._hidden(said)}"
        if status in (400, 413, 422):
            mend = _mend(said, error)
            return FatalError(f"{told}. In its section of the recipe, {mend}") if mend else RequestError(told)
        if error.get("code") == "insufficient_quota" or status == 402:
            return FatalError(f"{told}. The account has no credit left; add some, and run again to continue")
        if status in (408, 409, 429) or status >= 500:
            return RetryableError(told, retry_after=after, rate_limited=status == 429)
        if status in (401, 403):
            return FatalError(f"{told}. Set {self.key_env} to a key that may use {self.model!r}")
        if status == 404:
            return FatalError(f"{told}. Check model {self.model!r}, and base_url, which often ends in /v1")
        return FatalError(f"{told}. Check base_url")

    def _hidden(self, said: object) -> str:
        return hidden(str(said), self.secrets)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _mend(said: str, error: Mapping[str, Any]) -> str:
    """The key of the recipe that takes away what the endpoint does not take; empty where none does."""
    for field in (*_LIMITS, *_OPTIONAL):
        if not _refuses(field, said, error):
            continue
        if field in _LIMITS:
            return f"set `limit_field: {_LIMITS[field]}`"
        return f"set `leave_out: [{field}]`"
    return ""


def _refuses(field: str, said: str, error: Mapping[str, Any]) -> bool:
    """Whether an error is about a field that every request has, and so about the settings."""
    if error.get("param") == field and error.get("code") in ("unsupported_parameter", "unsupported_value"):
        return True
    named = re.search(_QUOTED.format(field), said)
    if named is not None:
        # The name stands beside the verdict, and not somewhere in a prompt that is told again.
        return bool(_REFUSED.search(said[max(0, named.start() - 40) : named.end() + 40]))
    detail = error.get("detail")
    return isinstance(detail, list) and any(
        isinstance(one, dict)
        and one.get("type") == "extra_forbidden"
        and isinstance(one.get("loc"), list)
        and one["loc"][-1:] == [field]
        for one in detail
    )
