"""One process of a group: takes orders from the loop, through the first of the group, till the run ends.

    accelerate launch ... -m asft.workers

runs this in every process; on further machines the user types it.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import distributed

from asft import recipe, steps
from asft.errors import AsftError
from asft.journal import Journal
from asft.progress import Progress, Tells
from asft.rundir import RunDir
from asft.workers import wire
from asft.workers.ranks import Ranks

PATIENCE = timedelta(days=30)
"""How long one process waits for the others: the first may be busy alone, and the loop with a teacher. One
that has ended is noticed by who started it, and ends all."""
LOOKS_EVERY = 0.5
"""Seconds between two looks whether the process that started this one is still there."""
FIRST_TELLS = 5.0
"""Seconds that the first process has to tell of an error that all have run into, before another ends."""


class Told:
    """Progress as the loop shows it."""

    def __init__(self, loop: wire.Wire) -> None:
        self._loop = loop

    def start(self, title: str, total: int | None = None) -> None:
        """See `Progress`."""
        self._send("start", title, total)

    def update(self, done: int, note: str = "", total: int | None = None) -> None:
        """See `Progress`."""
        self._send("update", done, note, total)

    def end(self, note: str = "") -> None:
        """See `Progress`."""
        self._send("end", note)

    def say(self, text: str) -> None:
        """See `Progress`."""
        self._send("say", text)

    def _send(self, what: str, *given: Any) -> None:
        self._loop.send({"progress": what, "given": given})


def main() -> None:
    """Serve the loop."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with joined() as ranks, ExitStack() as open_till_end:
        loop = wire.to_loop() if ranks.first else None
        orders = _orders(loop, ranks)
        hello = next(orders)
        if loop is not None:
            progress: Tells = Told(loop)
        else:
            progress = Progress(open_till_end.enter_context(Path(os.devnull).open("w", encoding="utf-8")))
        folder = Path(open_till_end.enter_context(TemporaryDirectory(prefix="asft-worker-")))
        line = steps.Line(
            recipe=recipe.read(hello["settings"]),
            dir=RunDir(Path(hello["run"])),
            # The steps that are made here call nobody.
            journal=open_till_end.enter_context(Journal(folder / "journal.sqlite")),
            progress=progress,
            begin=lambda: None,
            ranks=ranks,
        )
        heavy = {"measure": steps.measure, "train": steps.train, "evaluate": steps.evaluate}
        work = steps.Work(line, heavy)
        for order in orders:
            try:
                work.do(order)
            except AsftError as error:
                if loop is None:
                    time.sleep(FIRST_TELLS)
                    raise
                loop.send({"error": type(error).__name__, "message": str(error)})
                raise
            ranks.together(None)
            if loop is not None:
                loop.send({"done": True})


def _orders(loop: wire.Wire | None, ranks: Ranks) -> Iterator[dict[str, Any]]:
    """What the loop tells, until it says that this was all."""
    while True:
        order: dict[str, Any] | None = ranks.told(loop.receive() if loop else None)
        if order is None:
            return
        yield order


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """This process among the others of its group. Raises AsftError where there is no device for it."""
    rank, count, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    on_device = torch.cuda.is_available()
    if on_device:
        devices = torch.cuda.device_count()
        if local >= devices:
            raise AsftError(
                f"workers.processes: worker {local} of this machine finds {devices} devices; have as many "
                "processes as there are devices"
            )
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if on_device else "gloo", timeout=PATIENCE)
    try:
        group = distributed.new_group(backend="gloo", timeout=PATIENCE)
        yield Ranks(rank=rank, count=count, group=group)
    finally:
        distributed.destroy_process_group()


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(LOOKS_EVERY)
    os._exit(1)


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        sys.exit("asft: the loop is gone, so its workers end")
    except AsftError as error:
        sys.exit(f"asft: {type(error).__name__}: {error}")
