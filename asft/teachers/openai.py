"""`openai`: a teacher behind any endpoint that speaks OpenAI's chat completions.

One call, no retries: the engine decides what is tried again. What the client raises becomes an error of
ours with one sentence on what to do, and the key is in none of them.
"""

import asyncio
import hashlib
import ipaddress
import math
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from asft.budget import Prices, ceiling_of
from asft.errors import FatalError, RequestError, RetryableError, TeacherError
from asft.registry import plugin
from asft.types import Reply, Request

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

Seconds = Annotated[float, Field(gt=0.0)]

OURS = {
    "model",
    "messages",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "seed",
    "n",
    "stream",
}
"""What a recipe says elsewhere, or what replies could not be read with."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(r"auth|cookie|key|password|secret|token", re.IGNORECASE)
"""Names of headers that hold secrets."""
BYTES_PER_TOKEN = 3
"""For estimates: fewer than in English prose, so that a budget is counted rather too high than too low."""


@plugin
class OpenAI:
    """A teacher or judge behind an OpenAI-compatible endpoint."""

    model: str
    base_url: str = "https://api.openai.com/v1"
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable with the key; an endpoint on this machine needs none."""
    known_as: str | None = None
    """What the journal knows the endpoint by; None: its base_url, or "local" where it is this machine."""
    prices: Prices | None = None
    """US dollars per million tokens; None: unknown."""
    timeout: Seconds = 120.0
    """Seconds for a whole call."""
    connect_timeout: Seconds = 10.0
    """Seconds until a connection is made."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the limit on output tokens."""
    send_seed: bool = True
    """Whether a seed is sent, made from the run's seed, draw and index."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of every request, as the endpoint names them."""
    extra_headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Further headers of every request. A secret is written as ${NAME}, and read from the environment."""

    def __post_init__(self) -> None:
        """Refuse what is no address, and secrets: a recipe is copied into the run directory as it is."""
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"base_url {self.base_url!r} is no address; give it like https://host/v1")
        if url.username or url.password or url.query:
            raise ValueError(
                "base_url holds a user, a password or a query, which every file of the run would repeat; "
                "give it like https://host/v1, and name the variable with the key as key_env"
            )
        if not _NAME.fullmatch(self.key_env):
            raise ValueError(
                "key_env is the name of an environment variable (letters, digits and _), and never a key; "
                "export the key under a name such as OPENAI_API_KEY, and give that"
            )
        for name, value in self.extra_headers.items():
            if _SECRET.search(name) and not _VARIABLE.search(value):
                raise ValueError(
                    f"extra_headers.{name} would put a secret into the files of the run; "
                    "write it as ${NAME}, and export NAME=..."
                )
        taken = sorted(OURS & set(self.extra_body))
        if taken:
            raise ValueError(f"extra_body must not hold {', '.join(taken)}: the recipe says that elsewhere")

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the journal knows it by."""
        address = self.known_as or ("local" if _is_local(self.base_url) else self.base_url.rstrip("/"))
        return {"base_url": address, "model": self.model, "extra_body": self.extra_body}

    def check(self) -> str:
        """Whom it asks, and where the key is from; no call is made.

        Raises FatalError where the key that it needs is not in the environment, or cannot be one.
        """
        self._key()
        self._headers()
        held = bool(os.environ.get(self.key_env, "").strip())
        key = f"with the key in {self.key_env}" if held else "without a key"
        return f"{self.model} at {self.base_url}, {key}"

    async def __aenter__(self) -> "OpenAI":
        """Open one client for all calls until the end."""
        self._clients.append(self._client())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._clients.pop().close()

    async def reply(self, request: Request) -> Reply:
        """One call. Raises RequestError, RetryableError or FatalError."""
        if not self._clients:
            async with self:
                return await self.reply(request)
        import openai

        for message in request.messages:
            _check_text(message.content)
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._clients[-1].chat.completions.create(**self._body(request))
        except TimeoutError:
            raise RetryableError(
                f"{self.base_url}: no reply within {self.timeout:g} s", charged=True
            ) from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APIConnectionError as error:
            raise self._unreachable(error) from None
        except (openai.OpenAIError, ValueError) as error:
            raise self._unreadable(str(error)) from None
        return self._read(request, answer)

    @cached_property
    def _clients(self) -> "list[AsyncOpenAI]":
        return []

    def _client(self) -> "AsyncOpenAI":
        import httpx2
        import openai

        return openai.AsyncOpenAI(
            api_key=self._key(),
            base_url=self.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(self.timeout, connect=self.connect_timeout),
            default_headers=self._headers(),
            # A proxy of the environment leads nowhere from this machine to itself.
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not _is_local(self.base_url)),
        )

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip()
        if not key and _is_local(self.base_url):
            return "none"
        if not key:
            raise FatalError(
                f"the environment variable {self.key_env} is not set, and {self.base_url} needs a key; "
                f"export {self.key_env}=..., or name another variable as key_env"
            )
        if not (key.isascii() and key.isprintable()):
            raise FatalError(f"what {self.key_env} holds cannot be a key: it has characters that none has")
        return key

    def _headers(self) -> dict[str, str]:
        return {name: _VARIABLE.sub(self._variable, value) for name, value in self.extra_headers.items()}

    def _variable(self, found: re.Match[str]) -> str:
        value = os.environ.get(found[1], "").strip()
        if not value:
            raise FatalError(
                f"extra_headers name the environment variable {found[1]}, which is not set; "
                f"export {found[1]}=..."
            )
        return value

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self.limit_field: sampling.max_tokens,
            "extra_body": self.extra_body,
        }
        if self.send_seed:
            body["seed"] = seed_of(request)
        return body

    def _read(self, request: Request, answer: Any) -> Reply:
        """Take what is there; endpoints leave out what they like."""
        choices = getattr(answer, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = getattr(choice, "message", None)
        if message is None:
            raise self._unreadable("it holds no message")
        text = getattr(message, "content", None)
        text = text if isinstance(text, str) else ""
        usage = getattr(answer, "usage", None)
        read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        estimated = read is None or written is None
        if read is None:
            asked = sum(len(turn.content.encode("utf-8", "surrogatepass")) for turn in request.messages)
            read = min(math.ceil(asked / BYTES_PER_TOKEN), ceiling_of(request).input_tokens)
        if written is None:
            said = len(text.encode("utf-8", "surrogatepass"))
            written = min(math.ceil(said / BYTES_PER_TOKEN), request.sampling.max_tokens)
        cached = _count(getattr(usage, "prompt_tokens_details", None), "cached_tokens") or 0
        reasoning = _count(getattr(usage, "completion_tokens_details", None), "reasoning_tokens") or 0
        tokens: dict[str, Any] = {
            "input_tokens": read,
            "output_tokens": written,
            "cached_tokens": min(cached, read),
            "reasoning_tokens": min(reasoning, written),
        }
        return Reply(
            text=text,
            # Whatever else ended it (a filter, a tool) has cut the answer off.
            finish="stop" if getattr(choice, "finish_reason", None) in (None, "stop") else "length",
            cost_usd=None if self.prices is None else float(self.prices.cost(**tokens)),
            estimated=estimated,
            **tokens,
        )

    # What goes wrong

    def _refused(self, error: "APIStatusError") -> TeacherError | RequestError:
        status = error.status_code
        told = f"{self.base_url} answers {status}: {self._shown(_message(error))}"
        if status in (400, 413, 422):
            return RequestError(told)
        if error.code == "insufficient_quota" or status == 402:
            return FatalError(f"{told}. The account has no credit left; add some, and run again to continue")
        if status in (408, 409, 429) or status >= 500:
            after = _seconds(error.response.headers)
            return RetryableError(told, retry_after=after, rate_limited=status == 429)
        if status in (401, 403):
            return FatalError(f"{told}. Set {self.key_env} to a key that may use {self.model!r}")
        if status == 404:
            return FatalError(f"{told}. Check model {self.model!r}, and base_url, which often ends in /v1")
        return FatalError(f"{told}. Check base_url")

    def _unreachable(self, error: Exception) -> RetryableError:
        import httpx2

        cause = error.__cause__
        if isinstance(cause, httpx2.TimeoutException):
            # Without a connection nothing was asked, so nothing is charged.
            asked = not isinstance(cause, httpx2.ConnectTimeout | httpx2.PoolTimeout)
            seconds = self.timeout if asked else self.connect_timeout
            what = "no reply" if asked else "no connection"
            return RetryableError(f"{self.base_url}: {what} within {seconds:g} s", charged=asked)
        why = self._shown(str(cause or error)) or type(cause).__name__
        return RetryableError(f"{self.base_url} cannot be reached, or breaks off ({why})")

    def _unreadable(self, why: str) -> RetryableError:
        # It was made, and may have been charged.
        return RetryableError(f"{self.base_url} gives a reply that is none: {self._shown(why)}", charged=True)

    def _shown(self, text: str) -> str:
        """The text on one line, not endless, and without secrets: some endpoints repeat the key."""
        variables = {self.key_env, *_VARIABLE.findall(" ".join(self.extra_headers.values()))}
        secrets = [os.environ.get(name, "").strip() for name in variables]
        secrets += [value for value in self.extra_headers.values() if not _VARIABLE.search(value)]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= 300 else text[:297] + "..."


def seed_of(request: Request) -> int:
    """The seed that is sent: another one for each run, draw and index; 31 bits, as all endpoints take."""
    parts = f"{request.seed} {request.draw} {request.index}"
    return int.from_bytes(hashlib.blake2b(parts.encode(), digest_size=4).digest()) >> 1


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = text[error.start : error.end]
        raise RequestError(f"a message holds {found!r}, which is no text that can be sent") from None


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def _count(usage: Any, name: str) -> int | None:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _message(error: "APIStatusError") -> str:
    """The endpoint's own words."""
    body = error.body
    if isinstance(body, Mapping) and isinstance(body.get("message"), str):
        return str(body["message"])
    return error.response.text or error.response.reason_phrase


def _seconds(headers: Mapping[str, str]) -> float | None:
    """What Retry-After asks for: seconds, or a date."""
    told = headers.get("retry-after", "")
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
