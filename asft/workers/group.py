"""The loop's side of a group of workers, which starts when a step first needs it, and ends with the run.

A guard runs it, so that it ends with this process also where this process is killed.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from asft import errors
from asft.errors import AsftError, RunError
from asft.progress import Tells
from asft.recipe import WorkerOptions
from asft.teachers.vllm import guard
from asft.teachers.vllm.settings import grouped
from asft.workers.wire import VARIABLE, Door, Wire

LOOKS_EVERY = 0.3
"""Seconds between two looks whether it still runs."""
GRACE = 10.0
"""Seconds that it has to end when the run is over."""
LOG = "workers.log"
NOBODY = {"use": "rules"}
"""The teacher in the recipe of a worker, which asks none: what a teacher is asked with may be a secret."""
LINES = 12
"""Of the log that an error shows."""
_FAILED = re.compile(r"failed \(exitcode: (-?\d+)\) local_rank: (\d+)")
_LAUNCHER = re.compile(r"^[WE]\d{4} .*torch/distributed/", re.MULTILINE)
"""Where the launcher begins to speak, who says in fifty lines that a worker has ended."""


class Group:
    """The workers of one run: not started, or running (a context manager, which ends them)."""

    def __init__(
        self, options: WorkerOptions, run: Path, settings: Mapping[str, Any], progress: Tells
    ) -> None:
        """`settings` are those of the recipe; nothing in them that is kept secret reaches the group."""
        self._options = options
        self._run = run.resolve()
        self._settings = {**settings, "teacher": NOBODY, "judge": None}
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._start = 0

    @property
    def running(self) -> bool:
        """Whether it was started and not ended; it may have died since."""
        return self._process is not None

    def __enter__(self) -> "Group":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._wire is not None:
                with contextlib.suppress(OSError):
                    self._wire.send(None)
                self._wait(GRACE)
        finally:
            self._end()

    def do(self, what: str, **more: Any) -> None:
        """Have the workers do something, and wait until all have; they are started where none run.

        Raises what they raise where the user can mend it, and RunError where one of them has ended.
        """
        wire = self._wire or self._begin()
        try:
            wire.send({"do": what, **more})
            while True:
                try:
                    told = wire.receive(LOOKS_EVERY)
                except TimeoutError:
                    if self._has_ended():
                        raise EOFError from None
                    continue
                if "error" in told:
                    raise _error(told["error"], told["message"])
                if "done" in told:
                    return
                self._pass_on(told)
        except (EOFError, OSError):
            self._wait(GRACE)
            raise RunError(self._why(f"in the middle of {what!r}")) from None

    def _begin(self) -> Wire:
        log = self._run / "logs" / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        door = Door()
        try:
            with log.open("ab") as out:
                self._start = out.tell()
                self._process = subprocess.Popen(
                    [sys.executable, "-I", guard.__file__, "run", str(os.getpid()), *command(self._options)],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, VARIABLE: str(door.path)},
                    # Ctrl-C at a terminal reaches its whole group; the run says when its workers end.
                    start_new_session=True,
                )
            while True:
                with contextlib.suppress(TimeoutError):
                    self._wire = door.wait(LOOKS_EVERY)
                    break
                if self._has_ended():
                    raise RunError(self._why("before they were ready"))
        finally:
            door.close()
        self._wire.send({"run": str(self._run), "settings": self._settings})
        return self._wire

    def _pass_on(self, told: Mapping[str, Any]) -> None:
        given = told["given"]
        match told["progress"]:
            case "start":
                self._progress.start(*given)
            case "update":
                self._progress.update(*given)
            case "end":
                self._progress.end(*given)
            case "say":
                self._progress.say(*given)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _end(self) -> None:
        if self._wire is not None:
            self._wire.close()
        process = self._process
        if process is not None and not self._has_ended():
            process.terminate()
            self._wait(guard.GRACE + 5.0)
            if not self._has_ended():
                _end_group(process.pid)
                process.wait()
        self._process, self._wire = None, None

    def _has_ended(self) -> bool:
        """Whether nothing of it is left; a guard that was killed itself has left its group behind."""
        process = self._process
        if process is None or process.returncode is not None:
            return True
        if process.poll() is None:
            return False
        _end_group(process.pid)
        return True

    def _why(self, when: str) -> str:
        log = self._run / "logs" / LOG
        said = _said(log, self._start)
        failed = _FAILED.search(said)
        who = f"worker {failed[2]} {_ended(int(failed[1]))}" if failed else "the workers have ended"
        own = _LAUNCHER.split(said)[0].rstrip().splitlines()[-LINES:]
        told = "\n".join(["; its end:", *(f"  {line}" for line in own)]) if own else ""
        return (
            f"{who} {when}, so none goes on. The same command starts that step again. "
            f"What they said is in {log}{told}"
        )


def command(options: WorkerOptions) -> list[str]:
    """What starts a group of this many processes."""
    given = {flag for flag, _ in grouped(options.args)}
    cores = len(os.sched_getaffinity(0)) * options.machines
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores // options.processes))
    # Without these, accelerate takes the port that all others take, and tells what it has chosen.
    chosen = {"--num-machines": "1", "--main-process-port": "0"} if options.config is None else {}
    return [
        *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"),
        *("--num_processes", str(options.processes)),
        *("--mixed_precision", "no", "--dynamo_backend", "no", "--num_cpu_threads_per_process", threads),
        *([] if options.config is None else ["--config_file", options.config]),
        *(part for flag, value in chosen.items() if flag not in given for part in (flag, value)),
        *options.args,
        *("-m", "asft.workers"),
    ]


def _said(log: Path, start: int) -> str:
    try:
        return log.read_bytes()[start:].decode("utf-8", "replace")
    except OSError:
        return ""


def _error(kind: str, message: str) -> AsftError:
    found = getattr(errors, kind, RunError)
    return found(message) if isinstance(found, type) and issubclass(found, AsftError) else RunError(message)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
