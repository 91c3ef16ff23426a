"""The loop's side of a group of workers, with processes that only speak like workers."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asft.errors import DataError, RunError
from asft.progress import Progress
from asft.recipe import WorkerOptions
from asft.workers import group
from asft.workers.group import Group

FAKE = Path(__file__).with_name("fake.py")
TWO = WorkerOptions(processes=2)


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "command", lambda options: [sys.executable, "-I", str(FAKE), str(tmp_path)])


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def workers(tmp_path: Path, told: io.StringIO) -> Iterator[Group]:
    with Group(TWO, tmp_path, {"seed": 1}, Progress(told, every=0.0)) as made:
        yield made
    assert alive(tmp_path) == []


def alive(run: Path) -> list[int]:
    """The processes that name this run: the guard, what it has started, and the child of that."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes()
            ended = (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if str(run).encode() in known and not ended and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def until(is_so: Any) -> None:
    """Wait for it, as long as a busy machine may take."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_none_runs_before_there_is_something_to_do(workers: Group, tmp_path: Path) -> None:
    assert not workers.running
    workers.do("nothing")
    assert workers.running
    until(lambda: len(alive(tmp_path)) == 3)
    before = alive(tmp_path)
    workers.do("nothing")
    assert alive(tmp_path) == before


def test_what_they_tell_is_told(workers: Group, told: io.StringIO) -> None:
    workers.do("tell")
    lines = told.getvalue().splitlines()
    assert lines[0].startswith("round 1: train  2/4")
    assert lines[0].endswith("loss 0.5")
    assert lines[1].startswith("round 1: train  done")


def test_they_are_told_the_recipe_but_for_whoever_may_have_a_secret(
    tmp_path: Path, told: io.StringIO
) -> None:
    settings = {"seed": 1, "teacher": {"use": "openai", "extra_body": "sk-1"}, "judge": {"key": "sk-2"}}
    with Group(TWO, tmp_path, settings, Progress(told)) as workers:
        workers.do("tell")
    assert json.loads(told.getvalue().splitlines()[-1]) == {
        "seed": 1,
        "teacher": {"use": "rules"},
        "judge": None,
    }


def test_what_the_user_can_mend_is_raised_here_as_it_is(workers: Group) -> None:
    with pytest.raises(DataError, match=r"^the value 7 is wrong; give 8$"):
        workers.do("refuse", kind="DataError")


@pytest.mark.parametrize("kind", ["__doc__", "NobodysError"])
def test_an_error_that_nobody_knows_is_told_all_the_same(workers: Group, kind: str) -> None:
    with pytest.raises(RunError, match=r"^the value 7 is wrong; give 8$"):
        workers.do("refuse", kind=kind)


def test_a_worker_that_crashes_is_told_with_its_own_last_words(workers: Group, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        workers.do("crash")
    message = str(caught.value)
    assert "worker 1 ended with exit code 3 in the middle of 'crash'" in message
    assert "The same command starts that step again" in message
    log = tmp_path / "logs" / "workers.log"
    assert message.endswith(f"{log}; its end:\n  Traceback: the device is out of memory")


def test_a_group_that_is_killed_is_told(workers: Group) -> None:
    workers.do("nothing")
    with pytest.raises(RunError, match="have ended in the middle of 'die'"):
        workers.do("die")


def test_words_of_an_earlier_group_are_not_taken_for_those_of_this_one(tmp_path: Path) -> None:
    for words in ("crash", "die"):
        with (
            Group(TWO, tmp_path, {}, Progress(io.StringIO())) as workers,
            pytest.raises(RunError) as caught,
        ):
            workers.do(words)
    assert "out of memory" not in str(caught.value)


def test_a_group_that_never_connects_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: Group
) -> None:
    broken = [sys.executable, "-I", "-c", "print('No module named accelerate')"]
    monkeypatch.setattr(group, "command", lambda options: broken)
    with pytest.raises(RunError, match=r"(?s)ended before they were ready.*No module named accelerate"):
        workers.do("nothing")


def test_nothing_is_left_where_the_loop_is_interrupted(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        Group(TWO, tmp_path, {}, Progress(io.StringIO())) as workers,
    ):
        interrupted(workers)
    assert alive(tmp_path) == []


def interrupted(workers: Group) -> None:
    workers.do("nothing")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    workers.do("hang")


PROGRAM = """
import sys
from pathlib import Path
from asft.progress import Progress
from asft.recipe import WorkerOptions
from asft.workers import group

group.command = lambda options: [sys.executable, "-I", *sys.argv[1:]]
with group.Group(WorkerOptions(processes=2), Path(sys.argv[2]), {}, Progress()) as workers:
    workers.do("nothing")
    print("begun", flush=True)
    workers.do("hang")
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_where_the_loop_is_killed_in_the_middle(tmp_path: Path, how: signal.Signals) -> None:
    loop = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(FAKE), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert loop.stdout is not None
    assert loop.stdout.readline() == "begun\n"
    until(lambda: len(alive(tmp_path)) == 4)
    loop.send_signal(how)
    loop.wait()
    loop.stdout.close()
    until(lambda: alive(tmp_path) == [])
