"""A `vllm serve` of our own: started on a free port of loopback, asked through the `openai` teacher, stopped.

A guard runs it, so that it ends with this process also where this process is killed.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asft.budget import FREE
from asft.errors import FatalError, RetryableError
from asft.teachers.openai import OpenAI
from asft.teachers.vllm import guard
from asft.teachers.vllm.settings import end_of
from asft.types import Reply, Request

HOST = "127.0.0.1"
MODULE = "vllm.entrypoints.openai.api_server"
"""What `vllm serve` runs; some builds of vLLM have it and no `vllm` command."""
LOOKS_EVERY = 0.3
"""Seconds between two looks whether it is ready."""
# A proxy of the environment leads nowhere from this machine to itself.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Server:
    """One server: not running, awake or asleep."""

    def __init__(
        self,
        *,
        python: str,
        flags: Sequence[str],
        environment: Mapping[str, str],
        asked_as: str,
        extra_body: Mapping[str, Any],
        timeout: float,
        ready_within: float,
    ) -> None:
        """`asked_as`: the name of the model, or of the adapter, in requests. Times are in seconds."""
        self.asleep = False
        self._python = python
        self._flags = flags
        self._environment = environment
        self._asked_as = asked_as
        self._extra_body = extra_body
        self._timeout = timeout
        self._ready_within = ready_within
        self._process: subprocess.Popen[bytes] | None = None
        self._teacher: OpenAI | None = None
        self._log = Path()
        self._start = 0

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped; it may have died since."""
        return self._process is not None

    @property
    def url(self) -> str:
        """Where it is asked, with `/v1`. Raises FatalError where it does not run."""
        return self._asks().base_url

    async def start(self, log: Path) -> None:
        """Start it and wait until it answers. Raises FatalError with the end of its log where it does not."""
        port = _free_port()
        command = [self._python, "-m", MODULE, "--host", HOST, "--port", str(port), *self._flags]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self._log, self._start = log, out.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, "run", str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(self._environment),
                # Ctrl-C at a terminal reaches its whole group; the run says when its server ends.
                start_new_session=True,
            )
        self._teacher = OpenAI(
            model=self._asked_as,
            base_url=f"http://{HOST}:{port}/v1",
            prices=FREE,
            timeout=self._timeout,
            extra_body=dict(self._extra_body),
        )
        try:
            await self._until_ready()
        except BaseException:
            self._kill()
            raise
        self.asleep = False

    async def open(self) -> None:
        """Open one client for all calls until `close`; one for each event loop."""
        await self._asks().__aenter__()

    async def close(self) -> None:
        """Close the client that was opened last."""
        await self._asks().__aexit__(None, None, None)

    async def reply(self, request: Request) -> Reply:
        """One call. Raises FatalError where the server has died, and what the `openai` teacher raises."""
        try:
            return await self._asks().reply(request)
        except RetryableError:
            self.look()
            raise

    def look(self) -> None:
        """Raises FatalError with the end of its log where it has died."""
        if self._has_ended():
            raise FatalError(self._told("has ended in the middle of its work"))

    async def sleep(self) -> bool:
        """Have it give back the memory of its device; False where it cannot."""
        try:
            await asyncio.to_thread(self._post, "/sleep?level=1")
        except (urllib.error.URLError, OSError):
            return False
        self.asleep = True
        return True

    async def wake(self) -> None:
        """Have it take the memory again. Raises FatalError where it cannot."""
        try:
            await asyncio.to_thread(self._post, "/wake_up")
        except (urllib.error.URLError, OSError) as error:
            raise FatalError(self._told(f"does not wake up ({error})")) from None
        self.asleep = False

    async def stop(self) -> None:
        """End it with all that it has started; does nothing where it does not run."""
        if self._process is not None and not self._has_ended():
            self._process.terminate()
            deadline = time.monotonic() + guard.GRACE + 5.0
            while not self._has_ended() and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
        self._kill()

    def _kill(self) -> None:
        """End what is left, at once."""
        if self._process is not None and not self._has_ended():
            self._end_group(self._process.pid)
            self._process.wait()
        self._process, self._teacher = None, None

    def _has_ended(self) -> bool:
        """Whether nothing of it is left; a guard that was killed itself has left its group behind."""
        process = self._process
        if process is None or process.returncode is not None:
            return True
        if process.poll() is None:
            return False
        self._end_group(process.pid)
        return True

    @staticmethod
    def _end_group(leader: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)

    def _asks(self) -> OpenAI:
        if self._teacher is None:
            raise FatalError(
                "the vLLM server does not run; enter the teacher (`async with`) before it is asked"
            )
        return self._teacher

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + self._ready_within
        while time.monotonic() < deadline:
            if self._has_ended():
                raise FatalError(self._told("ends before it is ready"))
            if await asyncio.to_thread(self._is_ready):
                return
            await asyncio.sleep(LOOKS_EVERY)
        raise FatalError(self._told(f"is not ready within `ready_within` = {self._ready_within:g} s"))

    def _is_ready(self) -> bool:
        """Whether our model answers there, and not somebody else's."""
        with contextlib.suppress(urllib.error.URLError, OSError, ValueError, KeyError, TypeError):
            with _DIRECT.open(f"{self.url}/models", timeout=5.0) as answer:
                models = json.load(answer)["data"]
            return any(model["id"] == self._asked_as for model in models)
        return False

    def _post(self, path: str) -> None:
        root = self.url.removesuffix("/v1")
        asked = urllib.request.Request(f"{root}{path}", method="POST")
        with _DIRECT.open(asked, timeout=self._ready_within):
            pass

    def _told(self, what: str) -> str:
        return f"the vLLM server {what}. The end of its log, {self._log}:\n{end_of(self._log, self._start)}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
