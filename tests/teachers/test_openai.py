"""The `openai` teacher against a real endpoint on loopback: what comes back, and what goes wrong."""

import asyncio
import json
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from asft.budget import Prices
from asft.engine import Endpoint, Engine, Job, Outcome
from asft.errors import FatalError, GaveUpError, PluginError, RequestError, RetryableError
from asft.journal import Journal
from asft.registry import make
from asft.serve import serving
from asft.teachers.openai import OpenAI, seed_of
from asft.types import Ceiling, Message, Reply, Request, Sampling, Script

KEY = "sk-marker-5f1c"


def ask(text: str = "Hello?", **more: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), sampling=Sampling(max_tokens=20), **more)


class Faulty:
    """Says the prompt again, and fails by prompt and try: "429 hang" fails so at its first and second try."""

    def __init__(self) -> None:
        self.tries: Counter[str] = Counter()
        self.asked: list[Request] = []

    async def reply(self, request: Request) -> Reply:
        prompt = request.messages[-1].content
        faults = prompt.split()
        self.asked.append(request)
        fault = faults[self.tries[prompt]] if self.tries[prompt] < len(faults) else ""
        self.tries[prompt] += 1
        if fault == "429":
            raise RetryableError("slow down", retry_after=0.01)
        if fault == "500":
            raise ZeroDivisionError("a fault of the endpoint")
        if fault == "503":
            raise RetryableError("overloaded")
        if fault == "reset":
            raise ConnectionResetError
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "400":
            raise RequestError("this prompt is too long")
        if fault == "401":
            raise FatalError(f"wrong key {KEY}")
        return Reply(text=prompt, finish="stop", input_tokens=9, output_tokens=4)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def call(request: Request, server: Any = None, **options: Any) -> Reply:
    async def go() -> Reply:
        async with serving(server or Faulty(), model="m") as base_url:
            return await OpenAI(**{"base_url": base_url, "model": "m", **options}).reply(request)

    return asyncio.run(go())


# Answers


def test_a_reply_has_text_finish_and_counts() -> None:
    reply = call(ask("Hello?"))
    assert replace(reply, seconds=0.0) == Reply(text="Hello?", finish="stop", input_tokens=9, output_tokens=4)


def test_messages_sampling_and_seed_arrive_as_asked() -> None:
    server = Faulty()
    request = Request(
        messages=(Message(role="system", content="é"), Message(role="user", content="Hello?")),
        sampling=Sampling(temperature=0.7, top_p=0.9, max_tokens=33),
        seed=5,
        draw=2,
        index=1,
    )
    call(request, server)
    [seen] = server.asked
    assert (seen.messages, seen.sampling, seen.seed) == (request.messages, request.sampling, seed_of(request))


def test_runs_draws_and_indices_have_seeds_of_their_own() -> None:
    requests = [ask(seed=seed, draw=draw, index=i) for seed in (0, 1) for draw in (0, 1) for i in (0, 1)]
    seeds = {seed_of(request) for request in requests}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_an_extra_field_is_sent_and_the_limit_by_the_name_that_the_endpoint_knows() -> None:
    with pytest.raises(RequestError, match="not offered here: top_k"):
        call(ask(), extra_body={"top_k": 5})
    assert call(ask(), limit_field="max_completion_tokens").text == "Hello?"


def test_one_client_serves_many_calls_at_once_and_without_opening_each_has_its_own() -> None:
    async def go() -> list[str]:
        async with serving(Faulty(), model="m") as base_url:
            teacher = OpenAI(base_url=base_url, model="m")
            alone = await teacher.reply(ask("alone"))
            async with teacher:
                together = await asyncio.gather(*(teacher.reply(ask(f"p{n}")) for n in range(30)))
            return [alone.text, *(reply.text for reply in together)]

    assert asyncio.run(go()) == ["alone", *(f"p{n}" for n in range(30))]


def test_the_cost_is_by_the_prices_and_unknown_without(told: Callable[..., Reply]) -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    body = {"choices": [{"message": {"content": "six"}}], "usage": usage}
    prices = {"input": 2, "cached_input": 1, "output": 8}
    # (600 x 2 + 400 x 1 + 100 x 8) / 1e6
    assert told(body, prices=prices).cost_usd == 0.0024
    # (1000 x 2 + 70 x 8 + 30 x 10) / 1e6
    assert told(body, prices={"input": 2, "output": 8, "reasoning": 10}).cost_usd == 0.00286
    assert told(body).cost_usd is None


def test_what_the_model_refuses_is_left_out_and_the_journal_knows() -> None:
    server = Faulty()
    request = replace(ask(seed=5), sampling=Sampling(temperature=0.3, top_p=0.4, max_tokens=20))
    call(request, server, leave_out=["temperature", "seed"])
    [seen] = server.asked
    # What the endpoint takes where it is told nothing.
    assert (seen.sampling.temperature, seen.sampling.top_p, seen.seed) == (1.0, 0.4, 0)
    assert OpenAI(model="m", leave_out=("seed",)).identity["leave_out"] == ["seed"]


def test_the_limit_goes_by_the_name_that_the_address_makes_likely_and_by_another_where_it_is_said(
    answering: Any,
) -> None:
    def sent(**options: Any) -> dict[str, Any]:
        sent: list[bytes] = []

        async def go() -> None:
            async with answering(200, b'{"choices": [{"message": {}}]}', None, sent) as address:
                # A proxy is sent what is for OpenAI's own address.
                proxy = {"proxy": address.removesuffix("/v1")} if "base_url" in options else {}
                teacher = OpenAI(**{"model": "m", "base_url": address, **proxy, **options})
                await teacher.reply(ask())

        asyncio.run(go())
        body: dict[str, Any] = json.loads(sent[0].partition(b"\r\n\r\n")[2])
        return body

    assert sent()["max_tokens"] == 20
    assert sent(limit_field="max_completion_tokens")["max_completion_tokens"] == 20
    openais = sent(base_url="http://api.openai.com/v1")
    assert openais["max_completion_tokens"] == 20
    assert "max_tokens" not in openais
    assert sent(base_url="http://api.openai.com/v1", limit_field="max_tokens")["max_tokens"] == 20


def test_who_is_billed_is_sent_as_the_recipe_says_and_from_the_environment_to_openai_alone(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(**options: Any) -> bytes:
        sent: list[bytes] = []

        async def go() -> None:
            async with answering(200, b'{"choices": [{"message": {}}]}', None, sent) as address:
                proxy = {"proxy": address.removesuffix("/v1")} if "base_url" in options else {}
                await OpenAI(**{"model": "m", "base_url": address, **proxy, **options}).reply(ask())

        asyncio.run(go())
        return sent[0].lower()

    monkeypatch.setenv("OPENAI_ORG_ID", "org-environment")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-environment")
    assert b"-environment" not in sent()
    named = sent(organization="org-recipe", project="proj-recipe")
    assert b"openai-organization: org-recipe" in named
    assert b"openai-project: proj-recipe" in named
    openais = sent(base_url="http://api.openai.com/v1", project="proj-recipe")
    assert b"openai-organization: org-environment" in openais
    assert b"openai-project: proj-recipe" in openais


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    server = Faulty()
    with pytest.raises(RequestError, match=r"'\\ud800'"):
        call(ask("\ud800"), server)
    assert server.asked == []


# Keys


def test_an_endpoint_on_this_machine_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert call(ask()).text == "Hello?"


def test_a_key_that_is_missing_is_told_before_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(FatalError, match=r"OPENAI_API_KEY is not set.*export OPENAI_API_KEY"):
        OpenAI(base_url="https://example.invalid/v1", model="m").check()


def shown(error: BaseException, teacher: OpenAI) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(teacher)


@pytest.mark.parametrize("key", [KEY, f"  {KEY}\n", f"{KEY}\n{KEY}", f"{KEY}é"])
def test_no_error_and_no_repr_shows_the_key_or_a_header(
    answering: Any, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    body = json.dumps({"error": {"message": f"wrong key {KEY} with 7-secret-7"}}).encode()

    async def go() -> str:
        async with answering(401, body, {"Content-Type": "application/json"}) as base_url:
            teacher = OpenAI(base_url=base_url, model="m", extra_headers={"X-Other": "7-secret-7"})
            with pytest.raises(FatalError) as caught:
                await teacher.reply(ask())
            return shown(caught.value, teacher) + repr(teacher.identity)

    text = asyncio.run(go())
    assert KEY not in text
    assert "7-secret-7" not in text


def test_a_header_takes_its_secret_from_the_environment_and_no_error_shows_it(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_KEY", "7-secret-7")
    heads: list[bytes] = []

    async def go() -> str:
        body = json.dumps({"error": {"message": "wrong gate key 7-secret-7"}}).encode()
        async with answering(401, body, {"Content-Type": "application/json"}, heads) as base_url:
            teacher = OpenAI(base_url=base_url, model="m", extra_headers={"X-Gate-Key": "Gate ${GATE_KEY}"})
            with pytest.raises(FatalError) as caught:
                await teacher.reply(ask())
            return shown(caught.value, teacher)

    assert "7-secret-7" not in asyncio.run(go())
    assert b"gate 7-secret-7" in heads[0].lower()


def test_a_header_without_its_variable_is_told_before_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATE_KEY", raising=False)
    teacher = OpenAI(model="m", extra_headers={"X-Gate-Key": "${GATE_KEY}"})
    with pytest.raises(
        FatalError, match=r"extra_headers names the environment variable GATE_KEY, which is not"
    ):
        teacher.check()


def test_what_is_asked_and_where_the_key_is_from_is_told_without_the_key() -> None:
    assert OpenAI(base_url="https://a.example/v1", model="m").check() == (
        "m at https://a.example/v1, with the key in OPENAI_API_KEY"
    )
    assert OpenAI(base_url="http://localhost/v1", model="m", key_env="NONE_HERE").check() == (
        "m at http://localhost/v1, without a key"
    )


# Options


def test_the_journal_knows_it_by_address_model_and_extra_fields() -> None:
    def known(**options: Any) -> Mapping[str, Any]:
        return OpenAI(**{"model": "m", **options}).identity

    ports = [known(base_url=f"http://{host}/v1") for host in ("localhost:8000", "127.0.0.1:9", "[::1]:7")]
    assert ports == [{"base_url": "local", "model": "m", "extra_body": {}}] * 3
    assert known(base_url="https://a.example/v1/") == known(base_url="https://a.example/v1")
    assert known(base_url="https://a.example/v1") != known(base_url="https://b.example/v1")
    assert known(known_as="pool")["base_url"] == "pool"
    assert known(extra_body={"top_k": 1}) != known()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"base_url": "api.example.com"}, "is no address"),
        ({"extra_body": {"max_tokens": 5}}, "must not hold max_tokens"),
        ({"timeout": 0}, "timeout"),
        ({"prices": {"input": 1, "output": 2, "cached": 1}}, r"prices\.cached"),
    ],
)
def test_an_option_that_cannot_work_is_told(options: dict[str, Any], says: str) -> None:
    with pytest.raises(PluginError, match=says):
        make("teacher", "openai", {"model": "m", **options})


def test_it_is_found_by_its_name_with_prices_from_a_recipe() -> None:
    teacher = make("teacher", "openai", {"model": "m", "prices": {"input": 0.15, "output": "0.6"}})
    assert teacher.prices == Prices(input=Decimal("0.15"), output=Decimal("0.6"))


# With the engine


def drive(path: Path, server: Faulty, prompts: list[str], **settings: Any) -> list[Outcome[str]]:
    def script(prompt: str) -> Script[str]:
        [reply] = yield [ask(prompt)]
        return reply.text

    def job(number: int, prompt: str) -> Job[str]:
        ceiling = Ceiling(requests=1, input_tokens=200, output_tokens=20)
        return Job(number=number, script=lambda: script(prompt), ceiling=ceiling)

    outcomes: list[Outcome[str]] = []

    def keep(outcome: Outcome[str]) -> bool:
        outcomes.append(outcome)
        return True

    async def go() -> None:
        async with serving(server, model="m") as base_url:
            teacher = OpenAI(base_url=base_url, model="m", timeout=0.5)
            endpoint = Endpoint.of(teacher, **{"backoff": 0.01, **settings})
            with Journal(path) as journal:
                async with Engine(journal, {"teacher": endpoint}) as engine:
                    todo = [job(number, prompt) for number, prompt in enumerate(prompts)]
                    await engine.drive(todo, round=1, step="write", on_result=keep)

    asyncio.run(go())
    return outcomes


def test_a_run_through_every_passing_fault_loses_no_row_and_mixes_none_up(tmp_path: Path) -> None:
    faults = ["429", "500", "503", "reset", "hang", "400", "429 500 reset 503", ""]
    prompts = [f"{faults[n % len(faults)]} p{n}".strip() for n in range(64)]
    server = Faulty()
    outcomes = drive(tmp_path / "j", server, prompts)
    refused = [prompt.startswith("400") for prompt in prompts]
    assert [outcome.result for outcome in outcomes] == [
        None if bad else prompt for bad, prompt in zip(refused, prompts, strict=True)
    ]
    assert all("this prompt is too long" in outcome.reason for outcome in outcomes if outcome.result is None)
    # One try beyond each fault that passes.
    wanted = {p: 1 if p.startswith("400") else 1 + sum(w in faults for w in p.split()) for p in prompts}
    assert server.tries == wanted
    with Journal(tmp_path / "j") as journal:
        [total] = journal.sums()
    # Eight prompts hang once; each of the others was answered or refused once.
    assert (total.requests, total.timeouts, total.refusals) == (64 + 8, 8, 8)


def test_replies_without_counts_are_counted_as_estimates_with_their_price(
    tmp_path: Path, answering: Any
) -> None:
    def script() -> Script[str]:
        replies = yield [ask("abcdef", index=index) for index in range(3)]
        return replies[0].text

    async def go() -> None:
        body = b'{"choices": [{"message": {"content": "six"}, "finish_reason": "stop"}]}'
        async with answering(200, body) as base_url:
            prices = Prices(input=Decimal(1_000_000), output=Decimal(2_000_000))
            teacher = OpenAI(base_url=base_url, model="m", prices=prices)
            with Journal(tmp_path / "j") as journal:
                async with Engine(journal, {"teacher": Endpoint.of(teacher)}) as engine:
                    ceiling = Ceiling(requests=3, input_tokens=600, output_tokens=60)
                    job = Job(number=0, script=script, ceiling=ceiling)
                    await engine.drive([job], round=1, step="write", on_result=lambda outcome: True)

    asyncio.run(go())
    with Journal(tmp_path / "j") as journal:
        [total] = journal.sums()
    # Six bytes in and three out, three to a token: 2 x 1 + 1 x 2 dollars each.
    assert (total.requests, total.estimated) == (3, 3)
    assert (total.input_tokens, total.output_tokens, total.cost_usd) == (6, 3, 12.0)


def test_a_wrong_key_stops_the_run_and_stands_in_no_file(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="answers 401: wrong key") as caught:
        drive(tmp_path / "j", Faulty(), ["401 p", "q"])
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_an_endpoint_that_stays_down_stops_the_run_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GaveUpError, match=r"did not answer a request in 3 tries.*answers 503: overloaded"):
        drive(tmp_path / "j", Faulty(), ["503 503 503 503"], tries=3)
