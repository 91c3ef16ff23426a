"""`openai`: a teacher behind any endpoint that speaks OpenAI's chat completions.

One call, no retries: the engine decides what is tried again. What the client raises becomes an error of
ours with one sentence on what to do, and the key is in none of them.
"""

import asyncio
import difflib
import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from asft.budget import ActiveParams, Prices
from asft.errors import FatalError, RequestError
from asft.registry import plugin
from asft.teachers.openai import variables
from asft.teachers.openai.failures import Failures
from asft.teachers.openai.headers import rate_limits
from asft.teachers.openai.reading import UnreadableError, models_of, read
from asft.types import Reply, Request

if TYPE_CHECKING:
    from openai import AsyncOpenAI

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
REACH_SECONDS = 5.0
"""An endpoint that is slower with its list of models is left in peace."""
OPENAIS = "api.openai.com"
"""The host that sets the form; others follow it from afar."""
_SECRET = re.compile(r"auth|cookie|key|password|secret|token", re.IGNORECASE)
"""Names of headers that hold secrets."""
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


@plugin
class OpenAI:
    """A teacher or judge behind an OpenAI-compatible endpoint."""

    model: str
    base_url: str = "https://api.openai.com/v1"
    key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable with the key; an endpoint on this machine needs none."""
    organization: str | None = None
    """Who is billed, where the key belongs to several; None at OpenAI's own address: OPENAI_ORG_ID."""
    project: str | None = None
    """Likewise; None at OpenAI's own address: OPENAI_PROJECT_ID."""
    known_as: str | None = None
    """What the journal knows the endpoint by; None: its base_url, or "local" where it is this machine."""
    prices: Prices | None = None
    """US dollars per million tokens; None: unknown."""
    active_params: ActiveParams | None = None
    """Parameters that are active for a token, such as 7.6e9, for FLOPs and budgets of them; None: unknown."""
    terms: str = ""
    """What its provider's terms or the model's licence say of training with its output, in your words."""
    timeout: Seconds = 120.0
    """Seconds for a whole call."""
    connect_timeout: Seconds = 10.0
    """Seconds until a connection is made."""
    first_byte_timeout: Seconds | None = None
    """Seconds until an answer begins, and between any two parts of it; None: as for a whole call."""
    proxy: str | None = None
    """Address of a proxy, a secret in it as ${NAME}; None: what HTTPS_PROXY and the like say."""
    limit_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    """What the endpoint calls the limit on output tokens; auto: as OpenAI does at its own address, and
    max_tokens at all others."""
    leave_out: tuple[Literal["temperature", "top_p", "seed"], ...] = ()
    """What is not sent, for models that refuse it. A seed is made from the run's seed, draw and index."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of every request, as the endpoint names them."""
    extra_headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Further headers of every request. A secret is written as ${NAME}, and read from the environment."""

    def __post_init__(self) -> None:
        """Refuse what is no address, and secrets: a recipe is copied into the run directory as it is."""
        url = self._url
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"base_url {self.base_url!r} is no address; give it like https://host/v1")
        if url.username or url.password or url.query:
            raise ValueError(
                "base_url holds a user, a password or a query, which every file of the run would repeat; "
                "give it like https://host/v1, and name the variable with the key as key_env"
            )
        if not variables.NAME.fullmatch(self.key_env):
            raise ValueError(
                "key_env is the name of an environment variable (letters, digits and _), and never a key; "
                "export the key under a name such as OPENAI_API_KEY, and give that"
            )
        for name, value in self.extra_headers.items():
            if _SECRET.search(name) and not variables.names(value):
                raise ValueError(
                    f"extra_headers.{name} would put a secret into the files of the run; "
                    "write it as ${NAME}, and export NAME=..."
                )
        if self.proxy is not None and not variables.names(self.proxy):
            proxy = urlsplit(self.proxy)
            if proxy.username or proxy.password:
                raise ValueError(
                    "proxy holds a user or a password, which the files of the run would repeat; write it as "
                    "${NAME}, and export NAME=..., or set HTTPS_PROXY in the environment"
                )
            _check_proxy(self.proxy)
        taken = sorted(OURS & set(self.extra_body))
        if taken:
            raise ValueError(f"extra_body must not hold {', '.join(taken)}: the recipe says that elsewhere")

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the journal knows it by."""
        address = self.known_as or ("local" if self._is_local else self.base_url.rstrip("/"))
        known = {"base_url": address, "model": self.model, "extra_body": self.extra_body}
        return {**known, "leave_out": sorted(self.leave_out)} if self.leave_out else known

    def check(self) -> str:
        """Whom it asks, and where the key is from; no call is made.

        Raises FatalError where the key that it needs is not in the environment, or cannot be one.
        """
        self._key()
        self._headers()
        self._proxy()
        key = f"with the key in {self.key_env}" if variables.held_by(self.key_env) else "without a key"
        proxy = f", through the proxy {self._proxy_host()}" if self.proxy is not None else ""
        return f"{self.model} at {self.base_url}, {key}{proxy}"

    async def reach(self) -> list[str]:
        """Ask for the list of models, which costs nothing; what may not be meant, a sentence each.

        A gateway knows models that it does not list. So one that is not on the list is asked for nothing at
        all, which is refused: as not found where it does not exist. Raises FatalError then, and where nothing
        answers or the key is refused: no call can succeed.
        """
        import httpx2
        import openai

        async with self:
            client, failures = self._clients[-1]
            doubt = ""
            try:
                async with asyncio.timeout(REACH_SECONDS):
                    answer = await client.get("/models", cast_to=httpx2.Response)
                    doubt = self._unlisted(models_of(answer.content))
                    if doubt:
                        nothing = {"model": self.model, "messages": [], self.limit_field: 1}
                        await client.post("/chat/completions", cast_to=httpx2.Response, body=nothing)
            except openai.APIStatusError as error:
                if error.status_code == 401:
                    raise failures.refused(error) from None
                if doubt and error.status_code == 404:
                    raise FatalError(f"{failures.refused(error)}; {doubt}") from None
                # It has no such list, or keeps it from this key; that says nothing about calls.
            except (openai.APITimeoutError, TimeoutError):
                pass  # Nor does a slow answer to this.
            except openai.APIConnectionError as error:
                raise FatalError(str(failures.unreachable(error))) from None
            return [doubt] if doubt else []

    def _unlisted(self, names: Sequence[str]) -> str:
        """What to say where a list of models lacks this one; empty where it does not."""
        if not names or self.model in names:
            return ""
        close = difflib.get_close_matches(self.model, names, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}?" if close else f"it lists {', '.join(names[:3])}"
        return f"{self.base_url} lists no model {self.model!r}; {hint}"

    async def __aenter__(self) -> "OpenAI":
        """Open one client for all calls until the end."""
        self._clients.append((self._client(), self._failures()))
        return self

    async def __aexit__(self, *error: object) -> None:
        client, _ = self._clients.pop()
        await client.close()

    async def reply(self, request: Request) -> Reply:
        """One call. Raises RequestError, RetryableError or FatalError."""
        if not self._clients:
            async with self:
                return await self.reply(request)
        import httpx2
        import openai

        for message in request.messages:
            _check_text(message.content)
        client, failures = self._clients[-1]
        try:
            async with asyncio.timeout(self.timeout):
                # Not through `chat.completions`, whose models take as much time as the rest of the call.
                answer = await client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=self._body(request)
                )
            reply = read(request, answer.content)
        except TimeoutError:
            raise failures.late() from None
        except openai.APIStatusError as error:
            raise failures.refused(error) from None
        except openai.APIConnectionError as error:
            raise failures.unreachable(error) from None
        except UnreadableError as error:
            raise failures.unreadable(error) from None
        except (openai.OpenAIError, ValueError) as error:
            raise failures.unreadable(UnreadableError(str(error))) from None
        cost = None if self.prices is None else self.prices.of(reply)
        return replace(reply, cost_usd=cost, limits=rate_limits(answer.headers.raw))

    @cached_property
    def _url(self) -> SplitResult:
        return urlsplit(self.base_url)

    @cached_property
    def _is_local(self) -> bool:
        host = self._url.hostname or ""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host == "localhost"
        return address.is_loopback or address.is_unspecified

    @cached_property
    def _clients(self) -> "list[tuple[AsyncOpenAI, Failures]]":
        return []

    def _client(self) -> "AsyncOpenAI":
        import httpx2
        import openai

        from asft.teachers.openai.client import http_client

        timeout = httpx2.Timeout(
            self.timeout,
            connect=self.connect_timeout,
            read=self.first_byte_timeout or self.timeout,
        )
        client = openai.AsyncOpenAI(
            api_key=self._key(),
            base_url=self.base_url,
            organization=self.organization,
            project=self.project,
            max_retries=0,
            timeout=timeout,
            default_headers=self._headers(),
            http_client=http_client(
                timeout, scheme=self._url.scheme, proxy=self._proxy(), local=self._is_local
            ),
        )
        if self._url.hostname != OPENAIS:
            # The client takes them from the environment, where they are for OpenAI alone.
            client.organization, client.project = self.organization, self.project
        return client

    def _key(self) -> str:
        key = variables.held_by(self.key_env)
        if not key and self._is_local:
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
        return {name: variables.filled(value, "extra_headers") for name, value in self.extra_headers.items()}

    def _proxy(self) -> str | None:
        if self.proxy is None:
            return None
        proxy = variables.filled(self.proxy, "proxy")
        try:
            _check_proxy(proxy)
        except ValueError:
            raise FatalError(
                f"proxy = {self.proxy!r} is no address with what the environment holds; make it one like "
                "http://user:password@host:8080"
            ) from None
        return proxy

    def _proxy_host(self) -> str:
        """Without user and password."""
        proxy = urlsplit(self._proxy() or "")
        return f"{proxy.hostname}:{proxy.port}" if proxy.port else proxy.hostname or ""

    def _failures(self) -> Failures:
        told = [self.proxy or "", *self.extra_headers.values()]
        secrets = [variables.held_by(self.key_env), *variables.passwords_of_proxies()]
        secrets += [variables.held_by(name) for text in told for name in variables.names(text)]
        # "1" and "true" are no secrets, and stand in many a sentence.
        secrets += [value for value in self.extra_headers.values() if len(value) > 4]
        return Failures(
            base_url=self.base_url,
            model=self.model,
            key_env=self.key_env,
            proxy=self._proxy_host(),
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            first_byte_timeout=self.first_byte_timeout or self.timeout,
            secrets=tuple(filter(None, [*secrets, urlsplit(self._proxy() or "").password])),
        )

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._limit_field: sampling.max_tokens,
            "seed": seed_of(request),
        }
        for field in self.leave_out:
            body.pop(field, None)
        return {**body, **self.extra_body}

    @property
    def _limit_field(self) -> str:
        if self.limit_field == "auto":
            return "max_completion_tokens" if self._url.hostname == OPENAIS else "max_tokens"
        return self.limit_field


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


def _check_proxy(address: str) -> None:
    """Raises ValueError for what is no address of a proxy."""
    proxy = urlsplit(address)
    if proxy.scheme not in _PROXY_SCHEMES or not proxy.hostname:
        raise ValueError(f"proxy {address!r} is no address; give it like http://host:8080")
