"""The endpoint answers what it is asked for, and says what is wrong with everything else."""

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asft.errors import FatalError, RequestError, RetryableError, ServeError
from asft.serve import serving
from asft.teachers.rules import Rules
from asft.types import Message, Reply, Request, Sampling

CHAT = {"model": "asft", "messages": [{"role": "user", "content": "Hello?"}]}


class Echo:
    """Says the last message again, and keeps what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[Request] = []

    async def reply(self, request: Request) -> Reply:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return Reply(
            text=request.messages[-1].content,
            finish="length",
            input_tokens=7,
            output_tokens=5,
            cached_tokens=3,
            reasoning_tokens=2,
        )


def port_of(base_url: str) -> int:
    return int(base_url.rpartition(":")[2].removesuffix("/v1"))


async def send(base_url: str, data: bytes) -> bytes:
    """All that comes back for these bytes, on a connection that sends nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(base_url))
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def post(body: Any, path: str = "/v1/chat/completions", more: str = "") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n{more}\r\n".encode() + data


def read(answer: bytes) -> tuple[int, dict[str, str], Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), headers, json.loads(body)


def served(data: bytes, teacher: Any = None, **settings: Any) -> tuple[int, dict[str, str], Any]:
    async def go() -> bytes:
        async with serving(teacher or Echo(), **settings) as base_url:
            return await send(base_url, data)

    return read(asyncio.run(go()))


def test_a_chat_is_answered_with_text_finish_and_every_count() -> None:
    status, headers, answer = served(post(CHAT))
    assert (status, headers["Content-Type"]) == (200, "application/json")
    [choice] = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello?"}
    assert (choice["finish_reason"], answer["object"], answer["model"]) == (
        "length",
        "chat.completion",
        "asft",
    )
    usage = answer["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 5, 12)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 3
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 2


def test_the_teacher_sees_messages_sampling_and_seed_as_they_were_sent() -> None:
    teacher = Echo()
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "é\ud83d\ude00"},
    ]
    body = {"model": "asft", "messages": messages, "temperature": 0, "top_p": 0.5, "max_tokens": 9, "seed": 4}
    assert served(post(body), teacher)[0] == 200
    assert teacher.asked == [
        Request(
            messages=(
                Message(role="system", content="be brief"),
                Message(role="assistant", content="ab"),
                Message(role="user", content="é😀"),
            ),
            sampling=Sampling(temperature=0.0, top_p=0.5, max_tokens=9),
            seed=4,
        )
    ]


def test_the_model_is_listed() -> None:
    status, _, answer = served(b"GET /v1/models HTTP/1.1\r\n\r\n", model="mine")
    assert (status, [model["id"] for model in answer["data"]]) == (200, ["mine"])


def test_one_connection_takes_many_requests_also_in_pieces() -> None:
    async def go() -> list[int]:
        async with serving(Echo()) as base_url:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(base_url))
            lengths = []
            for _ in range(3):
                data = post(CHAT)
                for start in range(0, len(data), 40):
                    writer.write(data[start : start + 40])
                    await writer.drain()
                    await asyncio.sleep(0)
                head = await reader.readuntil(b"\r\n\r\n")
                match = re.search(rb"Content-Length: (\d+)", head)
                assert match
                lengths.append(len(await reader.readexactly(int(match[1]))))
            writer.close()
            return lengths

    assert len(asyncio.run(go())) == 3


def test_a_client_that_waits_for_leave_to_send_gets_it() -> None:
    async def go() -> bytes:
        async with serving(Echo()) as base_url:
            return await send(base_url, post(CHAT, more="Expect: 100-continue\r\n"))

    answer = asyncio.run(go())
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"stream": True}, 400, "stream = True is not offered"),
        ({"n": 2}, 400, "n = 2 is not offered"),
        ({"logprobs": True}, 400, "not offered here: logprobs"),
        ({"model": "other"}, 404, "no model 'other' here, but 'asft'"),
        ({"messages": []}, 400, "at least one message"),
        ({"messages": "Hello?"}, 400, "messages must be a list"),
        ({"messages": ["Hello?"]}, 400, "needs a role"),
        ({"messages": [{"role": "tool", "content": ""}]}, 400, "role out of system"),
        ({"messages": [{"role": "user", "content": None}]}, 400, "must be text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "must be text"),
        ({"temperature": 3}, 400, "temperature = 3 must be a number from 0 to 2"),
        ({"temperature": True}, 400, "temperature = True"),
        ({"top_p": "1"}, 400, "top_p = '1'"),
        ({"max_tokens": 0}, 400, "max_tokens = 0"),
        ({"max_tokens": -1}, 400, "max_tokens = -1 must be a whole number from 1"),
        ({"seed": 1.5}, 400, "seed = 1.5 must be a whole number"),
    ],
)
def test_a_request_that_cannot_be_answered_as_asked_is_refused_with_the_reason(
    changed: dict[str, Any], status: int, says: str
) -> None:
    got, _, answer = served(post({**CHAT, **changed}))
    assert got == status
    assert says in answer["error"]["message"]


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"nonsense\r\n\r\n", 400, "no request line"),
        (b"GET /v1/models HTTP/1.1\r\nno header\r\n\r\n", 400, "is no header"),
        (b"GET /v1/models HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431, "65536 bytes"),
        (post(b"{"), 400, "no JSON"),
        (post([]), 400, "no JSON object"),
        (post(CHAT, path="/v1/completions"), 404, "/v1/chat/completions"),
        (b"GET /v1/chat/completions HTTP/1.1\r\n\r\n", 405, "takes POST"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "Content-Length"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "no number"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413, "8388608 bytes"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_with_the_reason(
    data: bytes, status: int, says: str
) -> None:
    got, _, answer = served(data)
    assert got == status
    assert says in answer["error"]["message"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("too long"), 400),
        (FatalError("no key"), 401),
        (RetryableError("busy", retry_after=2.5), 429),
        (RetryableError("down"), 503),
        (RetryableError("late", charged=True), 504),
        (ZeroDivisionError("oh"), 500),
    ],
)
def test_what_the_teacher_raises_becomes_the_status_that_means_it(error: Exception, status: int) -> None:
    got, headers, answer = served(post(CHAT), Echo(error))
    assert got == status
    assert str(error) in answer["error"]["message"]
    assert headers.get("Retry-After") == ("2.5" if status == 429 else None)


def test_a_port_that_is_taken_is_told() -> None:
    async def go() -> None:
        async with serving(Echo()) as base_url:
            with pytest.raises(ServeError, match="cannot be opened"):
                async with serving(Echo(), port=port_of(base_url)):
                    pass

    asyncio.run(go())


def test_the_rules_teacher_solves_a_problem_over_http() -> None:
    body = {**CHAT, "messages": [{"role": "user", "content": "Tell me a joke."}]}
    status, _, answer = served(post(body), Rules())
    assert (status, answer["choices"][0]["message"]["content"][:16]) == (200, "I cannot do this")


@given(st.lists(st.binary(max_size=200), max_size=3))
@settings(max_examples=40)
def test_no_bytes_break_it(pieces: list[bytes]) -> None:
    async def go() -> bytes:
        async with serving(Echo()) as base_url:
            for piece in pieces:
                await send(base_url, piece)
            return await send(base_url, post(CHAT))

    assert asyncio.run(go()).startswith(b"HTTP/1.1 200 OK")
