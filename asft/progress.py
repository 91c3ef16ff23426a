"""A line per step on the terminal: done/total, rate, what is being waited for; plain lines elsewhere."""

import shutil
import sys
import time
from typing import Protocol, TextIO


class Tells(Protocol):
    """Whoever tells how a run goes on: `Progress`, or one that passes on to it from another process."""

    def start(self, title: str, total: int | None = None) -> None:
        """See `Progress`."""
        ...

    def update(self, done: int, note: str = "", total: int | None = None) -> None:
        """See `Progress`."""
        ...

    def end(self, note: str = "") -> None:
        """See `Progress`."""
        ...

    def say(self, text: str) -> None:
        """See `Progress`."""
        ...


class Progress:
    """Tells how a run goes on. On a terminal a line is drawn over; else one is printed now and then."""

    def __init__(self, out: TextIO | None = None, *, every: float = 10.0) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._every = 0.1 if self._live else every
        self._title = ""
        self._total: int | None = None
        self._started = 0.0
        self._shown = 0.0

    def start(self, title: str, total: int | None = None) -> None:
        """A step begins; `total` is what `update` counts up to."""
        self._title, self._total = title, total
        self._started = self._shown = time.monotonic()
        if self._live:
            self._draw(f"{title} ...")

    def update(self, done: int, note: str = "", total: int | None = None) -> None:
        """How far the step is; `total` where it was not known at the start."""
        now = time.monotonic()
        if now - self._shown < self._every:
            return
        self._shown = now
        rate = done / max(now - self._started, 1e-9)
        whole = self._total if total is None else total
        counted = f"{done}" if whole is None else f"{done}/{whole}"
        self._draw("  ".join(filter(None, (f"{self._title}  {counted}", f"{rate:.1f}/s", note))))

    def end(self, note: str = "") -> None:
        """The step is done; its line stays."""
        seconds = time.monotonic() - self._started
        self._draw("  ".join(filter(None, (self._title, note, f"{seconds:.1f} s"))))
        if self._live:
            self._out.write("\n")

    def say(self, text: str) -> None:
        """A line of its own."""
        self._out.write(text + "\n")
        self._out.flush()

    def _draw(self, text: str) -> None:
        if self._live:
            # A line that wraps cannot be drawn over.
            text = f"\r\x1b[2K{text[: shutil.get_terminal_size().columns - 1]}"
        self._out.write(text if self._live else f"{text}\n")
        self._out.flush()
