"""Runs a client against the endpoint of `asft.testing`, each in a process of its own on a core of its own."""

import heapq
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients import work

from asft.testing import Faults, Latency, digest, said

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = ROOT / ".venv-peers"
CORES = sorted(os.sched_getaffinity(0))
"""The first is the endpoint's, the others are the client's; on a machine with one core they share it."""

_ERROR = re.compile(r"[\w.]*(Error|Exception):")

CLIENTS: dict[str, tuple[Path | None, str, str]] = {
    "asft": (None, "toolkit.py", "tuned"),
    "bare openai": (None, "bare.py", "tuned"),
    "distilabel, as shipped": (PEERS / "distilabel", "peer_distilabel.py", "shipped"),
    "distilabel, tuned": (PEERS / "distilabel", "peer_distilabel.py", "tuned"),
    "distilabel, replicas": (PEERS / "distilabel", "peer_distilabel.py", "replicas"),
    "curator, as shipped": (PEERS / "curator", "peer_curator.py", "shipped"),
    "curator, tuned": (PEERS / "curator", "peer_curator.py", "tuned"),
}
"""Name -> its environment (None: this one), its program, its setting."""

# Nothing that is measured here reports anywhere, or looks for a proxy or a newer version of itself.
ENVIRONMENT = {
    "TELEMETRY_ENABLED": "false",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_PROXY": "127.0.0.1,localhost",
    "OPENAI_API_KEY": "none",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a run is about."""

    n: int
    concurrency: int | str
    latency: str = "lognormal"
    """As `Latency.parse` takes it."""
    faults: str = ""
    """As `Faults.parse` takes it."""
    steps: int = 1
    timeout: float = 60.0
    server: tuple[str, ...] = ()
    """Further options of the endpoint."""

    @property
    def messages(self) -> list[list[list[dict[str, str]]]]:
        """Of each item, the messages that are sent one after the other."""
        found = []
        for item in range(self.n):
            asked = [_user(work.question(item))]
            if self.steps == 2:
                asked.append(_user(work.answer(said(asked[0]))))
            found.append(asked)
        return found

    def ideal(self) -> float:
        """The makespan of perfect list scheduling of the drawn latencies, in the order of the items."""
        law = Latency.parse(self.latency)
        ends = [0.0] * int(self.concurrency)
        for asked in self.messages:
            heapq.heapreplace(ends, ends[0] + sum(map(law.seconds, asked)))
        return max(ends)


class ClientFailedError(Exception):
    """A client that did not do its work."""

    def __init__(self, client: str, what: str, folder: Path) -> None:
        """`folder` has the log of what it printed."""
        self.log = (folder / "client.log").read_text("utf-8", "replace")
        errors = [line for line in self.log.splitlines() if _ERROR.match(line)]
        self.why = errors[-1] if errors else ""
        super().__init__(f"{client} {what}: {self.why}")


class Served:
    """The endpoint, running."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self._counts, self._calls = folder / "counts.json", folder / "calls.jsonl"
        command = [sys.executable, "-m", "asft.testing", "--model", work.MODEL]
        command += ["--latency", setting.latency, "--faults", setting.faults, *setting.server]
        command += ["--counts", str(self._counts), "--calls", str(self._calls)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, CORES[:1])
        )
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().strip()

    def stop(self) -> None:
        """End it; it writes what it was asked."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60)

    def now(self) -> dict[str, Any]:
        """What it was asked up to now."""
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + "/counts", timeout=10) as answer:
            return dict(json.load(answer))

    @property
    def counts(self) -> dict[str, Any]:
        """What it was asked; known when it has stopped."""
        return dict(json.loads(self._counts.read_text("utf-8")))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Every call; known when it has stopped."""
        return [json.loads(line) for line in self._calls.read_text("utf-8").splitlines()]


@contextmanager
def serving(setting: Setting) -> Iterator[tuple[Served, Path]]:
    """The endpoint, and an empty folder."""
    with tempfile.TemporaryDirectory(prefix="asft-speed-") as name:
        served = Served(setting, Path(name))
        try:
            yield served, Path(name)
        finally:
            served.stop()


def command(client: str, setting: Setting, base_url: str, out: Path) -> list[str]:
    """How a client is started."""
    home, program, mode = CLIENTS[client]
    python = sys.executable if home is None else str(home / "bin" / "python")
    given = [python, str(HERE / "clients" / program), "--base-url", base_url, "--out", str(out)]
    given += ["--n", str(setting.n), "--concurrency", str(setting.concurrency)]
    return [*given, "--steps", str(setting.steps), "--timeout", str(setting.timeout), "--setting", mode]


def start(given: Sequence[str], folder: Path, **more: Any) -> subprocess.Popen[bytes]:
    """Start a client on its cores, in a process group of its own; what it prints goes to a file."""
    with (folder / "client.log").open("ab") as log:
        return subprocess.Popen(
            given,
            cwd=folder,
            env={**os.environ, **ENVIRONMENT},
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, CORES[1:] or CORES),
            **more,
        )


def run(client: str, setting: Setting, *, limit: float = 1800.0) -> dict[str, Any]:
    """One run of a client, and its figures. `limit`: seconds, then it is killed and has not ended."""
    with serving(setting) as (served, folder):
        out = folder / "out"
        out.mkdir()
        process = start(command(client, setting, served.base_url, out), folder)
        peak, until = 0.0, time.monotonic() + limit
        try:
            while process.poll() is None and time.monotonic() < until:
                peak = max(peak, _tree_mb(process.pid))
                time.sleep(0.5)
        finally:
            ended = process.poll() is not None
            kill(process)
        served.stop()
        if not ended or process.returncode != 0 or not (out / "figures.json").exists():
            raise ClientFailedError(client, "failed" if ended else f"did not end in {limit:g} s", folder)
        figures = json.loads((out / "figures.json").read_text("utf-8"))
        figures["peak_mb"] = max(figures["peak_mb"], peak)
        return {**figures, **checked(setting, rows_in(out)), "counts": served.counts, "calls": served.calls}


def calls_within(client: str, setting: Setting, seconds: float) -> list[dict[str, Any]]:
    """The calls of the first `seconds` after a client's first call; it is killed then."""
    with serving(setting) as (served, folder):
        out = folder / "out"
        out.mkdir()
        process = start(command(client, setting, served.base_url, out), folder)
        try:
            while not served.now()["calls"] and process.poll() is None:
                time.sleep(0.02)
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                pass
            else:
                raise ClientFailedError(client, "ended too early", folder)
        finally:
            kill(process)
        served.stop()
        return served.calls


def rows_in(out: Path) -> list[dict[str, Any]]:
    """The rows that a client has written."""
    return [json.loads(line) for line in (out / "rows.jsonl").read_text("utf-8").splitlines()]


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to its whole group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def checked(setting: Setting, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Rows that are right, wrong and lost: texts are compared with what the endpoint says to the messages."""
    faults = Faults.parse(setting.faults)
    found = {row["item"]: row for row in rows}
    counts = {"right": 0, "wrong": 0, "lost": 0, "refused": 0, "double": len(rows) - len(found)}
    for item, asked in enumerate(setting.messages):
        text = found.get(item, {}).get("text")
        if text is not None:
            counts["right" if text == said(asked[-1]) else "wrong"] += 1
        elif any(_refused(faults, messages) for messages in asked):
            counts["refused"] += 1
        else:
            counts["lost"] += 1
    return counts


def _refused(faults: Faults, messages: list[dict[str, str]]) -> bool:
    return faults.drawn(digest(messages), 0) == "refused"


def _user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def _tree_mb(pid: int) -> float:
    """The memory of a process and all below it; what they share is counted once."""
    kilobytes, todo = 0, [pid]
    while todo:
        one = todo.pop()
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
        except OSError:
            continue
    return kilobytes / 1024
