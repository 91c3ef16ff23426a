"""A run that is told to stop ends well: one line, the exit code of the signal, and no traceback."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from asft.progress import Progress


@contextmanager
def ending_well(progress: Progress) -> Iterator[None]:
    """While it lasts, SIGTERM ends the process as Ctrl-C does, with a line of its own and exit code 143.

    Also where a script started it in the background, which has Ctrl-C ignored. Does nothing outside the main
    thread, where no signal arrives.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminated = False

    def end(number: int, frame: object) -> None:
        nonlocal terminated
        terminated = True
        # What is open ends well on Ctrl-C: asyncio cancels its tasks, and what has arrived is committed.
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, end)
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        if not terminated:
            raise
        progress.say(
            "asft: terminated; finished steps and all replies that came are kept, and the same command goes "
            "on from here"
        )
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        signal.signal(signal.SIGTERM, before)
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
