"""A vLLM server of our own, for environments that cannot have vLLM and the rest of asft in one."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from asft.decoder.records import Job, Row
from asft.decoder.vllm.served import Served
from asft.decoder.vllm.starting import READY_WITHIN, TIMEOUT, Start, adapter
from asft.errors import FatalError
from asft.student import Loaded
from asft.teachers.vllm import guard, look_for_vllm
from asft.teachers.vllm.server import Server
from asft.teachers.vllm.settings import QUIET

BASE = "student"
"""What the server calls the student without an adapter."""


class OwnServer:
    """One at a time is there, started at the first answers that are wanted; it is closed by whoever made it.

    It ends with this process also where this process is killed.
    """

    def __init__(self, *, python: str, at_once: int, memory: float, args: Sequence[str], log: Path) -> None:
        """`python`: the interpreter that has vLLM; the rest as `OwnVLLM`."""
        self._python = python
        self._at_once = at_once
        self._memory = memory
        self._args = args
        self._log = log
        self._server: Server | None = None
        self._start: Start | None = None
        self._served: Served | None = None

    def write(
        self,
        loaded: Loaded,
        jobs: Sequence[Job],
        *,
        max_new_tokens: int,
        stats: bool,
        progress: Callable[[int], None] | None,
    ) -> list[Row]:
        """See `Decoder.write`. Raises FatalError where vLLM is missing, does not start, or dies."""
        # What was trained whole is the server's base.
        asked = replace(loaded, student=replace(loaded.student, adapter=adapter(loaded)))
        served = self._started(loaded)
        try:
            return served.write(asked, jobs, max_new_tokens=max_new_tokens, stats=stats, progress=progress)
        except FatalError:
            if self._server is not None:
                # Its guard has to notice its end first.
                time.sleep(2 * guard.LOOKS_EVERY)
                self._server.look()
            raise

    def named(self) -> str:
        """See `Decoder.named`."""
        return self._served.named() if self._served else "vLLM"

    def close(self) -> None:
        """End it; does nothing where it does not run."""
        server, self._server, self._served = self._server, None, None
        if server is not None:
            asyncio.run(server.stop())

    def _started(self, loaded: Loaded) -> Served:
        """Who asks it, started where it does not run, and anew as `OwnVLLM` is."""
        wanted = Start.of(loaded)
        if self._served is not None and self._start is not None and self._start.serves(wanted):
            return self._served
        self.close()
        look_for_vllm(self._python, {})
        server = Server(
            python=self._python,
            flags=[*wanted.flags(self._memory, self._args), "--served-model-name", BASE],
            environment={
                **QUIET,
                "PYTHONUNBUFFERED": "1",
                **os.environ,
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
            },
            asked_as=BASE,
            extra_body={},
            timeout=TIMEOUT,
            ready_within=READY_WITHIN,
        )
        asyncio.run(server.start(self._log))
        self._server, self._start = server, wanted
        self._served = Served(base_url=server.url, at_once=self._at_once, model=BASE, key=None)
        return self._served
