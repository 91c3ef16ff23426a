"""Told to stop, a run makes no more calls and lets in those that were made; told again, it ends."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asft.journal import Journal
from asft.testing import Endpoint, Latency

PLACES = 8

PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from asft.budget import FREE
from asft.engine import Endpoint, Engine
from asft.journal import Journal
from asft.progress import Progress
from asft.stop import ending_well
from asft.teachers.openai import OpenAI
from tests.engine.driving import jobs

async def go():
    teacher = OpenAI(model="test", base_url=sys.argv[3], prices=FREE)
    endpoint = Endpoint.of(teacher, concurrency=8, grace=float(sys.argv[4]))
    with Journal(Path(sys.argv[2])) as journal:
        async with Engine(journal, {"teacher": endpoint}, progress=lambda now: print(now.waiting)) as engine:
            await engine.drive(jobs(200), round=1, step="write", on_result=lambda outcome: True)

try:
    with ending_well(Progress()):
        asyncio.run(go())
except KeyboardInterrupt:
    sys.exit(130)
"""


async def stopped(
    folder: Path, first: signal.Signals, *, seconds: float, grace: float, again: bool = False
) -> tuple[Endpoint, subprocess.CompletedProcess[str], float, int]:
    """A run that is told to stop when its second round of calls is in flight.

    The endpoint, closed; the process, ended; the seconds that it took; how many calls were made by then.
    """
    async with Endpoint(latency=Latency.constant(seconds)) as endpoint:
        told = [str(Path(__file__).parents[2]), str(folder / "journal.sqlite"), endpoint.base_url, f"{grace}"]
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *told], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while len(endpoint.calls) < PLACES or endpoint.counts()["open"] < PLACES:
                assert process.poll() is None, process.stderr and process.stderr.read()
                await asyncio.sleep(0.01)
            made = len(endpoint.calls) + PLACES
            process.send_signal(first)
            began = time.monotonic()
            if again:
                await asyncio.sleep(0.3)
                process.send_signal(first)
            out, err = await asyncio.to_thread(process.communicate, timeout=60)
            took = time.monotonic() - began
    return endpoint, subprocess.CompletedProcess([], process.returncode, out, err), took, made


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_in_flight_is_let_in_and_nothing_more_is_sent(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    endpoint, done, _, made = asyncio.run(stopped(tmp_path, number, seconds=1.0, grace=30.0))
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "stopping, waiting for 8 calls in flight; told again, it stops at once" in done.stdout
    assert len(endpoint.calls) == made
    assert not any(call.gone for call in endpoint.calls)
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.spent().requests == made
    assert not (tmp_path / "journal.sqlite-wal").exists()


def test_what_takes_longer_than_the_grace_time_is_broken_off(tmp_path: Path) -> None:
    endpoint, done, _, made = asyncio.run(stopped(tmp_path, signal.SIGINT, seconds=1.5, grace=0.2))
    assert done.returncode == 130
    assert sum(call.gone for call in endpoint.calls) == PLACES
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.spent().requests == made - PLACES


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_twice_it_ends_at_once(tmp_path: Path, number: signal.Signals, code: int) -> None:
    endpoint, done, _, made = asyncio.run(stopped(tmp_path, number, seconds=1.5, grace=60.0, again=True))
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert sum(call.gone for call in endpoint.calls) == PLACES
    with Journal(tmp_path / "journal.sqlite") as journal:
        # All that had arrived before.
        assert journal.spent().requests == made - PLACES
