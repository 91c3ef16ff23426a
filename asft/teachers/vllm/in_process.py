"""vLLM inside this process, through AsyncLLM: the offline `LLM` class is a batch barrier.

It serves the teacher, and the student that vLLM decodes for. AsyncLLM belongs to one event loop, and each
step has a loop of its own; so it lives in a loop and a
thread that are there for nothing else. The model itself is in processes that vLLM starts; a guard watches
them.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from asft.errors import FatalError, RequestError, RetryableError
from asft.teachers.openai import seed_of
from asft.teachers.vllm import guard
from asft.teachers.vllm.settings import ADAPTER, QUIET, end_of
from asft.types import Reply, Request

T = TypeVar("T")

LOOKS_EVERY = 0.1
"""Seconds between two looks whether it is ready, and which processes it has started."""
LOGGING = "VLLM_LOGGING_CONFIG_PATH"
"""The variable that names the file from which vLLM knows where it logs to."""
OURS = {"temperature", "top_p", "max_tokens"}
"""Defaults of the model that a request overrides."""


class InProcess:
    """One engine: not running, awake or asleep."""

    def __init__(
        self,
        *,
        flags: Sequence[str],
        adapter: Path | None,
        sampling: Mapping[str, Any],
        template: Mapping[str, Any],
        timeout: float,
        ready_within: float,
    ) -> None:
        """`sampling`: further fields of SamplingParams. `template`: values for the chat template."""
        self.asleep = False
        self._flags = flags
        self._adapter = adapter
        self._sampling = sampling
        self._template = template
        self._timeout = timeout
        self._ready_within = ready_within
        self._home: _Home | None = None
        self._engine: Any = None
        self._guard: subprocess.Popen[str] | None = None
        self._folder = ""
        self._before: str | None = None
        self._log = Path()
        self._start = 0
        self._asked = 0

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped; it may have died since."""
        return self._engine is not None

    async def start(self, log: Path) -> None:
        """Start it and wait until it answers. Raises FatalError with the end of its log where it does not."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self._log, self._start = log, out.tell()
        self._folder = tempfile.mkdtemp(prefix="asft-vllm-")
        self._prepare()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", guard.__file__, "watch", str(os.getpid())],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._home = _Home()
        before = set(multiprocessing.active_children())
        building = self._home.begin(self._build())
        deadline = time.monotonic() + self._ready_within
        try:
            while not building.done():
                if time.monotonic() > deadline:
                    raise FatalError(
                        self._told(f"is not ready within `ready_within` = {self._ready_within:g} s")
                    )
                self._watch(before)
                await asyncio.sleep(LOOKS_EVERY)
            self._engine = building.result()
        except BaseException as error:
            for child in set(multiprocessing.active_children()) - before:
                # Its own constructor cannot be interrupted; without its processes it raises.
                child.kill()
            with contextlib.suppress(BaseException):
                await asyncio.wait_for(asyncio.wrap_future(building), guard.GRACE)
            self._end()
            if isinstance(error, Exception) and not isinstance(error, FatalError):
                raise FatalError(self._told(f"does not start ({type(error).__name__}: {error})")) from error
            raise
        self._watch(before)
        self.asleep = False

    async def open(self) -> None:
        """Nothing; its calls need no client."""

    async def close(self) -> None:
        """Nothing; see `open`."""

    async def reply(self, request: Request) -> Reply:
        """One call. Raises RequestError for what vLLM refuses, FatalError where it has died."""
        return await self._within(self._reply, request)

    async def write(
        self, prompt: Sequence[int], sampling: Mapping[str, Any], adapter: tuple[int, Path] | None
    ) -> Any:
        """vLLM's own output for token ids, as SamplingParams with these fields give it; raises as `reply`.

        Its `max_tokens` are fewer where the model does not take as many behind the prompt.

        `adapter`: a number above 0 that is this folder's for as long as it runs, and the folder.
        """
        return await self._within(self._write, prompt, sampling, adapter)

    async def _within(self, ask: Callable[..., Coroutine[Any, Any, T]], *asked: Any) -> T:
        """Have it asked at its home, within the time that a call has."""
        home = self._home
        if home is None or self._engine is None:
            raise FatalError("vLLM does not run; enter the teacher (`async with`) before it is asked")
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            async with asyncio.timeout(self._timeout):
                return await home.call(ask(*asked))
        except TimeoutError:
            raise RetryableError(f"vLLM: no reply within {self._timeout:g} s", charged=True) from None
        except EngineDeadError:
            raise FatalError(self._told("has ended in the middle of its work")) from None

    async def sleep(self) -> bool:
        """Have it give back the memory of its device; False where it cannot."""
        try:
            await self._at_home(self._engine.sleep(level=1))
        except Exception:  # noqa: BLE001 - whatever vLLM raises, it is stopped then
            return False
        self.asleep = True
        return True

    async def wake(self) -> None:
        """Have it take the memory again. Raises FatalError where it cannot."""
        try:
            await self._at_home(self._engine.wake_up())
        except Exception as error:
            raise FatalError(self._told(f"does not wake up ({error})")) from error
        self.asleep = False

    async def stop(self) -> None:
        """End it with all that it has started; does nothing where it does not run."""
        if self._engine is not None:
            await asyncio.to_thread(self._engine.shutdown)
        self._end()

    def _end(self) -> None:
        """Give back what this side of it holds."""
        self._engine = None
        if self._home is not None:
            self._home.end()
        if self._guard is not None:
            self._guard.terminate()
            self._guard.wait()
            if self._guard.stdin is not None:
                self._guard.stdin.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            # Another vLLM would look for the file that is gone.
            os.environ.pop(LOGGING, None)
            if self._before is not None:
                os.environ[LOGGING] = self._before
        self._home, self._guard, self._folder = None, None, ""

    # Starting

    def _prepare(self) -> None:
        """The environment, which vLLM reads when it is imported, here and in the processes that it starts."""
        config = Path(self._folder) / "logging.json"
        form = {"format": "%(levelname)s %(asctime)s [%(name)s] %(message)s"}
        file = {"class": "logging.FileHandler", "filename": str(self._log), "formatter": "plain"}
        own = {"handlers": ["file"], "level": "INFO", "propagate": False}
        config.write_text(
            json.dumps(
                {
                    "version": 1,
                    "disable_existing_loggers": False,
                    "formatters": {"plain": form},
                    "handlers": {"file": file},
                    "loggers": {"vllm": own},
                }
            )
        )
        self._before = os.environ.get(LOGGING)
        os.environ[LOGGING] = str(config)
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        # A fork of a process that trains has locks that nobody gives back.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")

    async def _build(self) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.utils.argparse_utils import FlexibleArgumentParser
        from vllm.v1.engine.async_llm import AsyncLLM

        parser = AsyncEngineArgs.add_cli_args(FlexibleArgumentParser())
        try:
            found, unknown = parser.parse_known_args(list(self._flags))
        except SystemExit:
            raise FatalError(f"vLLM does not take these flags: {' '.join(self._flags)}") from None
        if unknown:
            raise FatalError(
                f"args holds {' '.join(unknown)}, which vLLM's engine does not take; flags of its server "
                "need `mode: server`"
            )
        # Its bars would be drawn over the run's own line.
        found.use_tqdm_on_load = False
        return AsyncLLM.from_engine_args(AsyncEngineArgs.from_cli_args(found))

    def _watch(self, before: "set[Any]") -> None:
        """Tell the guard of processes that are new."""
        if self._guard is None or self._guard.stdin is None:
            return
        for child in set(multiprocessing.active_children()) - before:
            before.add(child)
            with contextlib.suppress(OSError):
                self._guard.stdin.write(f"{child.pid}\n")
                self._guard.stdin.flush()

    # Asking

    async def _reply(self, request: Request) -> Reply:
        ids = self._ids(request)
        adapter = None if self._adapter is None else (1, self._adapter)
        output = await self._output(ids, self._params(request, len(ids)), adapter)
        [answer] = output.outputs
        return Reply(
            text=answer.text,
            finish="stop" if answer.finish_reason == "stop" else "length",
            input_tokens=len(ids),
            output_tokens=len(answer.token_ids),
            cached_tokens=min(output.num_cached_tokens or 0, len(ids)),
            cost_usd=0.0,
        )

    async def _write(
        self, prompt: Sequence[int], sampling: Mapping[str, Any], adapter: tuple[int, Path] | None
    ) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        room = max(1, self._engine.model_config.max_model_len - len(prompt))
        params = SamplingParams(
            **{**sampling, "max_tokens": min(sampling["max_tokens"], room)},
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        [answer] = (await self._output(list(prompt), params, adapter)).outputs
        return answer

    async def _output(self, ids: list[int], params: Any, adapter: tuple[int, Path] | None) -> Any:
        from vllm.inputs import tokens_input
        from vllm.lora.request import LoRARequest

        worn = None
        if adapter is not None:
            number, folder = adapter
            name = ADAPTER if number == 1 else f"{ADAPTER}-{number}"
            worn = LoRARequest(lora_name=name, lora_int_id=number, lora_path=str(folder))
        self._asked += 1
        output: Any = None
        try:
            answers = self._engine.generate(tokens_input(ids), params, str(self._asked), lora_request=worn)
            async for made in answers:
                output = made
        except ValueError as error:
            raise RequestError(f"vLLM refuses a request: {error}") from None
        except Exception as error:
            # The equal of HTTP 400; the name of the class is not in every version.
            if "Validation" in type(error).__name__:
                raise RequestError(f"vLLM refuses a request: {error}") from None
            raise
        if output is None or output.outputs[0].finish_reason in (None, "abort", "error"):
            raise RetryableError("vLLM breaks off a reply")
        return output

    def _ids(self, request: Request) -> list[int]:
        tokenizer = self._engine.get_tokenizer()
        chat = [{"role": message.role, "content": message.content} for message in request.messages]
        try:
            ids: list[int] = tokenizer.apply_chat_template(
                chat, tokenize=True, add_generation_prompt=True, return_dict=False, **self._template
            )
        except Exception as error:
            # The template is a program of the model's, and may refuse a role or an order of turns.
            raise RequestError(f"the model's chat template refuses a request: {error}") from error
        return ids

    def _params(self, request: Request, asked: int) -> Any:
        """As vLLM's server makes them: from the request, then the recipe, then the model's own defaults."""
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        config = self._engine.model_config
        defaults = {k: v for k, v in config.get_diff_sampling_param().items() if k not in OURS}
        return SamplingParams(
            **{**defaults, **self._sampling},
            temperature=request.sampling.temperature,
            top_p=request.sampling.top_p,
            max_tokens=min(request.sampling.max_tokens, max(1, config.max_model_len - asked)),
            seed=seed_of(request),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        if self._home is None:
            work.close()
            raise FatalError("vLLM does not run")
        return await self._home.call(work)

    def _told(self, what: str) -> str:
        return f"vLLM {what}. The end of its log, {self._log}:\n{end_of(self._log, self._start)}"


class _Home:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="asft-vllm", daemon=True)
        self._thread.start()

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run it there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there and wait for it here; cancelled here, it is cancelled there."""
        return await asyncio.wrap_future(self.begin(work))

    def end(self) -> None:
        """End what runs there, and the thread."""
        if self._thread.is_alive():
            with contextlib.suppress(Exception):
                self.begin(self._cancel()).result(guard.GRACE)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(guard.GRACE)
        if not self._thread.is_alive():
            self._loop.close()

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
