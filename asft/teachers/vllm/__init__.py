"""`vllm`: a teacher on this machine, as a vLLM server of its own or inside the process.

It lives on the student's device or beside it: between rounds it sleeps, stops or stays. What it answers does
not depend on how it is run, so the journal knows it the same way.
"""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from asft.budget import FREE, ActiveParams, Prices
from asft.errors import FatalError
from asft.registry import plugin
from asft.rundir import digest
from asft.teachers.openai import OpenAI
from asft.teachers.vllm.in_process import InProcess
from asft.teachers.vllm.server import HOST, Server
from asft.teachers.vllm.settings import (
    ADAPTER,
    DECIDED,
    INSTALL,
    QUIET,
    adapter_config,
    changing,
    grouped,
    rank_flag,
)
from asft.types import Reply, Request

Seconds = Annotated[float, Field(gt=0.0)]

SAMPLING = (
    "allowed_token_ids",
    "bad_words",
    "frequency_penalty",
    "ignore_eos",
    "include_stop_str_in_output",
    "logit_bias",
    "min_p",
    "min_tokens",
    "presence_penalty",
    "repetition_penalty",
    "skip_special_tokens",
    "stop",
    "stop_token_ids",
    "top_k",
)
"""What `sampling` may hold: fields of vLLM's SamplingParams that its server takes too."""
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")
"""How names of variables with secrets end."""


@plugin
class VLLM:
    """A teacher that vLLM runs on this machine."""

    model: str
    """A folder, or a name on the hub."""
    mode: Literal["server", "in_process"] = "server"
    """A server process of its own, or inside this process."""
    adapter: str | None = None
    """Folder of a LoRA adapter on top of the model."""
    dtype: str = "auto"
    max_model_len: Annotated[int, Field(ge=1)] | None = None
    """Tokens of prompt and answer together; None: what the model can."""
    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of the device's memory that it may take; None: vLLM's default."""
    args: list[str] = Field(default_factory=list)
    """Further flags, as `vllm serve` takes them. On a CPU, long prompts want `--no-enable-chunked-prefill`:
    in pieces, a prompt of a request with a seed ends vLLM's engine there."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Further variables for the server; `mode: server` alone. It has those of this process too."""
    sampling: dict[str, Any] = Field(default_factory=dict)
    """Further fields of every request: top_k, min_p, repetition_penalty, stop, ..."""
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Values for the model's chat template, such as {enable_thinking: false}."""
    between_rounds: Literal["sleep", "stop", "stay"] = "sleep"
    """What it does while the student is measured and trained: give back the device's memory and keep the
    weights in the machine's; end (also where it cannot sleep, as on a CPU); or nothing, where there is room
    for both."""
    python: str | None = None
    """Interpreter of an environment with vLLM in it, for `mode: server`; None: this one."""
    log: str | None = None
    """Folder for its log; None: that of the run's logs."""
    ready_within: Seconds = 900.0
    """Seconds that it has to start, and to wake up."""
    timeout: Seconds = 600.0
    """Seconds for a whole call."""
    active_params: ActiveParams | None = None
    """Parameters that are active for a token, such as 7.6e9, for FLOPs and budgets of them; None: unknown."""

    def __post_init__(self) -> None:
        """Refuse what has no effect, what asft decides, and secrets: the run directory repeats the recipe."""
        if self.mode == "in_process" and (self.python or self.environment):
            raise ValueError(
                "python and environment are for `mode: server`; leave them out, and export variables before "
                "asft runs"
            )
        for name in self.environment:
            if name.upper().endswith(_SECRET):
                raise ValueError(
                    f"environment.{name} would put a secret into the files of the run; export it, the server "
                    "has the variables of this process too"
                )
        for flag, _ in grouped(self.args):
            if flag in DECIDED:
                raise ValueError(f"args must not hold {flag}: {DECIDED[flag]}")
        for name in self.sampling:
            if name not in SAMPLING:
                close = difflib.get_close_matches(name, SAMPLING, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(SAMPLING)}"
                raise ValueError(f"sampling.{name}: unknown key, {hint}")

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the journal knows it by: a server on this machine, and what else its answers depend on."""
        plain = OpenAI(model=self.model, base_url=f"http://{HOST}/v1", extra_body=self._extra_body)
        more = {
            "adapter": self._adapter_digest,
            "dtype": None if self.dtype == "auto" else self.dtype,
            "max_model_len": self.max_model_len,
            "args": changing(self.args),
        }
        return {**plain.identity, **{name: value for name, value in more.items() if value}}

    @property
    def prices(self) -> Prices:
        """Its calls cost nothing."""
        return FREE

    @property
    def takes_turns(self) -> bool:
        """Always: it is started here."""
        return True

    @property
    def shares_device(self) -> bool:
        """Whether the student must leave the device while it is awake."""
        return self.between_rounds != "stay"

    def check(self) -> str:
        """What it runs, and how; nothing is started.

        Raises FatalError where vLLM or the adapter is missing.
        """
        if self.adapter is not None:
            adapter_config(Path(self.adapter))
        if self.python is None and not self.environment:
            if find_spec("vllm") is None:
                raise FatalError(
                    f"vLLM is not installed here; {INSTALL}, or name an interpreter that has it as `python`"
                )
        else:
            look_for_vllm(self.python or sys.executable, self.environment)
        worn = f" with the adapter {self.adapter}" if self.adapter else ""
        where = "in this process" if self.mode == "in_process" else "as a server of its own"
        return f"{self.model}{worn}, by vLLM {where}; between rounds: {self.between_rounds}"

    async def wake(self, logs: Path | None) -> None:
        """Be ready to answer: started where it does not run, woken up where it sleeps.

        `logs`: the folder for its log where the recipe names none; None: a temporary one. Raises FatalError.
        """
        engine = self._engine
        if not engine.running:
            await engine.start(self._folder(logs) / "vllm.log")
        elif engine.asleep:
            await engine.wake()

    async def sleep(self) -> None:
        """Leave the device to the student, as `between_rounds` says."""
        if self.between_rounds == "stay" or not self._engine.running:
            return
        if not (self._sleeps and await self._engine.sleep()):
            await self.stop()

    async def stop(self) -> None:
        """End it, and all that it has started; does nothing where it does not run."""
        await self._engine.stop()
        for folder in self._temporary:
            shutil.rmtree(folder, ignore_errors=True)
        self._temporary.clear()

    async def __aenter__(self) -> "VLLM":
        """Be ready for calls; where it does not run yet, it runs until the end of this."""
        here = not self._engine.running
        await self.wake(None)
        await self._engine.open()
        self._started_here.append(here)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._engine.close()
        if self._started_here.pop():
            await self.stop()

    async def reply(self, request: Request) -> Reply:
        """One call. Raises RequestError, RetryableError or FatalError."""
        return await self._engine.reply(request)

    @cached_property
    def _engine(self) -> Server | InProcess:
        adapter = Path(self.adapter).resolve() if self.adapter else None
        flags = ["--model", self.model, "--dtype", self.dtype, *self.args]
        if self.max_model_len is not None:
            flags += ["--max-model-len", str(self.max_model_len)]
        if self.gpu_memory_utilization is not None:
            flags += ["--gpu-memory-utilization", str(self.gpu_memory_utilization)]
        if self._sleeps:
            flags.append("--enable-sleep-mode")
        if adapter is not None:
            flags += ["--enable-lora", "--max-lora-rank", rank_flag(adapter)]
        if self.mode == "in_process":
            return InProcess(
                flags=flags,
                adapter=adapter,
                sampling=self.sampling,
                template=self.chat_template_kwargs,
                timeout=self.timeout,
                ready_within=self.ready_within,
            )
        flags += ["--served-model-name", self.model]
        if adapter is not None:
            flags += ["--lora-modules", f"{ADAPTER}={adapter}"]
        return Server(
            python=self.python or sys.executable,
            flags=flags,
            environment=self._variables,
            asked_as=ADAPTER if adapter else self.model,
            extra_body=self._extra_body,
            timeout=self.timeout,
            ready_within=self.ready_within,
        )

    @property
    def _extra_body(self) -> dict[str, Any]:
        template = {"chat_template_kwargs": self.chat_template_kwargs} if self.chat_template_kwargs else {}
        return {**self.sampling, **template}

    @property
    def _variables(self) -> dict[str, str]:
        # /sleep and /wake_up are there in this mode alone.
        sleeping = {"VLLM_SERVER_DEV_MODE": "1"} if self._sleeps else {}
        return {**QUIET, "PYTHONUNBUFFERED": "1", **os.environ, **sleeping, **self.environment}

    @cached_property
    def _sleeps(self) -> bool:
        """Whether it is to sleep, and can: a CPU's vLLM takes the command and keeps its memory."""
        if self.between_rounds != "sleep":
            return False
        import torch

        return torch.cuda.is_available()

    @cached_property
    def _adapter_digest(self) -> str | None:
        return digest(Path(self.adapter)) if self.adapter else None

    @cached_property
    def _started_here(self) -> list[bool]:
        return []

    @cached_property
    def _temporary(self) -> list[str]:
        return []

    def _folder(self, logs: Path | None) -> Path:
        if self.log is not None:
            return Path(self.log)
        if logs is None:
            self._temporary.append(tempfile.mkdtemp(prefix="asft-vllm-"))
            return Path(self._temporary[-1])
        return logs


def look_for_vllm(python: str, environment: Mapping[str, str]) -> None:
    """Raises FatalError where an interpreter cannot be run, or has no vLLM; `environment`: more variables."""
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    try:
        found = subprocess.run(
            [python, "-c", look], env={**os.environ, **environment}, capture_output=True, check=False
        )
    except OSError as error:
        raise FatalError(f"python: {python} cannot be run ({error.strerror}); name an interpreter") from None
    if found.returncode:
        raise FatalError(f"vLLM is not installed for {python}; {INSTALL} there")
