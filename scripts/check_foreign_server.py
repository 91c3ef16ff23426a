"""Check `asft run` against a server that asft did not write: `transformers serve` with the pocket student.

    python scripts/check_foreign_server.py [--environment DIR] [--keep DIR]

The pocket student solves problems and cannot write any, so most drafts are unreadable: what is checked is
that a run ends as it says it does, that each draft has a verdict or the reason why it is none, and that
the ledger holds every call that the server answered. Three small runs: each writer with its shipped prompt,
and one with the bare question as prompt, which the student answers, so that this run gets to its end.

What the server needs (transformers[serving]) is taken from this interpreter, or installed into --environment
(default: .venv-serving in the clone). Prints the funnels; exits with 1 where something is wrong.
"""

import argparse
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from asft.journal import Journal
from asft.rundir import read_jsonl
from asft.steps.summary import phrase
from asft.student import POCKET
from asft.writers import REASONS

ROOT = Path(__file__).resolve().parent.parent
KEY = "FOREIGN_SERVER_KEY"
PACKAGES = {"transformers[serving]": "transformers", "torch": "torch"}
"""What the server needs -> whose version here it takes."""
PLAIN = """---
description: The question alone, which is all that the pocket student reads.
purpose: question
variables:
  question: A question.
---
{{ question }}
"""
LENGTHS = {"question_max_tokens": 160, "answer_max_tokens": 160}
WRITERS: dict[str, dict[str, Any]] = {
    "two-calls": {"use": "question_then_answer", **LENGTHS},
    "one-call": {"use": "question_with_answer", "max_tokens": 160},
    "plain": {
        "use": "question_then_answer",
        "question_prompt": "plain.md",
        "answer_prompt": "plain.md",
        **LENGTHS,
    },
}
FILTERS = ("well_formed", "duplicate", "not_in_test")
READY_SECONDS = 120
RUN_SECONDS = 600


def interpreter(environment: Path) -> str:
    """A Python that has `transformers serve`: this one where it has the extra, else one made for it."""
    if all(importlib.util.find_spec(name) for name in ("fastapi", "uvicorn")):
        return sys.executable
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        (environment / ".gitignore").write_text("*\n")
    # The local part of a version ("+cpu") is that of one build, and not in an index.
    wanted = [f"{name}=={version(which).partition('+')[0]}" for name, which in PACKAGES.items()]
    print(f"installing {' '.join(wanted)} into {environment}", flush=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return str(python)


def sampling_copy(folder: Path) -> Path:
    """The pocket student, made to sample.

    The server answers greedily, whatever the temperature, unless the model's own config says `do_sample`.
    """
    shutil.copytree(POCKET, folder)
    config = folder / "generation_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "do_sample": True}))
    return folder


@contextmanager
def serving(python: str, model: Path, log: Path) -> Iterator[str]:
    """`transformers serve` on a free port of loopback; its base_url."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    command = [python, "-m", "transformers.cli.transformers", "serve", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with log.open("w") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: "subprocess.Popen[bytes]", health: str, log: Path) -> None:
    started = time.monotonic()
    while time.monotonic() - started < READY_SECONDS:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(health, timeout=5):
                print(f"the server is ready after {time.monotonic() - started:.1f} s", flush=True)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    sys.exit(f"the server does not start:\n{log.read_text()[-2000:]}")


def recipe(case: str, base_url: str, model: Path) -> dict[str, Any]:
    """A round of few drafts."""
    # What the student says instead of a question does not end like one.
    filters = FILTERS[1:] if case == "plain" else FILTERS
    return {
        "name": case,
        "seed": 1,
        "rounds": 1,
        "per_round": 4,
        "max_drafts": 12,
        "task": {"use": "pocket", "seeds": 40, "tests": 20},
        "student": {"base": "pocket", "max_new_tokens": 60},
        "teacher": {"use": "openai", "base_url": base_url, "model": str(model), "key_env": KEY},
        "criterion": {"use": "loss", "of": "gold"},
        "selector": {"use": "top"},
        "writer": WRITERS[case],
        "filters": [{"use": name} for name in filters],
        "train": {"max_steps": 5},
        "engine": {"concurrency": 4},
    }


def run(settings: dict[str, Any], folder: Path) -> list[str]:
    """Run a recipe, show its funnel, and return what is wrong."""
    file, out = folder / f"{settings['name']}.yaml", folder / settings["name"]
    file.write_text(yaml.safe_dump(settings))
    done = subprocess.run(
        [sys.executable, "-m", "asft", "run", file.name, "--out", out.name],
        cwd=folder,
        env={**os.environ, KEY: "dummy"},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    said = done.stderr.strip().splitlines()
    last = said[-1] if said else ""
    print(f"\n{settings['name']}: exit code {done.returncode}" + (f"; {last}" if done.returncode else ""))
    if not (out / "round-01" / "filter.jsonl").exists():
        return [f"{settings['name']} made no drafts:\n{done.stderr[-3000:]}"]
    drafts = read_jsonl(out / "round-01" / "write.jsonl")
    verdicts = {row["number"]: row for row in read_jsonl(out / "round-01" / "filter.jsonl")}
    show(drafts, verdicts, out)
    kept = sum(row["decision"] == "keep" for row in verdicts.values())
    wrong = unaccounted(drafts, verdicts)
    if kept < settings["per_round"] and len(drafts) < settings["max_drafts"]:
        wrong.append(f"only {len(drafts)} of {settings['max_drafts']} drafts were made for {kept} kept")
    if done.returncode and (kept or "accepted nothing" not in last):
        wrong.append(f"the run breaks off:\n{done.stderr[-3000:]}")
    return wrong


def show(drafts: list[dict[str, Any]], verdicts: dict[int, dict[str, Any]], out: Path) -> None:
    """The funnel, with an example of each reason, and what the calls came to."""
    reasons: dict[str, list[str]] = {}
    for draft in drafts:
        verdict = verdicts.get(draft["number"], {"decision": "keep"})
        reason = draft["reason"] if draft["example"] is None else verdict.get("reason", "")
        if draft["example"] is None or verdict["decision"] != "keep":
            reasons.setdefault(phrase(reason), []).append(reason)
    written = sum(draft["example"] is not None for draft in drafts)
    kept = sum(row["decision"] == "keep" for row in verdicts.values())
    print(f"  {len(drafts)} drafts, {written} written, {kept} kept")
    for reason, told in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"  {len(told):4d}  {reason}, such as: {told[0]}")
    with Journal(out / "journal.sqlite") as journal:
        for row in journal.sums():
            print(
                f"  {row.purpose}: {row.requests} requests, {row.input_tokens} + {row.output_tokens} tokens"
            )


def unaccounted(drafts: list[dict[str, Any]], verdicts: dict[int, dict[str, Any]]) -> list[str]:
    """Drafts without an example and a known reason, or with an example and no verdict."""
    wrong = []
    for at, draft in enumerate(drafts):
        if draft["number"] != at:
            wrong.append(f"draft {at} is missing")
        if draft["example"] is None and phrase(draft["reason"]) not in REASONS:
            wrong.append(f"draft {at} is none for no known reason: {draft['reason']!r}")
        if draft["example"] is not None and at not in verdicts:
            wrong.append(f"draft {at} has no verdict")
    return wrong


def requests(out: Path) -> int:
    """How many calls a run's ledger holds."""
    with Journal(out / "journal.sqlite") as journal:
        return sum(row.requests for row in journal.sums())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv-serving")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs and the server's log here")
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        sys.exit(f"{options.keep} is there already; give a folder that is not")
    python = interpreter(options.environment.resolve())
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "server.log"
        model = sampling_copy(folder / "teacher")
        (folder / "plain.md").write_text(PLAIN)
        with serving(python, model, log) as base_url:
            wrong = [fault for case in WRITERS for fault in run(recipe(case, base_url, model), folder)]
        answered = log.read_text().count('"POST /v1/chat/completions HTTP/1.1"')
        counted = sum(requests(folder / name) for name in WRITERS if (folder / name).exists())
        print(f"\nthe server answered {answered} calls, and the ledgers hold {counted}")
        if answered != counted:
            wrong.append("the server's count of calls is not the ledgers'")
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
