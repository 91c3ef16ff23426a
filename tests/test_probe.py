"""`asft probe` tells what an endpoint can do, and in one sentence why it cannot be used."""

import asyncio
import json
import random
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from asft.cli import main
from asft.serve import serving
from asft.teachers.rules import Rules
from asft.testing import Endpoint, Rate

Behave = Callable[[Mapping[str, Any]], tuple[int, dict[str, Any]]]
"""A chat completion request to the status and body of its answer."""
MODEL = {"id": "large-model"}
T = TypeVar("T")


@contextmanager
def served(behave: Behave, models: Any = (MODEL,), headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """An endpoint of these ways; gives its base_url. `models` None: it has no list of them."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if models is None or self.path != "/v1/models":
                self.answer(404, {"error": {"message": f"nothing at {self.path}"}})
            else:
                self.answer(200, {"object": "list", "data": list(models)})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                self.answer(404, {"error": {"message": f"nothing at {self.path}"}})
            else:
                self.answer(*behave(body))

        def answer(self, status: int, data: Mapping[str, Any]) -> None:
            body = json.dumps(data).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refuse(message: str, status: int = 400) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": message}}


def complete(*texts: str, tokens: int = 4, **more: Any) -> tuple[int, dict[str, Any]]:
    choices = [{"message": {"role": "assistant", "content": text}, **more} for text in texts]
    usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
    return 200, {"choices": choices, "usage": usage}


def able(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """It does all that it is asked."""
    if body.get("max_tokens", 0) > 4096:
        return refuse("This model's maximum context length is 4096 tokens. However, you requested more.")
    if body.get("n") == 2 and not body["temperature"]:
        return refuse("n must be 1 when using greedy sampling, got 2.")
    if body.get("response_format"):
        return complete('{"asft_number": 7}')
    if body.get("logprobs"):
        return complete("Hi.", logprobs={"content": [{"token": "Hi."}]})
    text = str(random.Random(body.get("seed")).random())
    return complete(*[text] * body.get("n", 1), tokens=min(16, body["max_tokens"]))


def unable(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """It refuses all that is not plain, as reasoning models do."""
    for name in ("max_tokens", "temperature", "top_p", "seed", "n", "logprobs", "response_format"):
        if name in body:
            return refuse(f"Unsupported parameter: '{name}' is not supported with this model.")
    if body["max_completion_tokens"] > 4096:
        return refuse(
            "max_completion_tokens is too large: this model supports at most 1,024 completion tokens"
        )
    status, answer = complete("Hi.")
    answer["usage"]["completion_tokens_details"] = {"reasoning_tokens": 3}
    return status, answer


def deaf(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """It takes everything, and does one thing."""
    text = f"<think>Hm.</think>{random.random()} {'on and on ' * 20}"
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


@contextmanager
def endpoint(**options: Any) -> Iterator[str]:
    """The public endpoint for tests, in a thread of its own."""
    with in_a_thread(Endpoint(**options)) as opened:
        yield opened.base_url


@contextmanager
def in_a_thread(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    opened, ended, given = threading.Event(), threading.Event(), list[T]()

    async def run() -> None:
        async with manager as made:
            given.append(made)
            opened.set()
            while not ended.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert opened.wait(10)
        yield given[0]
    finally:
        ended.set()
        thread.join()


def probed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, str], str]:
    """Name -> verdict and detail; and all that is printed."""
    assert main(["probe", *arguments]) == 0
    shown = capsys.readouterr().out
    _, table, *_ = shown.split("\n\n")
    return dict(line.split("  ", 1) for line in table.splitlines() if line[0] != " "), shown


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence on why the endpoint cannot be used."""
    assert main(["probe", *arguments]) == 1
    [*_, sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith("asft: ")
    return sentence


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's, with a certificate that nobody trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run([openssl, "req", "-x509", *made, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


# What it can do


def test_an_endpoint_that_can_do_everything_is_found_to(capsys: pytest.CaptureFixture[str]) -> None:
    with served(able, headers={"x-ratelimit-remaining-requests": "59"}) as url:
        found, shown = probed(capsys, url)
    verdicts = {name: detail.split()[0] for name, detail in found.items()}
    assert verdicts.pop("key") == "unknown"
    assert verdicts.pop("reasoning") == "no"
    assert set(verdicts.values()) == {"yes"}
    assert "4,096 tokens, says the refusal of more" in found["context length"]
    assert "ratelimit-remaining-requests 59" in found["rate limits"]
    assert "large-model, the only one" in found["model"]
    assert "leave_out" not in shown


def test_what_is_refused_is_a_no_and_the_advice_goes_round_it(capsys: pytest.CaptureFixture[str]) -> None:
    with served(unable) as url:
        found, shown = probed(capsys, url)
    for name in ("temperature", "top_p", "seed", "n", "logprobs", "JSON schema"):
        assert found[name].split()[0] == "no", name
    assert "max_completion_tokens: 4 tokens came where 16 are allowed; max_tokens is refused" in shown
    assert "hidden; 3 tokens of 4" in found["reasoning"]
    assert "an answer has at most 1,024 tokens" in found["context length"]
    told = yaml.safe_load(shown.split("For the recipe:")[1])
    assert told["teacher"]["limit_field"] == "max_completion_tokens"
    assert told["teacher"]["leave_out"] == ["seed", "temperature", "top_p"]


def test_what_has_no_effect_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    with served(deaf) as url:
        found, shown = probed(capsys, url)
    for name in ("token limit", "seed", "n", "logprobs", "JSON schema"):
        assert found[name].split()[0] == "ignored", name
    assert found["usage"].split()[0] == "no"
    assert found["context length"].split()[0] == "unknown"
    assert "<think>" in found["reasoning"]
    # Without token counts there is nothing to make a timeout of.
    assert "timeout" not in yaml.safe_load(shown.split("For the recipe:")[1])["teacher"]


def test_an_answer_that_is_cut_off_says_nothing_of_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    with served(lambda body: complete("{  ", finish_reason="length")) as url:
        found, _ = probed(capsys, url)
    assert found["JSON schema"].split()[0] == "unknown"


def test_a_context_length_in_the_list_of_models_is_taken_from_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served(able, models=[{**MODEL, "max_model_len": 2048}]) as url:
        found, _ = probed(capsys, url)
    assert "2,048 tokens, as max_model_len in the list of models" in found["context length"]


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 8,192 tokens. However, you requested 50000010 tokens.",
        "max_tokens=50000000 cannot be greater than max_model_len=8192. Please request fewer output tokens.",
        "the request exceeds the available context size (8192 tokens), try increasing it",
    ],
)
def test_a_context_length_is_read_from_the_refusal_of_more(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(lambda body: refuse(words) if body["max_tokens"] > 4096 else able(body)) as url:
        found, _ = probed(capsys, url)
    assert "yes      8,192 tokens" in found["context length"]


def test_the_advice_is_a_recipe_that_reads(capsys: pytest.CaptureFixture[str]) -> None:
    from asft import recipe

    with served(able) as url:
        _, shown = probed(capsys, url, "--key-env", "OTHER_KEY")
    told = yaml.safe_load(shown.split("For the recipe:")[1])
    assert told["teacher"]["key_env"] == "OTHER_KEY"
    assert told["teacher"]["timeout"] >= 30
    whole = {
        "per_round": 1,
        "task": {"use": "pocket"},
        "criterion": {"use": "loss"},
        "selector": {"use": "top"},
        "writer": {"use": "question_then_answer"},
        **told,
    }
    assert recipe.read(whole).settings["teacher"]["base_url"] == url


def test_calls_and_tokens_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    calls = []

    def counting(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        calls.append(body)
        return able(body)

    with served(counting) as url:
        assert main(["probe", url]) == 0
    # And the list of models.
    assert f"{len(calls) + 1} calls, {9 * (len(calls) - 1)} tokens in" in capsys.readouterr().err
    assert len(calls) == 30


def test_a_rate_limit_is_waited_for_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    with endpoint(rate=Rate.parse("8")) as url:
        found, shown = probed(capsys, url)
    assert "too many (429)" in shown
    assert "unknown" not in found["n"]
    told = yaml.safe_load(shown.split("For the recipe:")[1])
    assert told["engine"]["concurrency"] == "auto"


def test_the_endpoint_of_asft_serve_is_probed(capsys: pytest.CaptureFixture[str]) -> None:
    with in_a_thread(serving(Rules(), model="rules")) as url:
        found, _ = probed(capsys, url)
    assert found["n"].split(maxsplit=1)[1].startswith("refused: n = 2 is not offered here")


def test_a_recipe_names_the_endpoint_and_options_change_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {
        "per_round": 1,
        "task": {"use": "pocket"},
        "criterion": {"use": "loss"},
        "selector": {"use": "top"},
        "writer": {"use": "question_then_answer"},
    }
    path = tmp_path / "recipe.yaml"
    with served(able) as url:
        teacher = {"use": "openai", "base_url": url, "model": "small-model", "leave_out": ["seed"]}
        path.write_text(yaml.safe_dump({**settings, "teacher": teacher}))
        found, shown = probed(capsys, str(path), "--model", "large-model")
    assert "the recipe leaves it out" in found["seed"]
    assert f"{url}, model large-model" in shown
    path.write_text(yaml.safe_dump({**settings, "teacher": {"use": "rules"}}))
    assert "its teacher is no `openai`, which alone can be probed" in refused(capsys, str(path))


def test_of_a_recipe_the_teacher_alone_must_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    with served(able) as url:
        teacher = {"use": "openai", "base_url": url, "model": "large-model"}
        path.write_text(yaml.safe_dump({"teacher": teacher}))
        _, shown = probed(capsys, str(path))
    assert f"{url}, model large-model" in shown
    path.write_text(yaml.safe_dump({"teacher": {**teacher, "modle": "x"}}))
    told = refused(capsys, str(path))
    assert "teacher: unknown option 'modle', did you mean 'model'?" in told
    assert "per_round" not in told


# Why it cannot be used


def test_a_wrong_key_is_told_and_never_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with endpoint(key="sk-right") as url:
        assert "wants a key, and OPENAI_API_KEY is not set" in refused(capsys, url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-marker")
        assert "refuses the key in OPENAI_API_KEY (401: this key is not known here)" in refused(capsys, url)
    echo = {"error": {"message": "no such key: sk-wrong-marker"}}
    with served(lambda body: (403, echo)) as url:
        sentence = refused(capsys, url)
    assert "no such key: ***" in sentence
    assert "marker" not in sentence


def test_a_right_key_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-right")
    with endpoint(key="sk-right") as url:
        found, shown = probed(capsys, url, "--key-env", "MY_KEY")
    assert found["key"].split(maxsplit=1) == ["yes", "the one in MY_KEY is taken"]
    assert "sk-right" not in shown


def test_a_wrong_model_is_told_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    with endpoint(model="large-model") as url:
        assert "knows no model 'lage-model'; did you mean 'large-model'?" in refused(
            capsys, url, "--model", "lage-model"
        )
        assert "it lists large-model" in refused(capsys, url, "--model", "xyz")


def test_several_models_want_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    with served(able, models=[{"id": name} for name in "abcde"]) as url:
        assert "say with --model which model is meant; it lists a, b, c and 2 more" in refused(capsys, url)


def test_a_server_that_is_down_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with served(able) as url:
        pass
    sentence = refused(capsys, url)
    assert "nothing listens at 127.0.0.1:" in sentence
    assert "start the server, or correct base_url" in sentence


def test_a_name_that_leads_nowhere_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert "the name no-such-host.invalid leads nowhere" in refused(capsys, "http://no-such-host.invalid/v1")


def test_tls_to_a_plain_port_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with served(able) as url:
        plain = url.removeprefix("http://")
        assert f"speaks no TLS; write base_url as {url}" in refused(capsys, f"https://{plain}")


def test_a_plain_call_of_a_tls_port_is_told(capsys: pytest.CaptureFixture[str], tls: ssl.SSLContext) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        where = f"127.0.0.1:{server.server_port}/v1"
        assert f"the server speaks TLS; write base_url as https://{where}" in refused(
            capsys, f"http://{where}"
        )
        assert "is not to be trusted" in refused(capsys, f"https://{where}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_takes_connections_and_says_nothing_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asft.probe.asking.LISTING", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sentence = refused(capsys, f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
    assert "takes connections, and asked for its models it gives no answer within 0.2 s" in sentence


def test_an_address_without_its_end_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with served(able) as url:
        short = url.removesuffix("/v1")
        for arguments in ([short], [short, "--model", "large-model"]):
            assert f"{short} is not the whole address; write base_url as {url}" in refused(capsys, *arguments)


def test_what_is_no_completion_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with served(lambda body: (200, {"hello": "world"})) as url:
        assert "what it says is no chat completion" in refused(capsys, url)
    with served(lambda body: refuse("the engine is on fire", 500)) as url:
        assert f"{url} answers 500: the engine is on fire" in refused(capsys, url)
    with served(lambda body: refuse("you exceeded your current quota", 429)) as url:
        assert "is asked too often, or the account has no credit (429: you exceeded" in refused(capsys, url)
