"""vLLM in this process: started at the first answers that are wanted, and ended when no more are."""

import asyncio
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from asft.decoder.records import Job, Row
from asft.decoder.vllm import sampling
from asft.errors import FatalError
from asft.student import Loaded, is_whole, place
from asft.teachers.vllm import INSTALL
from asft.teachers.vllm.in_process import InProcess
from asft.teachers.vllm.settings import rank_flag

READY_WITHIN = 900.0
"""Seconds that it has to start."""
TIMEOUT = 600.0
"""Seconds that an answer has."""


class OwnVLLM:
    """An engine of this process; one at a time is there. It is closed by whoever made it."""

    def __init__(self, *, at_once: int, memory: float, args: Sequence[str], log: Path) -> None:
        """`at_once`: answers; `memory`: share of the device's; `args`: flags, as `vllm serve` takes them."""
        self._at_once = at_once
        self._memory = memory
        self._args = args
        self._log = log
        self._engine: InProcess | None = None
        self._model: list[str] = []
        self._ranks = 0
        self._adapters: dict[str, int] = {}

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
        return asyncio.run(self._write(loaded, jobs, max_new_tokens, stats, progress))

    def close(self) -> None:
        """End it; does nothing where it does not run."""
        engine, self._engine = self._engine, None
        if engine is not None:
            asyncio.run(engine.stop())

    async def _write(
        self,
        loaded: Loaded,
        jobs: Sequence[Job],
        max_new_tokens: int,
        stats: bool,
        progress: Callable[[int], None] | None,
    ) -> list[Row]:
        engine = await self._started(loaded)
        folder = _adapter(loaded)
        adapter = None
        if folder is not None:
            number = self._adapters.setdefault(folder, len(self._adapters) + 1)
            adapter = number, Path(folder).resolve()
        places = asyncio.Semaphore(self._at_once)
        done = 0

        async def one(job: Job) -> Row:
            nonlocal done
            fields = {**sampling(loaded, job, max_new_tokens), "logprobs": 0 if stats else None}
            async with places:
                answer = await engine.write(job.prompt, fields, adapter)
            ids = list(answer.token_ids)
            chosen = zip(ids, answer.logprobs, strict=True) if stats else ()
            done += 1
            if progress:
                progress(done)
            return Row(token_ids=ids, nll=[-row[token].logprob for token, row in chosen])

        return await asyncio.gather(*(one(job) for job in jobs))

    async def _started(self, loaded: Loaded) -> InProcess:
        """The engine, started where it does not run, and anew for another model or an adapter that it has no
        room for."""
        adapter = _adapter(loaded)
        rank = 0 if adapter is None else int(rank_flag(Path(adapter)))
        model = _model(loaded)
        if self._engine is not None and model == self._model and rank <= self._ranks:
            return self._engine
        if self._engine is not None:
            await self._engine.stop()
        if find_spec("vllm") is None:
            raise FatalError(f"decoder: vllm: vLLM is not installed here; {INSTALL}, or take `decoder: hf`")
        self._engine = None
        engine = InProcess(
            flags=[*self._flags(loaded), *(_lora(rank) if rank else [])],
            adapter=None,
            sampling={},
            template={},
            timeout=TIMEOUT,
            ready_within=READY_WITHIN,
        )
        await engine.start(self._log)
        self._engine, self._model, self._ranks = engine, model, rank
        return engine

    def _flags(self, loaded: Loaded) -> list[str]:
        flags = [*_model(loaded), "--dtype", str(loaded.model.dtype).removeprefix("torch.")]
        if loaded.model.device.type == "cpu":
            # In pieces, a prompt of a request with a seed ends a CPU's engine: its generators have no offset.
            flags.append("--no-enable-chunked-prefill")
        else:
            flags += ["--gpu-memory-utilization", str(self._memory)]
        return [*flags, *self._args]


def _adapter(loaded: Loaded) -> str | None:
    """The folder of the student's adapter, where it has one."""
    folder = loaded.student.adapter
    return None if folder is None or is_whole(folder) else folder


def _model(loaded: Loaded) -> list[str]:
    """Flags that name the model: the student's base, or what was trained whole."""
    student = loaded.student
    if student.adapter is not None and is_whole(student.adapter):
        return ["--model", student.adapter]
    revision = [] if student.revision is None else ["--revision", student.revision]
    return ["--model", place(student.base), *revision]


def _lora(rank: int) -> list[str]:
    return ["--enable-lora", "--max-lora-rank", str(rank)]
