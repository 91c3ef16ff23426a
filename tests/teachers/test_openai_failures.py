"""What goes wrong with a call: one clear sentence with the next step, and whether it may be tried again."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from asft.errors import FatalError, PluginError, RequestError, RetryableError, TeacherError
from asft.registry import make
from asft.teachers.openai import OpenAI
from asft.teachers.openai.failures import Failures
from asft.types import Message, Reply, Request

Told = Callable[..., Reply]
ASKED = Request(messages=(Message(role="user", content="Hello?"),))
ANSWER = json.dumps({"choices": [{"message": {"content": "Hello."}}]}).encode()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_PROXY".upper(), raising=False)


def ask(base_url: str, **options: Any) -> Reply:
    return asyncio.run(OpenAI(base_url=base_url, model="m", **options).reply(ASKED))


# Answers that are errors


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_may_be_tried_again_and_charges_nothing(told: Told, status: int) -> None:
    with pytest.raises(RetryableError, match=f"answers {status}: busy") as caught:
        told({"error": {"message": "busy"}}, status)
    assert (caught.value.charged, caught.value.retry_after) == (False, None)
    assert caught.value.rate_limited == (status == 429)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_one_request_is_said_of_it_alone(told: Told, status: int) -> None:
    with pytest.raises(RequestError, match=f"answers {status}: too long"):
        told({"error": {"message": "too long"}}, status)


@pytest.mark.parametrize(
    ("status", "next_step"),
    [
        (401, "Set OPENAI_API_KEY to a key"),
        (403, "Set OPENAI_API_KEY to a key"),
        (404, "Check model 'm', and base_url"),
        (405, "Check base_url"),
        (402, "no credit left"),
    ],
)
def test_what_is_wrong_with_every_request_is_fatal_and_has_a_next_step(
    told: Told, status: int, next_step: str
) -> None:
    with pytest.raises(FatalError, match=f"answers {status}: no.*{next_step}"):
        told({"error": {"message": "no"}}, status)


def test_an_empty_account_is_no_rate_limit(told: Told) -> None:
    with pytest.raises(FatalError, match="no credit left"):
        told({"error": {"message": "quota", "code": "insufficient_quota"}}, 429)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (
            {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "param": "max_tokens",
                "code": "unsupported_parameter",
            },
            "limit_field: max_completion_tokens",
        ),
        (
            {"message": "Unrecognized request argument supplied: `max_completion_tokens`"},
            "limit_field: max_tokens",
        ),
        (
            {
                "message": "Unsupported value: 'temperature' does not support 0.7 with this model. "
                "Only the default (1) value is supported.",
                "param": "temperature",
                "code": "unsupported_value",
            },
            r"leave_out: \[temperature\]",
        ),
        ({"message": "`top_p` is deprecated for this model."}, r"leave_out: \[top_p\]"),
        (
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "not permitted"}]},
            r"leave_out: \[seed\]",
        ),
    ],
)
def test_a_field_that_the_model_refuses_stops_the_run_and_names_the_key_of_the_recipe(
    told: Told, error: dict[str, Any], key: str
) -> None:
    body = error if "detail" in error else {"error": error}
    with pytest.raises(FatalError, match=f"In its section of the recipe, set `{key}`"):
        told(body, 400)


@pytest.mark.parametrize(
    "message",
    [
        "the prompt says 'temperature' in degrees and is " + "far " * 20 + "too long: not supported",
        "'max_tokens' is 20, and the prompt has 9000 more than fit",
        "temperature is too high",
    ],
)
def test_a_refusal_that_merely_names_a_field_is_about_the_request(told: Told, message: str) -> None:
    with pytest.raises(RequestError):
        told({"error": {"message": message}}, 400)


def test_an_error_under_status_200_is_taken_for_what_it_says(told: Told) -> None:
    with pytest.raises(RetryableError, match="answers 429: upstream is busy") as caught:
        told({"error": {"message": "upstream is busy", "code": 429}})
    assert (caught.value.rate_limited, caught.value.charged) == (True, False)
    with pytest.raises(FatalError, match="answers 401: no"):
        told({"error": {"message": "no", "code": 401}})


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b"<html>", {"choices": []}, {"error": "broken"}])
def test_a_reply_that_is_none_may_be_tried_again_and_counts_as_charged(told: Told, body: Any) -> None:
    with pytest.raises(RetryableError, match="gives a reply that is none") as caught:
        told(body)
    assert caught.value.charged


# Connections


async def served(connected: Any, options: dict[str, Any], scheme: str = "http") -> Reply:
    """What a call of a server of this kind gives."""
    over = asyncio.Event()

    async def to_its_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await connected(reader, writer)
            writer.close()
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(to_its_end, "127.0.0.1", 0)
    async with server:
        base_url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        try:
            return await OpenAI(base_url=base_url, model="m", **options).reply(ASKED)
        finally:
            await over.wait()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the request, and never answers."""
    await reader.read(-1)


async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks HTTP alone, and says so."""
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)


def failed(connected: Any, scheme: str = "http", **options: Any) -> TeacherError:
    with pytest.raises(TeacherError) as caught:
        asyncio.run(served(connected, options, scheme))
    return caught.value


@pytest.mark.parametrize("options", [{"timeout": 0.2}, {"first_byte_timeout": 0.2, "timeout": 60}])
def test_a_reply_that_does_not_come_counts_as_charged(options: Any) -> None:
    error = failed(silent, **options)
    assert isinstance(error, RetryableError)
    assert "no reply within 0.2 s" in str(error)
    assert error.charged


def test_a_connection_that_is_not_made_in_time_charges_nothing() -> None:
    # TLS to a port that stays silent: the handshake is a part of the connection.
    error = failed(silent, "https", connect_timeout=0.2)
    assert isinstance(error, RetryableError)
    assert "no connection within 0.2 s. Check its host and port" in str(error)
    assert not error.charged


def test_tls_to_a_plain_port_is_fatal_and_names_the_scheme() -> None:
    error = failed(refusing, "https")
    assert isinstance(error, FatalError)
    assert "speaks no TLS. Write base_url with http://" in str(error)


def test_a_connection_that_breaks_off_may_be_tried_again_and_charges_nothing() -> None:
    error = failed(closing)
    assert isinstance(error, RetryableError)
    assert "breaks off" in str(error)
    assert "base_url begins with https://" in str(error)
    assert not error.charged


def test_a_port_where_nothing_listens_is_told() -> None:
    told = r"127\.0\.0\.1:9/v1 cannot be reached: nothing listens there. Check that the server runs"
    with pytest.raises(RetryableError, match=told) as caught:
        ask("http://127.0.0.1:9/v1")
    assert not caught.value.charged


def test_a_host_that_does_not_exist_is_told_by_its_name() -> None:
    with pytest.raises(RetryableError, match=r"name of the host is not known. Check how 'no\.invalid'"):
        ask("https://no.invalid/v1")


def test_a_certificate_that_is_not_trusted_is_fatal() -> None:
    untrusted = ssl.SSLCertVerificationError("certificate verify failed")
    untrusted.verify_message = "self-signed certificate"
    error = ConnectionError()
    import httpx2

    error.__cause__ = httpx2.ConnectError("certificate verify failed")
    error.__cause__.__cause__ = untrusted
    failures = Failures(
        base_url="https://a.example/v1",
        model="m",
        key_env="K",
        proxy="",
        timeout=1.0,
        connect_timeout=1.0,
        first_byte_timeout=1.0,
        secrets=(),
    )
    told = failures.unreachable(error)
    assert isinstance(told, FatalError)
    assert "its certificate is not trusted (self-signed certificate)" in str(told)
    assert "SSL_CERT_FILE" in str(told)


# Proxies


def through(answering: Any, status: int = 200, **options: Any) -> tuple[Reply, bytes]:
    """A call of http://teacher.example through a proxy, and what the proxy was sent."""
    sent: list[bytes] = []

    async def go() -> Reply:
        async with answering(status, ANSWER, {"Content-Type": "application/json"}, sent) as address:
            port = address.rpartition(":")[2].removesuffix("/v1")
            with pytest.MonkeyPatch.context() as patched:
                for name in options.pop("environment", ()):
                    patched.setenv(name, f"http://user:proxy-marker-1@127.0.0.1:{port}")
                teacher = OpenAI(**{"base_url": "http://teacher.example/v1", "model": "m", **options})
                return await teacher.reply(ASKED)

    return asyncio.run(go()), b"".join(sent)


LOGIN = base64.b64encode(b"user:proxy-marker-1")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_asked_for_other_machines(answering: Any, name: str) -> None:
    reply, sent = through(answering, environment=[name])
    assert reply.text == "Hello."
    assert sent.startswith(b"POST http://teacher.example/v1/chat/completions HTTP/1.1")
    assert LOGIN in sent


def test_a_host_that_the_environment_leaves_out_is_asked_directly(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "teacher.invalid")
    with pytest.raises(RetryableError, match="the name of the host is not known"):
        through(answering, environment=["HTTP_PROXY"], base_url="http://teacher.invalid/v1")


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert told(json.loads(ANSWER)).text == "Hello."


def test_a_proxy_of_the_recipe_takes_its_secret_from_the_environment(answering: Any) -> None:
    reply, sent = through(answering, environment=["MY_PROXY"], proxy="${MY_PROXY}")
    assert reply.text == "Hello."
    assert LOGIN in sent


def test_a_proxy_that_is_down_or_refuses_is_told_without_its_password(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PROXY", "http://user:proxy-marker-1@127.0.0.1:9")
    teacher = OpenAI(base_url="https://teacher.example/v1", model="m", proxy="${MY_PROXY}")
    assert teacher.check().endswith("through the proxy 127.0.0.1:9")
    with pytest.raises(RetryableError, match=r"through the proxy 127\.0\.0\.1:9: nothing listens") as caught:
        asyncio.run(teacher.reply(ASKED))
    assert "proxy-marker-1" not in str(caught.value) + repr(teacher)
    with pytest.raises(RetryableError, match=r"the proxy 127\.0\.0\.1:\d+ refuses the way there"):
        through(
            answering,
            407,
            environment=["MY_PROXY"],
            proxy="${MY_PROXY}",
            base_url="https://teacher.example/v1",
        )


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("http://user:pw@host:8080", "proxy holds a user or a password"),
        ("host:8080", "is no address; give it like http://host:8080"),
    ],
)
def test_a_proxy_that_is_none_or_would_be_written_down_with_its_password_is_refused(
    proxy: str, says: str
) -> None:
    with pytest.raises(PluginError, match=says):
        make("teacher", "openai", {"model": "m", "proxy": proxy})


def test_a_proxy_whose_variable_is_missing_or_no_address_is_told_before_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teacher = OpenAI(model="m", proxy="${MY_PROXY}")
    with pytest.raises(FatalError, match=r"proxy names the environment variable MY_PROXY, which is not set"):
        teacher.check()
    monkeypatch.setenv("MY_PROXY", "proxy-marker-1")
    with pytest.raises(FatalError, match=r"proxy = '\$\{MY_PROXY\}' is no address") as caught:
        teacher.check()
    assert "proxy-marker-1" not in str(caught.value)
