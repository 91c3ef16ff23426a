"""What is said to vLLM the same way whether it is a server or in the process: flags, and where they count."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from asft.errors import FatalError

INSTALL = "install it with `pip install 'asft[vllm]'`"
NO_DECODER = (
    f"vLLM is not installed here; {INSTALL}, name the interpreter that has it as student.vllm.python, or "
    "take `decoder: hf`"
)
ADAPTER = "adapter"
"""What vLLM calls the adapter."""
QUIET: Mapping[str, str] = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""vLLM reports its use to its makers unless it is told not to."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as its highest rank of an adapter."""
DECIDED: Mapping[str, str] = {
    "--model": "the option `model` says it",
    "--dtype": "the option `dtype` says it",
    "--max-model-len": "the option `max_model_len` says it",
    "--gpu-memory-utilization": "the option `gpu_memory_utilization` says it",
    "--enable-lora": "the option `adapter` says it",
    "--lora-modules": "the option `adapter` says it",
    "--max-lora-rank": "the adapter says it",
    "--enable-sleep-mode": "the option `between_rounds` says it",
    "--served-model-name": "asft decides it",
    "--host": "asft decides it",
    "--port": "asft decides it",
    "--uds": "asft decides it",
    "--api-key": "the server is this machine's alone, and a key would be in every file of the run",
    "--hf-token": "it would be in every file of the run; export HF_TOKEN",
}
"""Flags that `args` cannot hold, and why."""
SAME_ANSWERS = {
    "--block-size",
    "--cpu-offload-gb",
    "--data-parallel-size",
    "--disable-log-stats",
    "--disable-uvicorn-access-log",
    "--download-dir",
    "--enable-chunked-prefill",
    "--enable-prefix-caching",
    "--enable-prompt-tokens-details",
    "--enforce-eager",
    "--kv-cache-memory-bytes",
    "--max-num-batched-tokens",
    "--max-num-seqs",
    "--no-enable-chunked-prefill",
    "--no-enable-prefix-caching",
    "--pipeline-parallel-size",
    "--tensor-parallel-size",
    "--uvicorn-log-level",
}
"""Flags about memory, speed and logs: the journal's replies stay good when they change."""
MOST_OF_LOG = 1 << 17
"""Bytes that are looked through for errors."""
_ERROR = re.compile(r"\b[A-Z]\w*(Error|Exception): ")


def grouped(args: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Each flag with its values; `--a=1` is `--a 1`, and `--a_b` is `--a-b`."""
    flag, values = "", list[str]()
    for arg in args:
        if arg.startswith("-") and not _is_number(arg):
            if flag:
                yield flag, values
            name, equals, value = arg.partition("=")
            flag, values = name.replace("_", "-"), [value] if equals else []
        else:
            values.append(arg)
    if flag:
        yield flag, values


def changing(args: Iterable[str]) -> list[str]:
    """Those of the flags that change answers, sorted, so that their order is no difference."""
    return sorted(" ".join([flag, *values]) for flag, values in grouped(args) if flag not in SAME_ANSWERS)


def rank_flag(adapter: Path) -> str:
    """The least highest rank that this adapter fits in. Raises FatalError where the folder holds none."""
    try:
        rank = int(adapter_config(adapter)["r"])
        return str(next(most for most in RANKS if most >= rank))
    except (KeyError, TypeError, ValueError):
        raise FatalError(
            f"adapter: {adapter}/adapter_config.json says no rank; train the adapter anew"
        ) from None
    except StopIteration:
        raise FatalError(f"adapter: {adapter} has rank {rank}, and vLLM takes {RANKS[-1]} at most") from None


def adapter_config(adapter: Path) -> dict[str, Any]:
    """What the adapter says of itself. Raises FatalError where the folder holds none."""
    try:
        config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise FatalError(
            f"adapter: {adapter} holds no LoRA adapter (no readable adapter_config.json); name the folder of "
            "one, such as runs/NAME/round-01/adapter"
        ) from None
    return config if isinstance(config, dict) else {}


def end_of(log: Path, start: int = 0) -> str:
    """The end of what was logged from `start` (bytes) on, after the errors that it names before.

    The cause stands far above the end: the last words are those of the process that waited for another.
    """
    try:
        with log.open("rb") as source:
            source.seek(0, 2)
            source.seek(max(start, source.tell() - MOST_OF_LOG))
            text = source.read().decode("utf-8", "replace")
    except OSError:
        return "  (it cannot be read)"
    lines = [line if len(line) <= 300 else f"{line[:297]}..." for line in text.splitlines() if line.strip()]
    last = lines[-8:]
    errors = [line for line in lines if _ERROR.search(line) and "WARNING" not in line and line not in last]
    return "\n".join(f"  {line}" for line in [*dict.fromkeys(errors[-3:]), *last]) or "  (nothing)"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
