"""Endpoints that answer as a test says, whatever they are asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from asft.teachers.openai import OpenAI
from asft.types import Message, Reply, Request, Sampling

Answering = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def answering() -> Answering:
    """answering(status, body, headers, heads) -> an endpoint that gives every request this answer.

    It keeps what it was sent in `heads`, head and body.
    """

    @asynccontextmanager
    async def answering(
        status: int, body: bytes, headers: Mapping[str, str] | None = None, heads: list[bytes] | None = None
    ) -> AsyncIterator[str]:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sent = await reader.readuntil(b"\r\n\r\n")
            length = sent.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            sent += await reader.readexactly(int(length or b"0"))
            if heads is not None:
                heads.append(sent)
            lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            server.close()
            await server.wait_closed()

    return answering


@pytest.fixture
def told(answering: Answering) -> Callable[..., Reply]:
    """told(body, status, headers, **options) -> what the `openai` teacher makes of this answer."""

    def told(body: Any, status: int = 200, headers: Mapping[str, str] | None = None, **options: Any) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(
            messages=(Message(role="user", content="abcdef"),), sampling=Sampling(max_tokens=20)
        )

        async def go() -> Reply:
            sent = {"Content-Type": "application/json", **(headers or {})}
            async with answering(status, data, sent) as base_url:
                return await OpenAI(**{"base_url": base_url, "model": "m", **options}).reply(request)

        return asyncio.run(go())

    return told
