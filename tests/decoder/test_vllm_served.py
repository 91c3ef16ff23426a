"""A vLLM server decodes for the student, against an endpoint on loopback that has the same model."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asft import decoder, student
from asft.decoder.vllm import served
from asft.decoder.vllm.served import Served
from asft.errors import FatalError
from asft.tasks.pocket.task import Pocket
from tests.decoder import fake_vllm

SEEDS = Pocket(seeds=4).load("seed")
PROMPTS = [example.prompt for example in SEEDS]
IDS = [example.id for example in SEEDS]


class Endpoint(ThreadingHTTPServer):
    """What a vLLM server answers, as far as a student is decoded with it."""

    def __init__(self, model: Any) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = model
        self.names = ["base"]
        self.calls: list[tuple[str, Any]] = []
        self.keys: set[str | None] = set()
        self.fails: list[int] = []
        self.one_at_a_time = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def asked(self, path: str) -> list[Any]:
        return [body for called, body in self.calls if called == path]


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        self.handled(None)

    def do_POST(self) -> None:
        self.handled(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def handled(self, body: Any) -> None:
        at = self.server
        with at.one_at_a_time:
            at.keys.add(self.headers.get("Authorization"))
            at.calls.append((self.path, body))
            if at.fails:
                told = f"not now, {self.headers.get('Authorization')}"
                self.answered(at.fails.pop(), {"error": {"message": told}})
            elif self.path == "/v1/models":
                self.answered(200, {"data": [{"id": name} for name in at.names]})
            elif self.path == "/v1/load_lora_adapter":
                at.names.append(body["lora_name"])
                self.answered(200, "Success: LoRA adapter added successfully.")
            elif self.path == "/v1/unload_lora_adapter":
                at.names.remove(body["lora_name"])
                self.answered(200, "Success")
            else:
                made = fake_vllm.written(at.model, body["prompt"], body)
                pairs = zip(made.token_ids, made.logprobs, strict=True)
                chosen = {
                    "tokens": [f"token_id:{token}" for token in made.token_ids],
                    "token_logprobs": [row[token].logprob for token, row in pairs],
                }
                self.answered(200, {"choices": [{"text": "?", "logprobs": chosen}]})

    def answered(self, code: int, content: Any) -> None:
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def endpoint(pocket: student.Loaded) -> Iterator[Endpoint]:
    with Endpoint(pocket.model) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def served_by(endpoint: Endpoint, **settings: Any) -> Served:
    return Served(**{"base_url": endpoint.url, "at_once": 3, "model": None, "key": None, **settings})


def test_greedy_answers_are_those_of_transformers_with_the_nll_of_their_tokens(
    pocket: student.Loaded, endpoint: Endpoint
) -> None:
    seen: list[int] = []
    expected = decoder.decode(pocket, PROMPTS, max_new_tokens=40, stats=True)
    found = decoder.decode(
        pocket, PROMPTS, max_new_tokens=40, stats=True, by=served_by(endpoint), progress=seen.append
    )
    for one, wanted in zip(found, expected, strict=True):
        assert (one.answer.text, one.answer.finish) == (wanted.answer.text, wanted.answer.finish)
        assert one.nll is not None
        assert wanted.nll is not None
        np.testing.assert_allclose(one.nll, wanted.nll, atol=1e-4)
    assert seen == [1, 2, 3, 4]
    assert {body["model"] for body in endpoint.asked("/v1/completions")} == {"base"}


def test_samples_are_asked_for_with_a_seed_of_their_own(pocket: student.Loaded, endpoint: Endpoint) -> None:
    decoder.sample(
        pocket,
        PROMPTS[:1],
        IDS[:1],
        k=2,
        temperature=0.7,
        top_p=0.9,
        max_new_tokens=3,
        by=served_by(endpoint, model="other"),
    )
    asked = sorted(endpoint.asked("/v1/completions"), key=lambda body: str(body["seed"]))
    seeds = [decoder.Chance(seed=0, example_id=IDS[0], index=i, temperature=0.7).number for i in (0, 1)]
    assert [body["seed"] for body in asked] == sorted(seeds, key=str)
    for body in asked:
        assert (body["model"], body["temperature"], body["top_p"]) == ("other", 0.7, 0.9)
        assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (-1, 0.0, 1.0)
        assert body["prompt"] == student.prompt_ids(pocket.tokenizer, PROMPTS[:1])[0]


def test_an_adapter_is_loaded_once_and_taken_out_at_the_end(
    pocket: student.Loaded, endpoint: Endpoint, tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model

    base = student.load(student.Student(), "cpu")
    get_peft_model(base.model, LoraConfig(r=4, task_type="CAUSAL_LM")).save_pretrained(str(tmp_path))
    server = served_by(endpoint)
    with student.wearing(pocket, str(tmp_path)) as loaded:
        for _ in range(2):
            decoder.answer(loaded, PROMPTS[:1], max_new_tokens=2, by=server)
    [asked] = endpoint.asked("/v1/load_lora_adapter")
    assert asked["lora_path"] == str(tmp_path.resolve())
    assert {body["model"] for body in endpoint.asked("/v1/completions")} == {asked["lora_name"]}
    server.close()
    server.close()
    assert endpoint.names == ["base"]
    assert len(endpoint.asked("/v1/unload_lora_adapter")) == 1


def test_what_fails_for_the_moment_is_asked_again(
    pocket: student.Loaded, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "WAITS", (0.0, 0.0))
    endpoint.fails = [503, 500]
    assert decoder.answer(pocket, PROMPTS[:1], max_new_tokens=4, by=served_by(endpoint))[0].text
    endpoint.fails = [503, 500, 503]
    with pytest.raises(FatalError, match=r"/v1/models: HTTP 503: .*not now"):
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=4, by=served_by(endpoint))


def test_what_it_refuses_is_told_at_once(pocket: student.Loaded, endpoint: Endpoint) -> None:
    endpoint.fails = [404]
    with pytest.raises(FatalError, match=r"HTTP 404: .*not now"):
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=4, by=served_by(endpoint))
    assert len(endpoint.calls) == 1


def test_a_whole_model_is_not_for_a_server_that_runs(
    pocket: student.Loaded, endpoint: Endpoint, tmp_path: Path
) -> None:
    pocket.model.save_pretrained(tmp_path)
    worn = replace(pocket, student=student.Student(adapter=str(tmp_path)))
    with pytest.raises(FatalError, match=r"takes in adapters alone; leave out student\.vllm\.base_url"):
        decoder.answer(worn, PROMPTS[:1], max_new_tokens=4, by=served_by(endpoint))
    assert endpoint.calls == []


def test_a_server_that_is_not_there_is_told(pocket: student.Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "WAITS", (0.0,))
    nowhere = Served(base_url="http://127.0.0.1:1/v1", at_once=1, model=None, key=None)
    with pytest.raises(FatalError, match=r"127.0.0.1:1/v1/models: .*refused; see student.vllm"):
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=4, by=nowhere)


def test_the_key_comes_from_the_environment_and_is_told_nowhere(
    pocket: student.Loaded, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = served_by(endpoint, key="STUDENT_KEY")
    with pytest.raises(FatalError, match="STUDENT_KEY, which is not set"):
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=2, by=asked)
    monkeypatch.setenv("STUDENT_KEY", "very-secret")
    decoder.answer(pocket, PROMPTS[:1], max_new_tokens=2, by=asked)
    assert endpoint.keys == {"Bearer very-secret"}
    endpoint.fails = [401]
    with pytest.raises(FatalError, match=r"HTTP 401: .*not now, Bearer \*\*\*") as caught:
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=2, by=asked)
    assert "very-secret" not in str(caught.value)
