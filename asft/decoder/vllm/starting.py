"""What a vLLM of our own is started for, and with which flags: the student's model, and room for adapters."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asft.student import Loaded, is_whole, place
from asft.teachers.vllm.settings import rank_flag

READY_WITHIN = 900.0
"""Seconds that it has to start."""
TIMEOUT = 600.0
"""Seconds that an answer has."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a vLLM is started for."""

    model: tuple[str, ...]
    """Flags that name it: the student's base, or what was trained whole."""
    dtype: str
    rank: int
    """The highest that an adapter may have; 0: there is none."""

    @classmethod
    def of(cls, loaded: Loaded) -> "Start":
        """What a student wants."""
        student, folder = loaded.student, adapter(loaded)
        if student.adapter is not None and folder is None:
            model: tuple[str, ...] = ("--model", student.adapter)
        else:
            revision = () if student.revision is None else ("--revision", student.revision)
            model = ("--model", place(student.base), *revision)
        return cls(
            model=model,
            dtype=str(loaded.model.dtype).removeprefix("torch."),
            rank=0 if folder is None else int(rank_flag(Path(folder))),
        )

    def serves(self, wanted: "Start") -> bool:
        """Whether what was started so can decode for another student, too."""
        return (self.model, self.dtype) == (wanted.model, wanted.dtype) and wanted.rank <= self.rank

    def flags(self, memory: float, args: Sequence[str]) -> list[str]:
        """As `vllm serve` takes them; `memory`: share of the device's; `args`: the recipe's own."""
        import torch

        # A CPU's vLLM calls its share of the computer's memory that, too.
        flags = [*self.model, "--dtype", self.dtype, "--gpu-memory-utilization", str(memory)]
        if not torch.cuda.is_available():
            # In pieces, a prompt of a request with a seed ends a CPU's engine: its generators have no offset.
            flags.append("--no-enable-chunked-prefill")
        if self.rank:
            flags += ["--enable-lora", "--max-lora-rank", str(self.rank)]
        return [*flags, *args]


def adapter(loaded: Loaded) -> str | None:
    """The folder of the student's adapter, where it has one."""
    folder = loaded.student.adapter
    return None if folder is None or is_whole(folder) else folder
