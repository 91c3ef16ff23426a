"""The endpoint: what is asked, and what is answered when."""

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from asft.errors import ServeError
from asft.testing.content import Messages, digest, said, text_of
from asft.testing.counts import Call, Counts
from asft.testing.faults import Fault, Faults
from asft.testing.http import Asked, Connection
from asft.testing.latency import Latency
from asft.testing.rate import Bucket, Rate

HOST = "127.0.0.1"
CHARACTERS_PER_TOKEN = 4
"""Of the token counts that it tells."""


@dataclass(eq=False, slots=True)
class _Work:
    """One chat completion, until its end."""

    connection: Connection
    asked: Asked
    body: dict[str, Any]
    digest: bytes
    prompt: str
    attempt: int
    fault: Fault | None
    at: float = field(default_factory=time.monotonic)
    timer: asyncio.TimerHandle | None = None
    has_place: bool = False


class Endpoint:
    """An OpenAI-compatible endpoint on this machine; an async context manager.

    It answers `GET /v1/models`, `POST /v1/chat/completions` (not streamed; fields that it does not know are
    let pass) and `GET /counts`.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        model: str = "test",
        key: str | None = None,
        content: Callable[[Messages], str] = said,
        latency: Latency | None = None,
        faults: Faults | None = None,
        rate: Rate | None = None,
        at_once: int | None = None,
        abort_after: float | None = None,
        keep_calls: bool = True,
    ) -> None:
        """Port 0 takes a free one; another `model` is answered 404, another `key` 401; None takes any.

        `at_once`: it works on so many and queues the rest; what is queued longer than `abort_after` seconds
        is answered 503. Without `keep_calls` there are only the counts, so that memory stays flat.
        """
        self.calls: list[Call] = []
        """Chat completions that have ended, in the order of their ends."""
        self._port, self._model, self._key, self._content = port, model, key, content
        self._latency = latency or Latency.constant(0.0)
        self._faults = faults or Faults()
        self._bucket = None if rate is None else Bucket(rate)
        self._places = math.inf if at_once is None else at_once
        self._abort_after = abort_after
        self._keep_calls = keep_calls
        self._counts = Counts()
        self._queue: deque[_Work] = deque()
        self._open: set[_Work] = set()
        self._connections: set[Connection] = set()
        self._opened = 0.0

    @property
    def base_url(self) -> str:
        """Its address, once it is open."""
        return f"http://{HOST}:{self._port}/v1"

    async def __aenter__(self) -> "Endpoint":
        self._loop = asyncio.get_running_loop()
        try:
            self._server = await self._loop.create_server(self._connection, HOST, self._port, backlog=4096)
        except OSError as error:
            raise ServeError(
                f"port {self._port} cannot be opened ({error.strerror}); choose another"
            ) from error
        self._port = self._server.sockets[0].getsockname()[1]
        self._opened = time.monotonic()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for work in list(self._open):
            self._end(work, None)
        for connection in list(self._connections):
            connection.abort()
        await self._server.wait_closed()

    def counts(self) -> dict[str, Any]:
        """What it was asked up to now; see `Counts.told`."""
        return self._counts.told()

    # One request

    def _connection(self) -> Connection:
        connection = Connection(self._route, self._connections.discard)
        self._connections.add(connection)
        return connection

    def _route(self, connection: Connection, asked: Asked) -> None:
        where = (asked.method, asked.path)
        if where == ("GET", "/counts"):
            connection.answer(200, json.dumps(self.counts()).encode(), {})
        elif self._key is not None and asked.headers.get("authorization") != f"Bearer {self._key}":
            connection.answer(401, _error("this key is not known here", "invalid_api_key"), {})
        elif where == ("GET", "/v1/models"):
            model = {"id": self._model, "object": "model", "created": 0, "owned_by": "asft"}
            connection.answer(200, json.dumps({"object": "list", "data": [model]}).encode(), {})
        elif where == ("POST", "/v1/chat/completions"):
            self._chat(connection, asked)
        else:
            connection.answer(404, _error(f"there is no {asked.method} {asked.path[:80]} here"), {})

    def _chat(self, connection: Connection, asked: Asked) -> None:
        try:
            body = json.loads(asked.body)
            # As the servers in use do: an unknown model is told before anything else is looked at.
            if body["model"] != self._model:
                message = f"there is no model {body['model']!r} here, but {self._model!r}"
                connection.answer(404, _error(message, "model_not_found"), {})
                return
            messages = body["messages"]
            known_by, prompt = digest(messages), text_of(messages[-1])
        except (ValueError, LookupError, TypeError, AttributeError):
            connection.answer(400, _error("the body is no JSON object with model and messages"), {})
            return
        if body.get("stream"):
            connection.answer(400, _error("stream is not offered here; leave it out"), {})
            return
        attempt = self._counts.came(known_by)
        fault = self._faults.drawn(known_by, attempt)
        work = _Work(connection, asked, body, known_by, prompt, attempt, fault)
        self._open.add(work)
        connection.on_lost = lambda: self._end(work, None, gone=True)
        if fault == "refused":
            self._answer(work, 400, _error("these messages are refused, however often they are asked"))
        elif self._bucket is not None and (seconds := self._bucket.take(time.monotonic())):
            asks = {"Retry-After": f"{math.ceil(seconds)}"} if self._bucket.rate.retry_after else {}
            self._answer(work, 429, _error("too many requests", "rate_limit_exceeded"), asks)
        elif fault == "error_429":
            asks = {"Retry-After": f"{self._faults.retry_after:g}"}
            self._answer(work, 429, _error("too many requests", "rate_limit_exceeded"), asks)
        elif self._places > 0:
            self._begin(work)
        else:
            self._queue.append(work)
            if self._abort_after is not None:
                work.timer = self._loop.call_later(self._abort_after, self._give_up, work)

    def _begin(self, work: _Work) -> None:
        self._places -= 1
        work.has_place = True
        seconds = self._latency.drawn(work.digest)
        if seconds or self._queue:
            work.timer = self._loop.call_later(seconds, self._finish, work)
        else:
            self._finish(work)

    def _give_up(self, work: _Work) -> None:
        self._queue.remove(work)
        self._answer(work, 503, _error("there is too much to do"))

    def _finish(self, work: _Work) -> None:
        fault = work.fault
        if fault == "silent":
            # Its place is free for others, and the other side waits until it goes away.
            self._leave(work)
        elif fault == "reset":
            self._end(work, None)
            work.connection.abort()
        elif fault == "error_500":
            self._answer(work, 500, _error("something went wrong here"))
        else:
            pause = self._faults.pause if fault == "slow_headers" else 0.0
            self._answer(work, 200, self._completion(work), pause=pause)

    def _answer(
        self,
        work: _Work,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        pause: float = 0.0,
    ) -> None:
        told = dict(headers or {})
        if self._bucket is not None and self._bucket.rate.headers:
            told |= self._bucket.headers()
        self._end(work, status)
        work.connection.answer(status, body, told, pause)

    def _leave(self, work: _Work) -> None:
        """Give its place to the next."""
        if work.timer is not None:
            work.timer.cancel()
        if work.has_place:
            work.has_place = False
            self._places += 1
            while self._queue and self._places > 0:
                following = self._queue.popleft()
                if following.timer is not None:
                    following.timer.cancel()
                self._begin(following)

    def _end(self, work: _Work, status: int | None, *, gone: bool = False) -> None:
        work.connection.on_lost = None
        self._open.discard(work)
        if not work.has_place and work in self._queue:
            self._queue.remove(work)
        self._leave(work)
        call = Call(
            prompt=work.prompt,
            digest=work.digest,
            attempt=work.attempt,
            fault=work.fault,
            status=status,
            gone=gone,
            at=work.at - self._opened,
            seconds=time.monotonic() - work.at,
            body=work.body,
            headers=work.asked.headers,
        )
        self._counts.ended(call)
        if self._keep_calls:
            self.calls.append(call)

    def _completion(self, work: _Work) -> bytes:
        messages = work.body["messages"]
        text = self._content(messages)
        finish = "stop"
        limit = work.body.get("max_completion_tokens") or work.body.get("max_tokens")
        if limit is not None and len(text) > CHARACTERS_PER_TOKEN * limit:
            text, finish = text[: CHARACTERS_PER_TOKEN * limit], "length"
        if work.fault == "cut":
            text, finish = text[: len(text) // 2], "length"
        message = {"role": "assistant", "content": text}
        answer: dict[str, Any] = {
            "id": f"chatcmpl-{work.digest.hex()}-{work.attempt}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self._model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        }
        if work.fault != "no_usage":
            read = sum(_tokens(text_of(message)) for message in messages)
            written = _tokens(text)
            answer["usage"] = {
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
            }
        body = json.dumps(answer).encode("ascii")
        return body[: len(body) // 2] if work.fault == "broken" else body


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _error(message: str, code: str | None = None) -> bytes:
    error = {"message": message, "type": "error", "param": None, "code": code}
    return json.dumps({"error": error}).encode("ascii")
