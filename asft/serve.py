"""An OpenAI-compatible endpoint on this machine, around any teacher: for trying recipes without a key.

It answers `GET /v1/models` and `POST /v1/chat/completions`, not streamed. A field that it does not know is
refused: one that is ignored without a word is found out much later.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from asft.errors import FatalError, RequestError, RetryableError, ServeError
from asft.types import Message, Reply, Request, Role, Sampling, Teacher

HOST = "127.0.0.1"
MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024
"""Bytes; a longer request is refused before it is read."""

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
FIELDS = {"model", "messages", "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed"}
HARMLESS = {"user", "metadata", "store", "service_tier"}
"""Fields that change no answer."""
ONLY = {"n": (1, None), "stream": (False, None)}
"""Fields that are taken with these values alone."""

_STATUS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@asynccontextmanager
async def serving(
    teacher: Teacher, *, model: str = "asft", port: int = 0, max_body: int = MAX_BODY
) -> AsyncIterator[str]:
    """Serve while the block runs; gives the base_url. Port 0 takes a free one."""
    async with AsyncExitStack() as opened:
        if hasattr(teacher, "__aenter__"):
            teacher = await opened.enter_async_context(cast(Any, teacher))
        endpoint = _Endpoint(teacher, model, max_body)
        try:
            server = await asyncio.start_server(endpoint.connected, HOST, port, limit=MAX_HEAD)
        except OSError as error:
            raise ServeError(f"port {port} cannot be opened ({error.strerror}); choose another") from error
        try:
            yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            server.close()
            await endpoint.close()
            await server.wait_closed()


class _AnswerError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True)
class _Asked:
    method: str
    path: str
    body: bytes
    keep: bool
    """Whether the connection stays open."""


class _Endpoint:
    def __init__(self, teacher: Teacher, model: str, max_body: int) -> None:
        self._teacher = teacher
        self._model = model
        self._max_body = max_body
        self._connections: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End every connection."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            # The other side, or the teacher, has broken the connection off.
            writer.transport.abort()
        except asyncio.CancelledError:
            # Told by `close`; asyncio would report it as an error of the connection.
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        keep = False
        headers: Mapping[str, str] = {}
        try:
            asked = await self._read(reader, writer)
            if asked is None:
                return False
            keep = asked.keep
            status, answer = 200, await self._route(asked)
        except _AnswerError as refused:
            status, headers = refused.status, refused.headers
            answer = {"error": {"message": str(refused), "type": "error", "param": None, "code": None}}
        body = json.dumps(answer).encode("ascii")
        head = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "keep-alive" if keep else "close",
            **headers,
        }
        lines = [
            f"HTTP/1.1 {status} {_STATUS[status]}",
            *(f"{name}: {value}" for name, value in head.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()
        return keep

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Asked | None:
        """One request; None where the other side has closed. What is refused here ends the connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        except asyncio.LimitOverrunError:
            raise _AnswerError(431, f"the head of a request may have {MAX_HEAD} bytes") from None
        first, *rest = head.decode("latin-1").split("\r\n")[:-2]
        parts = first.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise _AnswerError(400, f"{first[:80]!r} is no request line of HTTP/1.1")
        headers = {}
        for line in rest:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise _AnswerError(400, f"{line[:80]!r} is no header")
            headers[name.lower()] = value.strip()
        if "transfer-encoding" in headers:
            raise _AnswerError(411, "send the body whole, with its Content-Length")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise _AnswerError(400, f"Content-Length {length[:80]!r} is no number")
        if int(length) > self._max_body:
            raise _AnswerError(413, f"a body may have {self._max_body} bytes, and this one has {length}")
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(length))
        keep = headers.get("connection", "").lower() != "close" and parts[2] != "HTTP/1.0"
        return _Asked(method=parts[0], path=parts[1].partition("?")[0], body=body, keep=keep)

    async def _route(self, asked: _Asked) -> dict[str, Any]:
        routes = {"/v1/models": "GET", "/v1/chat/completions": "POST"}
        if asked.path not in routes:
            raise _AnswerError(404, f"there is no {asked.path[:80]!r} here, but {' and '.join(routes)}")
        if asked.method != routes[asked.path]:
            raise _AnswerError(405, f"{asked.path} takes {routes[asked.path]}", Allow=routes[asked.path])
        if asked.path == "/v1/models":
            model = {"id": self._model, "object": "model", "created": 0, "owned_by": "asft"}
            return {"object": "list", "data": [model]}
        request = _request(asked.body, self._model)
        return _completion(await self._ask(request), self._model)

    async def _ask(self, request: Request) -> Reply:
        try:
            return await self._teacher.reply(request)
        except RequestError as error:
            raise _AnswerError(400, str(error)) from error
        except FatalError as error:
            raise _AnswerError(401, str(error)) from error
        except RetryableError as error:
            if error.retry_after is not None:
                raise _AnswerError(429, str(error), Retry_After=f"{error.retry_after:g}") from error
            raise _AnswerError(504 if error.charged else 503, str(error)) from error
        except ConnectionError:
            raise
        except Exception as error:  # foreign code
            raise _AnswerError(500, f"the teacher failed: {type(error).__name__}: {error}") from error


def _request(body: bytes, model: str) -> Request:
    """Read a chat completion request. Raises _AnswerError with what is wrong with it."""
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise _AnswerError(400, f"the body is no JSON: {error}") from error
    if not isinstance(asked, dict):
        raise _AnswerError(400, "the body is no JSON object")
    unknown = sorted(set(asked) - FIELDS - HARMLESS - set(ONLY))
    if unknown:
        raise _AnswerError(400, f"not offered here: {', '.join(unknown)[:200]}; leave it out")
    for name, values in ONLY.items():
        if asked.get(name) not in values:
            raise _AnswerError(400, f"{name} = {asked[name]!r} is not offered here; leave it out")
    if asked.get("model") != model:
        raise _AnswerError(404, f"there is no model {asked.get('model')!r} here, but {model!r}")
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _AnswerError(400, "messages must be a list with at least one message")
    limit = asked.get("max_completion_tokens")
    limit = asked.get("max_tokens") if limit is None else limit
    return Request(
        messages=tuple(_message(message) for message in messages),
        sampling=Sampling(
            temperature=_number(asked, "temperature", 1.0, 0.0, 2.0),
            top_p=_number(asked, "top_p", 1.0, 0.0, 1.0),
            max_tokens=_whole("max_tokens", limit, Sampling().max_tokens, least=1),
        ),
        seed=_whole("seed", asked.get("seed"), 0),
    )


def _message(message: Any) -> Message:
    role = ROLES.get(str(message.get("role"))) if isinstance(message, dict) else None
    if role is None:
        raise _AnswerError(400, f"a message needs a role out of {', '.join(ROLES)}: {str(message)[:80]}")
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        if all(isinstance(part, str) for part in parts):
            content = "".join(cast("list[str]", parts))
    if not isinstance(content, str):
        raise _AnswerError(400, f"the content of a message must be text: {str(message)[:80]}")
    return Message(role=role, content=content)


def _number(asked: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = asked.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _AnswerError(400, f"{name} = {value!r} must be a number from {least:g} to {most:g}")
    return float(value)


def _whole(name: str, value: Any, default: int, *, least: int | None = None) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        raise _AnswerError(
            400, f"{name} = {value!r} must be a whole number" + (f" from {least}" if least else "")
        )
    return value


def _completion(reply: Reply, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply.text},
                "logprobs": None,
                "finish_reason": reply.finish,
            }
        ],
        "usage": {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        },
    }
