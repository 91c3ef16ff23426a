"""Single calls of an endpoint, as they come: status, headers and body, where a teacher keeps only a reply."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asft.errors import FatalError
from asft.probe.reach import speaks_tls
from asft.teachers.openai import OPENAIS, OpenAI, variables

if TYPE_CHECKING:
    from openai import AsyncOpenAI

PATIENCE = 60.0
"""Seconds for an answer; a server that loads a model first takes long with the first."""
LISTING = 6.0
"""Seconds for the list of models."""
LIMITS = ("max_tokens", "max_completion_tokens")
"""What the limit on output tokens is called."""
TRIES = 3
LONGEST_WAIT = 20.0
"""Seconds that it may ask to wait."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    """0 where nothing came."""
    data: Mapping[str, Any]
    """The body; empty where it is no JSON object."""
    headers: Mapping[str, str]
    seconds: float
    told: str
    """The endpoint's own words on what is wrong; empty where all is well."""

    @property
    def ok(self) -> bool:
        """Whether it holds a message."""
        return self.status == 200 and bool(self.choices)

    @property
    def choices(self) -> list[Mapping[str, Any]]:
        """What it says, once for each sample."""
        found = self.data.get("choices")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @property
    def message(self) -> Mapping[str, Any]:
        """The first."""
        found = self.choices[0].get("message") if self.choices else None
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        """What the first says."""
        found = self.message.get("content")
        return found if isinstance(found, str) else ""

    @property
    def retry_after(self) -> float | None:
        """Seconds that it asks to wait."""
        told = self.headers.get("retry-after", "")
        return float(told) if told.replace(".", "", 1).isdigit() else None

    @property
    def usage(self) -> Mapping[str, Any]:
        """The token counts that it tells; empty where it tells none."""
        found = self.data.get("usage")
        return found if isinstance(found, dict) else {}


class Asking:
    """An endpoint that is asked, and what that took; an async context manager."""

    def __init__(self, teacher: OpenAI) -> None:
        self.teacher = teacher
        self.model = teacher.model
        at_openai = urlsplit(teacher.base_url).hostname == OPENAIS
        auto = "max_completion_tokens" if at_openai else "max_tokens"
        wanted = auto if teacher.limit_field == "auto" else teacher.limit_field
        self.limit_fields = sorted(LIMITS, key=lambda name: name != wanted)
        """The one that the recipe means, and the other."""
        self.limit_field = self.limit_fields[0]
        self.left_out: set[str] = set(teacher.leave_out)
        """Fields that are not sent, because they are refused."""
        self.models: list[Mapping[str, Any]] | None = None
        """What it lists; None where it has no list."""
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "Asking":
        self._client: AsyncOpenAI = await self._opened.enter_async_context(self.teacher._client())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def chat(self, prompt: str, limit: int, **fields: Any) -> Answer:
        """Ask a question, for at most `limit` tokens."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0.0,
            "top_p": 1.0,
            self.limit_field: limit,
            **self.teacher.extra_body,
            **fields,
        }
        body = {name: value for name, value in body.items() if name not in self.left_out}
        answer = await self._send("POST", "/chat/completions", body, PATIENCE)
        self.input_tokens += count(answer.usage.get("prompt_tokens"))
        self.output_tokens += count(answer.usage.get("completion_tokens"))
        return answer

    async def chat_patiently(self, prompt: str, limit: int, **fields: Any) -> Answer:
        """Ask, and where the endpoint asks to wait a little, wait and ask again."""
        for _ in range(TRIES):
            answer = await self.chat(prompt, limit, **fields)
            wait = answer.retry_after
            if answer.status != 429 or wait is None or wait > LONGEST_WAIT:
                break
            await asyncio.sleep(wait)
        return answer

    async def list_models(self, base_url: str | None = None) -> Answer:
        """What GET /models says, under the endpoint's address or another."""
        return await self._send("GET", f"{base_url or ''}/models", None, LISTING)

    async def _send(self, method: str, path: str, body: object, patience: float) -> Answer:
        import httpx2
        import openai

        self.calls += 1
        started = time.monotonic()
        client = self._client.with_options(timeout=httpx2.Timeout(patience, connect=10.0))
        try:
            if method == "GET":
                response = await client.get(path, cast_to=httpx2.Response)
            else:
                response = await client.post(path, body=body, cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            response = error.response
        except openai.APITimeoutError:
            return self._nothing(started, f"no answer within {patience:g} s")
        except openai.APIConnectionError as error:
            if self.teacher.base_url.startswith("http:") and await speaks_tls(self.teacher.base_url):
                url = self.teacher.base_url.removeprefix("http:")
                raise FatalError(f"the server speaks TLS; write base_url as https:{url}") from None
            why = self._shown(str(error.__cause__ or error))
            return self._nothing(started, f"a broken connection ({why})")
        try:
            data = response.json()
        except ValueError:
            data = None
        seconds = time.monotonic() - started
        told = "" if response.status_code == 200 else self._shown(_words(data) or response.text or "no words")
        if response.status_code == 200 and not isinstance(data, dict):
            told = f"no JSON object: {self._shown(response.text)!r:.60}"
        return Answer(
            status=response.status_code,
            data=data if isinstance(data, dict) else {},
            headers=dict(response.headers),
            seconds=seconds,
            told=told,
        )

    def _nothing(self, started: float, told: str) -> Answer:
        return Answer(status=0, data={}, headers={}, seconds=time.monotonic() - started, told=told)

    def _shown(self, text: str) -> str:
        """Without what is secret, which some endpoints repeat."""
        teacher = self.teacher
        told = [teacher.proxy or "", *teacher.extra_headers.values()]
        names = [teacher.key_env, *(name for text in told for name in variables.names(text))]
        return variables.hidden(text, map(variables.held_by, names))


def count(told: object) -> int:
    """A count as it is told; 0 where none is."""
    return told if isinstance(told, int) and not isinstance(told, bool) else 0


def _words(data: Any) -> str:
    """The message of an error, in the shapes that endpoints give it."""
    for key in ("error", "message", "detail"):
        if isinstance(data, dict) and key in data:
            data = data[key]
    return data if isinstance(data, str) else ""
