"""A provider of somebody else, as README shows it: an installed package, found by name, in a whole run."""

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft.errors import FatalError, RetryableError
from asft.registry import make
from asft.teachers.rules import Rules
from asft.types import Message, Reply, Request, Sampling

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def block(language: str, holding: str) -> str:
    """The only block of README in a language that holds this text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    [found] = [one for one in blocks if holding in one]
    return str(found)


class OllamaLike(BaseHTTPRequestHandler):
    """Ollama's own API, with the rules behind it."""

    asked: list[str]
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body["stream"] is False
        messages = tuple(Message(**message) for message in body["messages"])
        self.asked.append(messages[-1].content)
        sampling = Sampling(
            temperature=body["options"]["temperature"], max_tokens=body["options"]["num_predict"]
        )
        reply = asyncio.run(Rules().reply(Request(messages=messages, sampling=sampling)))
        told = {
            "model": body["model"],
            "message": {"role": "assistant", "content": reply.text},
            "done_reason": reply.finish,
            "done": True,
            "prompt_eval_count": reply.input_tokens,
            "eval_count": reply.output_tokens,
        }
        data = json.dumps(told).encode() if self.status == 200 else b'{"error": "no"}'
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server; what it was asked is in OllamaLike.asked."""
    monkeypatch.setattr(OllamaLike, "asked", [], raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), OllamaLike)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which the package is installed: the module, and its dist-info beside it."""
    site = tmp_path / "site"
    about = site / "asft_ollama-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "asft_ollama.py").write_text(block("python", "class Ollama"), "utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: asft-ollama\nVersion: 1.0\n")
    # What a build makes of the lines of pyproject.toml.
    group, entry = block("toml", "asft.teacher").splitlines()
    group = group.removeprefix('[project.entry-points."').removesuffix('"]')
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def asft(*arguments: str, where: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "asft", *arguments],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_installed_provider_is_listed_and_a_run_goes_through_it(
    tmp_path: Path, installed: dict[str, str], ollama: str
) -> None:
    listed = asft("list", "teacher", where=tmp_path, environment=installed)
    assert "teacher ollama(model, base_url='http://127.0.0.1:11434')  A model that Ollama serves" in listed
    recipe: dict[str, Any] = {
        "name": "nano",
        "rounds": 1,
        "per_round": 2,
        "task": {"use": "pocket", "seeds": 4, "tests": 4},
        "student": {"base": "pocket", "max_new_tokens": 4},
        "teacher": {"use": "ollama", "model": "some-model", "base_url": ollama},
        "criterion": {"use": "loss"},
        "selector": {"use": "random"},
        "writer": {"use": "question_then_answer"},
        "filters": [{"use": "well_formed"}],
        "train": {"max_steps": 1},
    }
    (tmp_path / "nano.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    asft("run", "nano.yaml", "--out", "run", where=tmp_path, environment=installed)
    rows = (tmp_path / "run/round-01/dataset.jsonl").read_text("utf-8").splitlines()
    assert len(rows) == 2
    assert len(OllamaLike.asked) >= 4
    summary = json.loads((tmp_path / "run/round-01/summary.json").read_text("utf-8"))
    paid = [row for row in summary["ledger"] if row["role"] == "teacher"]
    assert sum(row["requests"] for row in paid) == len(OllamaLike.asked)
    assert {row["cost_usd"] for row in paid} == {0.0}


def asked(teacher: Any) -> Reply:
    request = Request(messages=(Message(role="user", content="Hello?"),), sampling=Sampling(max_tokens=3))
    reply: Reply = asyncio.run(teacher.reply(request))
    return reply


def test_it_keeps_to_the_limit_and_tells_what_may_be_tried_again(
    tmp_path: Path, ollama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ollama.py"
    path.write_text(textwrap.dedent(block("python", "class Ollama")), "utf-8")
    [name] = re.findall(r"`use: (ollama\.py:\w+)`", README)
    monkeypatch.chdir(tmp_path)
    teacher = make("teacher", name, {"model": "m", "base_url": ollama})
    assert (asked(teacher).finish, asked(teacher).output_tokens) == ("length", 3)
    for status, error in ((404, FatalError), (503, RetryableError)):
        monkeypatch.setattr(OllamaLike, "status", status)
        with pytest.raises(error, match="no"):
            asked(teacher)
    with pytest.raises(RetryableError, match="cannot be reached"):
        asked(make("teacher", name, {"model": "m", "base_url": "http://127.0.0.1:9"}))
