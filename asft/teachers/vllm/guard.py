"""Ends what a process has started when that process is gone, however it went. Standard library alone.

    python guard.py run PARENT COMMAND...    runs the command, in the process group that this script leads
    python guard.py watch PARENT             watches the processes whose ids it is told, a line each

A run that is killed with -9 can stop nothing any more, and what it leaves behind would keep the whole GPU.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

GRACE = 15.0
"""Seconds that what is told to end has for it."""
LOOKS_EVERY = 0.25
"""Seconds."""


def run(parent: int, command: list[str]) -> None:
    """Until the command ends, this script is told to end, or the parent is gone; the group ends with it."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while child.poll() is None and not told and os.getppid() == parent:
        time.sleep(LOOKS_EVERY)
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def watch(parent: int) -> None:
    """Until the parent is gone; the processes that it told of are ended then."""
    watched: list[int] = []
    told = b""
    while True:
        # Looked at first: what the parent has told before it went is read after.
        is_there = os.getppid() == parent
        while select.select([0], [], [], LOOKS_EVERY if is_there else 0.0)[0]:
            more = os.read(0, 4096)
            if not more:
                time.sleep(LOOKS_EVERY)
                break
            *lines, told = (told + more).split(b"\n")
            for line in lines:
                # A descriptor stays that of this process when its id is given to another.
                with contextlib.suppress(ProcessLookupError):
                    watched.append(os.pidfd_open(int(line)))
        if not is_there:
            break
    for process in watched:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGTERM)
    until = time.monotonic() + GRACE
    for process in watched:
        select.select([process], [], [], max(0.0, until - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(int(sys.argv[2]), sys.argv[3:])
    else:
        watch(int(sys.argv[2]))
