"""vLLM in this process: started at the first answers that are wanted, and ended when no more are."""

import asyncio
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from asft.decoder.records import Job, Row
from asft.decoder.vllm import sampling
from asft.decoder.vllm.starting import READY_WITHIN, TIMEOUT, Start, adapter
from asft.errors import FatalError
from asft.student import Loaded
from asft.teachers.vllm.in_process import InProcess
from asft.teachers.vllm.settings import NO_DECODER


class OwnVLLM:
    """An engine of this process; one at a time is there. It is closed by whoever made it."""

    def __init__(self, *, at_once: int, memory: float, args: Sequence[str], log: Path) -> None:
        """`at_once`: answers; `memory`: share of the device's; `args`: flags, as `vllm serve` takes them."""
        self._at_once = at_once
        self._memory = memory
        self._args = args
        self._log = log
        self._engine: InProcess | None = None
        self._start: Start | None = None
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

    def named(self) -> str:
        """See `Decoder.named`."""
        import vllm

        return f"vLLM {vllm.__version__}"

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
        folder = adapter(loaded)
        worn = None
        if folder is not None:
            number = self._adapters.setdefault(folder, len(self._adapters) + 1)
            worn = number, Path(folder).resolve()
        places = asyncio.Semaphore(self._at_once)
        done = 0

        async def one(job: Job) -> Row:
            nonlocal done
            fields = {**sampling(loaded, job, max_new_tokens), "logprobs": 0 if stats else None}
            async with places:
                answer = await engine.write(job.prompt, fields, worn)
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
        wanted = Start.of(loaded)
        if self._engine is not None and self._start is not None and self._start.serves(wanted):
            return self._engine
        if self._engine is not None:
            await self._engine.stop()
        if find_spec("vllm") is None:
            raise FatalError(f"decoder: vllm: {NO_DECODER}")
        self._engine = None
        engine = InProcess(
            flags=wanted.flags(self._memory, self._args),
            adapter=None,
            sampling={},
            template={},
            timeout=TIMEOUT,
            ready_within=READY_WITHIN,
        )
        await engine.start(self._log)
        self._engine, self._start = engine, wanted
        return engine
