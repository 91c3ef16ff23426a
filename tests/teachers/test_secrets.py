"""Secrets of the environment appear in no file of a run, on no stream and in no report."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from asft.cli import main

KEY, GATE, PASSWORD = "sk-marker-41c7aa", "gate-marker-93be", "proxy-marker-55d0"
MARKERS = (KEY, GATE, PASSWORD)


@pytest.fixture
def served() -> Iterator[str]:
    """The address of the rules teacher, as a process of its own."""
    command = [sys.executable, "-m", "asft", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        line = next(line for line in server.stdout if "http://" in line)
        yield "http://" + line.partition("http://")[2].split()[0]
        server.terminate()


def test_a_run_through_an_endpoint_shows_and_keeps_no_secret(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GATE_KEY", GATE)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:9")
    endpoint = {
        "use": "openai",
        "base_url": served,
        "model": "rules",
        "extra_headers": {"X-Gate-Key": "${GATE_KEY}"},
        "prices": {"input": 1, "output": 2},
    }
    recipe = {
        "name": "nano",
        "rounds": 1,
        "per_round": 2,
        "task": {"use": "pocket", "seeds": 4, "tests": 4},
        "student": {"base": "pocket", "max_new_tokens": 4},
        "teacher": {"use": "pool", "members": [endpoint, {**endpoint, "weight": 2}]},
        "criterion": {"use": "loss"},
        "selector": {"use": "random"},
        "writer": {"use": "question_then_answer"},
        "train": {"max_steps": 1},
    }
    Path("nano.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    told = ""
    for command in (
        ["check", "nano.yaml"],
        ["run", "nano.yaml", "--out", "run"],
        ["report", "run"],
        ["journal", "show", "run"],
        ["journal", "stats", "run"],
        ["journal", "export", "run", "--out", "run/export.jsonl"],
    ):
        assert main(command) == 0
        streams = capfd.readouterr()
        told += streams.out + streams.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    assert {"journal.sqlite", "report.html", "recipe.lock.json", "export.jsonl"} <= {p.name for p in files}
    assert "question" in told
    for marker in MARKERS:
        assert marker not in told
        assert marker.encode() not in kept
