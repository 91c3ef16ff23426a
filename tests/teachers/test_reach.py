"""Whether a teacher can be reached, asked before anything is measured and at no cost."""

import asyncio
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from asft.errors import FatalError
from asft.registry import make
from asft.testing import Endpoint

KEY = "sk-marker-77d0"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def reach(endpoint: Endpoint, **options: Any) -> list[str]:
    async def go() -> list[str]:
        async with endpoint:
            given = {"model": "test", "base_url": endpoint.base_url, **options}
            found: list[str] = await make("teacher", "openai", given).reach()
            assert not endpoint.calls, "it costs nothing"
            return found

    return asyncio.run(go())


def test_nothing_is_said_of_an_endpoint_that_lists_the_model() -> None:
    assert reach(Endpoint(key=KEY)) == []


def test_a_key_that_is_refused_is_told_with_where_it_is_from() -> None:
    with pytest.raises(FatalError, match=r"answers 401: .* Set OPENAI_API_KEY to a key") as caught:
        reach(Endpoint(key="another"))
    assert KEY not in str(caught.value)


def test_a_model_that_does_not_exist_is_told_with_the_nearest_name() -> None:
    told = r"answers 404: .* lists no model 'large-modl'; did you mean 'large-model'\?$"
    with pytest.raises(FatalError, match=told):
        reach(Endpoint(model="large-model"), model="large-modl")


class Gateway(BaseHTTPRequestHandler):
    """Lists one model, and takes others as well."""

    asked: ClassVar[list[Any]] = []

    def do_GET(self) -> None:
        self._say(200, {"data": [{"id": "listed"}]})

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._say(400, {"error": {"message": "messages: at least one is wanted"}})

    def _say(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_model_that_a_gateway_knows_and_does_not_list_is_a_warning() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        teacher = make("teacher", "openai", {"model": "other", "base_url": url})
        [told] = asyncio.run(teacher.reach())
        server.shutdown()
    assert told == f"{url} lists no model 'other'; it lists listed"
    assert [one["messages"] for one in Gateway.asked] == [[]], "nothing is asked that could cost anything"


def test_what_speaks_no_tls_is_told() -> None:
    endpoint = Endpoint()

    async def go() -> None:
        async with endpoint:
            url = endpoint.base_url.replace("http:", "https:")
            await make("teacher", "openai", {"model": "test", "base_url": url}).reach()

    with pytest.raises(FatalError, match="speaks no TLS"):
        asyncio.run(go())


def test_a_pool_is_reached_where_one_member_is_and_tells_of_the_others(nobody: str) -> None:
    def member(url: str) -> dict[str, Any]:
        return {"use": "openai", "model": "test", "base_url": url}

    async def go() -> list[str]:
        async with Endpoint() as endpoint:
            members = [member(nobody), member(endpoint.base_url)]
            found: list[str] = await make("teacher", "pool", {"members": members}).reach()
            return found

    [told] = asyncio.run(go())
    assert told.startswith(f"members.0: {nobody} cannot be reached: nothing listens there")
    with pytest.raises(FatalError, match=r"members\.0: .*; members\.1: "):
        asyncio.run(make("teacher", "pool", {"members": [member(nobody), member(nobody)]}).reach())
