"""The endpoint for tests says the same every time, and goes wrong where it is told to."""

import asyncio
import json
import math
import signal
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from asft.errors import ServeError
from asft.testing import Call, Endpoint, Faults, Latency, Rate, digest, said
from asft.testing.rate import Bucket

Answer = tuple[int, dict[str, str], bytes]


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def port_of(base_url: str) -> int:
    return int(base_url.rpartition(":")[2].removesuffix("/v1"))


def request(body: Any, *, method: str = "POST", path: str = "/v1/chat/completions", more: str = "") -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n{more}\r\n"
    return head.encode() + data


def chat(text: str, **more: Any) -> bytes:
    return request({"model": "test", "messages": user(text), **more})


async def read(reader: asyncio.StreamReader) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), headers, await reader.readexactly(int(headers["Content-Length"]))


async def send(endpoint: Endpoint, data: bytes) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(endpoint.base_url))
    try:
        writer.write(data)
        return await read(reader)
    finally:
        writer.close()


async def ask(endpoint: Endpoint, text: str, **more: Any) -> tuple[int, Any]:
    status, _, body = await send(endpoint, chat(text, **more))
    return status, json.loads(body)


def served(work: Callable[[Endpoint], Awaitable[Any]], **settings: Any) -> tuple[Any, Endpoint]:
    """What the work returns, and the endpoint when it is closed."""

    async def go() -> tuple[Any, Endpoint]:
        async with Endpoint(**settings) as endpoint:
            return await work(endpoint), endpoint

    return asyncio.run(go())


def text_in(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


# What it says


def test_a_text_depends_on_the_messages_alone_and_is_known_without_asking() -> None:
    async def work(endpoint: Endpoint) -> list[str]:
        first = await ask(endpoint, "a", temperature=0.3, seed=1)
        return [text_in(answer) for _, answer in (first, await ask(endpoint, "a"), await ask(endpoint, "b"))]

    texts, _ = served(work)
    assert texts == [said(user("a")), said(user("a")), said(user("b"))]
    assert texts[0] != texts[2]


def test_messages_are_told_apart_by_role_and_by_where_one_ends() -> None:
    different = [
        user("ab"),
        [{"role": "system", "content": "ab"}],
        [*user("a"), *user("b")],
        [*user("ab"), *user("")],
    ]
    assert len({digest(messages) for messages in different}) == len(different)
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    assert digest(parts) == digest(user("ab"))


def test_a_content_of_ones_own_is_said() -> None:
    async def work(endpoint: Endpoint) -> Any:
        return (await ask(endpoint, "hello"))[1]

    answer, _ = served(work, content=lambda messages: messages[-1]["content"].upper())
    assert text_in(answer) == "HELLO"
    # 5 characters at 4 to a token.
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_a_limit_on_tokens_cuts_the_text() -> None:
    async def work(endpoint: Endpoint) -> Any:
        return (await ask(endpoint, "a", max_tokens=3))[1]

    answer, _ = served(work)
    assert text_in(answer) == said(user("a"))[:12]
    assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 3)


def test_the_openai_client_takes_its_answers() -> None:
    import openai

    async def work(endpoint: Endpoint) -> tuple[str, list[str]]:
        async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key="any") as client:
            answer = await client.chat.completions.create(
                model="test", messages=[{"role": "user", "content": "a"}]
            )
            models = [model.id async for model in client.models.list()]
        return answer.choices[0].message.content or "", models

    assert served(work)[0] == (said(user("a")), ["test"])


# How long it takes


def test_a_latency_is_drawn_from_the_messages() -> None:
    law = Latency.lognormal(median=0.5, log_sd=0.6, cap=2.0)
    drawn = [law.seconds(user(f"{n}")) for n in range(2000)]
    assert drawn[:5] == [law.seconds(user(f"{n}")) for n in range(5)]
    # Of 2000 draws, the median is within 4 of its own standard errors (1.2533 * 0.6 / sqrt(2000) in the log).
    assert abs(math.log(statistics.median(drawn) / 0.5)) < 4 * 1.2533 * 0.6 / math.sqrt(2000)
    assert max(drawn) == 2.0
    # ln(2 / 0.5) / 0.6 = 2.31 standard deviations: 1.04% are beyond the cap, 21 of 2000.
    assert 5 < drawn.count(2.0) < 40


def test_an_answer_takes_the_latency_of_its_messages() -> None:
    async def work(endpoint: Endpoint) -> None:
        await ask(endpoint, "a")

    _, endpoint = served(work, latency=Latency.constant(0.05))
    assert endpoint.calls[0].seconds >= 0.05


@pytest.mark.parametrize("text", ["", "normal:1", "constant", "constant:x", "lognormal:1:2:3:4"])
def test_a_latency_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no latency"):
        Latency.parse(text)


def test_a_latency_is_read_from_a_text() -> None:
    assert Latency.parse("constant:0.2") == Latency(median=0.2)
    assert Latency.parse("lognormal:1:0.5:9") == Latency(median=1.0, log_sd=0.5, cap=9.0)
    assert Latency.parse("lognormal") == Latency.lognormal()


# What goes wrong


def test_faults_come_in_their_shares_and_depend_on_messages_and_attempt() -> None:
    faults = Faults(error_500=0.2, cut=0.1)
    keys = [digest(user(f"{n}")) for n in range(3000)]
    first = [faults.drawn(key, 0) for key in keys]
    assert first == [faults.drawn(key, 0) for key in keys]
    counts = Counter(first)
    # Binomial: 600 and 300 of 3000, within 4 standard deviations (22 and 16).
    assert abs(counts["error_500"] - 600) < 88
    assert abs(counts["cut"] - 300) < 66
    # A second attempt is drawn anew: of those that failed, 70% get through.
    again = [faults.drawn(key, 1) for key, fault in zip(keys, first, strict=True) if fault == "error_500"]
    assert 0.6 < again.count(None) / len(again) < 0.8


def test_messages_that_are_refused_are_refused_at_every_attempt() -> None:
    faults = Faults(refused=0.3, reset=0.5)
    keys = [digest(user(f"{n}")) for n in range(200)]
    refused = [{faults.drawn(key, attempt) == "refused" for attempt in range(5)} for key in keys]
    assert all(len(one) == 1 for one in refused)
    assert 30 < refused.count({True}) < 90


@pytest.mark.parametrize(
    ("faults", "status", "says"),
    [
        (Faults(refused=1.0), 400, "however often"),
        (Faults(error_500=1.0), 500, "went wrong"),
        (Faults(error_429=1.0), 429, "too many"),
    ],
)
def test_a_fault_with_a_status_is_answered_with_it(faults: Faults, status: int, says: str) -> None:
    async def work(endpoint: Endpoint) -> tuple[int, Any]:
        return await ask(endpoint, "a")

    (got, answer), endpoint = served(work, faults=faults)
    assert got == status
    assert says in answer["error"]["message"]
    assert endpoint.counts()["by_status"] == {str(status): 1}


def test_a_429_by_fault_says_when_to_come_again() -> None:
    async def work(endpoint: Endpoint) -> str:
        return (await send(endpoint, chat("a")))[1]["Retry-After"]

    assert served(work, faults=Faults(error_429=1.0, retry_after=2.5))[0] == "2.5"


def test_a_reset_breaks_the_connection_off() -> None:
    async def work(endpoint: Endpoint) -> None:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await send(endpoint, chat("a"))

    _, endpoint = served(work, faults=Faults(reset=1.0))
    [call] = endpoint.calls
    assert (call.fault, call.status, call.gone) == ("reset", None, False)


def test_a_silent_call_ends_when_the_other_side_goes_away() -> None:
    async def work(endpoint: Endpoint) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await send(endpoint, chat("a"))
        while endpoint.counts()["open"]:
            await asyncio.sleep(0.01)

    _, endpoint = served(work, faults=Faults(silent=1.0))
    [call] = endpoint.calls
    assert (call.fault, call.status, call.gone) == ("silent", None, True)


def test_a_cut_text_is_half_of_it_and_says_so() -> None:
    async def work(endpoint: Endpoint) -> Any:
        return (await ask(endpoint, "a"))[1]

    answer, endpoint = served(work, faults=Faults(cut=1.0))
    whole = said(user("a"))
    assert text_in(answer) == whole[: len(whole) // 2]
    assert answer["choices"][0]["finish_reason"] == "length"
    assert [call.good for call in endpoint.calls] == [False]


def test_a_broken_body_is_no_json_and_its_length_is_right() -> None:
    async def work(endpoint: Endpoint) -> Answer:
        return await send(endpoint, chat("a"))

    (status, _, body), endpoint = served(work, faults=Faults(broken=1.0))
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    assert [call.good for call in endpoint.calls] == [False]


def test_a_usage_that_is_missing_leaves_the_rest() -> None:
    async def work(endpoint: Endpoint) -> Any:
        return (await ask(endpoint, "a"))[1]

    answer, _ = served(work, faults=Faults(no_usage=1.0))
    assert text_in(answer) == said(user("a"))
    assert "usage" not in answer


def test_slow_headers_begin_at_once_and_end_after_the_pause() -> None:
    async def work(endpoint: Endpoint) -> tuple[bytes, Answer, float]:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(endpoint.base_url))
        writer.write(chat("a"))
        begun, at = await reader.readuntil(b"\r\n"), loop.time()
        rest = await read(_After(begun, reader))
        writer.close()
        return begun, rest, loop.time() - at

    class _After(asyncio.StreamReader):
        def __init__(self, begun: bytes, reader: asyncio.StreamReader) -> None:
            self.begun, self.reader = begun, reader

        async def readuntil(self, separator: Any = b"\n") -> bytes:
            return self.begun + await self.reader.readuntil(separator)

        async def readexactly(self, n: int) -> bytes:
            return await self.reader.readexactly(n)

    (begun, (status, _, _), seconds), _ = served(work, faults=Faults(slow_headers=1.0, pause=0.1))
    assert begun == b"HTTP/1.1 200 OK\r\n"
    assert status == 200
    assert seconds >= 0.09


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="are no shares"):
        Faults(error_500=0.6, reset=0.6)
    with pytest.raises(ValueError, match="are no shares"):
        Faults(cut=-0.1)
    with pytest.raises(ValueError, match="'resets' is no fault; known: refused"):
        Faults.parse("resets=0.1")
    assert Faults.parse("reset=0.1,retry_after=3") == Faults(reset=0.1, retry_after=3.0)


# Limits


def test_a_rate_is_kept_through_its_phases() -> None:
    bucket = Bucket(Rate(((10.0, 50.0), (10.0, 10.0), (5.0, 100.0))))
    allowed: Counter[int] = Counter()
    # 200 calls a second for 40 s, far above every limit.
    for step in range(8000):
        now = 1000.0 + step / 200
        allowed[int(now - 1000.0) // 10] += bucket.take(now) == 0.0
    # A full bucket of 50 at first, and 9.995 s at 50 until the last call before the change; then what each
    # ten seconds bring. The last rate stays.
    assert [allowed[ten] for ten in range(4)] == [549, 100, 1000, 1000]


def test_a_bucket_says_how_long_to_wait_and_lets_a_call_in_then() -> None:
    bucket = Bucket(Rate(((math.inf, 4.0),), burst=0.25))
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.05) == pytest.approx(0.2)
    assert bucket.take(0.251) == 0.0


def test_calls_above_the_rate_are_answered_429_with_when_and_what_is_left() -> None:
    async def work(endpoint: Endpoint) -> list[Answer]:
        return [await send(endpoint, chat(f"{n}")) for n in range(3)]

    answers, _ = served(work, rate=Rate(((math.inf, 0.4),), burst=5.0, headers=True))
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert [headers["x-ratelimit-remaining-requests"] for _, headers, _ in answers] == ["1", "0", "0"]
    assert answers[0][1]["x-ratelimit-limit-requests"] == "2"
    # A call is there again 2.5 s after the bucket is empty; whole seconds, rounded up.
    assert answers[2][1]["Retry-After"] == "3"


def test_a_rate_need_not_say_when_to_come_again() -> None:
    async def work(endpoint: Endpoint) -> list[Answer]:
        return [await send(endpoint, chat(f"{n}")) for n in range(2)]

    answers, _ = served(work, rate=Rate(((math.inf, 0.01),), retry_after=False))
    assert [status for status, _, _ in answers] == [200, 429]
    assert "Retry-After" not in answers[1][1]


def test_a_rate_is_read_from_a_text() -> None:
    assert Rate.parse("50") == Rate.constant(50.0)
    assert Rate.parse("60:50,120:100") == Rate(((60.0, 50.0), (120.0, 100.0)))
    with pytest.raises(ValueError, match="are no phases"):
        Rate.parse("60:0")


SPREAD = Latency.lognormal(median=0.3, log_sd=6.0, cap=1e9)
"""So wide that there are messages which take an hour, and others which take no time."""


def taking(least: float, most: float) -> str:
    """A text that takes so many seconds under SPREAD."""
    return next(f"{n}" for n in range(10_000) if least < SPREAD.seconds(user(f"{n}")) < most)


async def come(endpoint: Endpoint, calls: int) -> None:
    """Wait until so many calls have come."""
    while endpoint.counts()["calls"] < calls:
        await asyncio.sleep(0.001)


def test_work_beyond_so_many_at_once_is_queued_in_order() -> None:
    texts = [taking(0.2, 0.4), taking(0.01, 0.05), taking(0.0, 0.001)]

    async def work(endpoint: Endpoint) -> None:
        tasks = []
        for text in texts:
            tasks.append(asyncio.create_task(ask(endpoint, text)))
            await come(endpoint, len(tasks))
        await asyncio.gather(*tasks)

    _, endpoint = served(work, at_once=1, latency=SPREAD)
    # The quick ones would come first, did they not wait for the slow one.
    assert [call.prompt for call in endpoint.calls] == texts


def test_what_is_queued_too_long_is_answered_503() -> None:
    async def work(endpoint: Endpoint) -> list[int]:
        first = asyncio.create_task(ask(endpoint, taking(3600.0, 1e9)))
        await come(endpoint, 1)
        statuses = [(await ask(endpoint, text))[0] for text in ("a", "b")]
        first.cancel()
        return statuses

    statuses, _ = served(work, at_once=1, abort_after=0.01, latency=SPREAD)
    assert statuses == [503, 503]


def test_a_place_is_free_again_when_the_other_side_goes_away() -> None:
    async def work(endpoint: Endpoint) -> int:
        first = asyncio.create_task(ask(endpoint, taking(3600.0, 1e9)))
        await come(endpoint, 1)
        second = asyncio.create_task(ask(endpoint, taking(0.0, 0.001)))
        await come(endpoint, 2)
        first.cancel()
        return (await second)[0]

    status, endpoint = served(work, at_once=1, latency=SPREAD)
    assert status == 200
    assert [call.gone for call in endpoint.calls] == [True, False]


# Whom it answers


def test_another_key_is_answered_401_and_another_model_404() -> None:
    async def work(endpoint: Endpoint) -> list[int]:
        right = "Authorization: Bearer sk-right\r\n"
        body = {"model": "test", "messages": user("a")}
        asked = [
            request(body),
            request(body, more="Authorization: Bearer sk-wrong\r\n"),
            request(None, method="GET", path="/v1/models"),
            request({**body, "model": "other"}, more=right),
            request(body, more=right),
        ]
        return [(await send(endpoint, one))[0] for one in asked]

    statuses, endpoint = served(work, key="sk-right")
    assert statuses == [401, 401, 401, 404, 200]
    assert "sk-right" not in repr(endpoint.calls)


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"\x16\x03\x01\x02\x00", 400, "https to an http port"),
        (b"NONSENSE\r\n\r\n", 400, "is no request"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "is no request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "whole"),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", 413, "67108864"),
        (b"GET " + b"a" * 70_000, 431, "65536"),
        (request(None, method="GET", path="/nothing"), 404, "no GET /nothing"),
        (request({"model": "test"}), 400, "model and messages"),
        (request([]), 400, "model and messages"),
        (request({"model": "test", "messages": []}), 400, "model and messages"),
        (chat("a", stream=True), 400, "stream"),
    ],
)
def test_what_is_no_request_for_a_chat_is_told(data: bytes, status: int, says: str) -> None:
    async def work(endpoint: Endpoint) -> Answer:
        return await send(endpoint, data)

    (got, _, body), endpoint = served(work)
    assert got == status
    assert says in json.loads(body)["error"]["message"]
    assert endpoint.calls == []


def test_requests_on_one_connection_are_answered_in_order_however_their_bytes_come() -> None:
    async def work(endpoint: Endpoint) -> list[str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(endpoint.base_url))
        whole = b"".join(chat(f"{n}") for n in range(3))
        for start in range(0, len(whole), 50):
            writer.write(whole[start : start + 50])
            await asyncio.sleep(0)
        texts = [text_in(json.loads((await read(reader))[2])) for _ in range(3)]
        writer.close()
        return texts

    texts, _ = served(work, latency=Latency.constant(0.01))
    assert texts == [said(user(f"{n}")) for n in range(3)]


def test_a_client_that_closes_after_its_request_is_told_that_it_is_closed() -> None:
    async def work(endpoint: Endpoint) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(endpoint.base_url))
        writer.write(request({"model": "test", "messages": user("a")}, more="Connection: close\r\n"))
        everything = await reader.read()
        writer.close()
        return everything

    assert b"Connection: close" in served(work)[0]


def test_a_port_that_is_taken_is_told() -> None:
    async def work(endpoint: Endpoint) -> None:
        with pytest.raises(ServeError, match="cannot be opened"):
            async with Endpoint(port=port_of(endpoint.base_url)):
                pass

    served(work)


# What it keeps


def test_counts_tell_what_was_asked_again_and_what_was_answered_again() -> None:
    async def work(endpoint: Endpoint) -> Any:
        for text in ("a", "b", "b", "b"):
            await ask(endpoint, text)
        return json.loads((await send(endpoint, request(None, method="GET", path="/counts")))[2])

    counts, endpoint = served(work)
    assert counts == endpoint.counts()
    assert (counts["calls"], counts["prompts"], counts["answered"], counts["answered_again"]) == (4, 2, 2, 2)
    assert counts["calls_per_prompt"] == {"1": 1, "3": 1}
    assert [(call.prompt, call.attempt) for call in endpoint.calls] == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
        ("b", 2),
    ]
    assert endpoint.calls[0].body["messages"] == user("a")


def test_without_calls_there_are_the_counts() -> None:
    async def work(endpoint: Endpoint) -> None:
        await ask(endpoint, "a")

    _, endpoint = served(work, keep_calls=False)
    assert (endpoint.calls, endpoint.counts()["calls"]) == ([], 1)


def test_calls_that_are_open_at_the_end_are_kept_as_unanswered() -> None:
    async def work(endpoint: Endpoint) -> Any:
        task = asyncio.create_task(send(endpoint, chat("a")))
        while not endpoint.counts()["open"]:
            await asyncio.sleep(0.01)
        return task

    async def go() -> list[Call]:
        async with Endpoint(latency=Latency.constant(60.0)) as endpoint:
            task = await work(endpoint)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await task
        return endpoint.calls

    [call] = asyncio.run(go())
    assert (call.status, call.gone) == (None, False)


def test_as_a_process_it_prints_its_address_first_and_writes_what_it_was_asked(tmp_path: Path) -> None:
    counts, calls = tmp_path / "counts.json", tmp_path / "calls.jsonl"
    command = [sys.executable, "-m", "asft.testing", "--latency", "constant:0", "--key", "sk-secret"]
    command += ["--counts", str(counts), "--calls", str(calls)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        port = port_of(process.stdout.readline().strip())

        async def go() -> Answer:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = {"model": "test", "messages": user("a")}
            writer.write(request(body, more="Authorization: Bearer sk-secret\r\n"))
            answer = await read(reader)
            writer.close()
            return answer

        assert asyncio.run(go())[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert json.loads(counts.read_text())["answered"] == 1
    [row] = map(json.loads, calls.read_text().splitlines())
    assert (row["digest"], row["attempt"], row["status"]) == (digest(user("a")).hex(), 0, 200)
    assert "sk-secret" not in counts.read_text() + calls.read_text()
