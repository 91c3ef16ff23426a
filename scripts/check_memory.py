"""Train and measure in one process, round after round, and see what stays in memory.

    python scripts/check_memory.py [--rounds 20] [--full] [--quantise nf4|int8] [--student pocket]

Prints the resident memory after each round, less that after the first, in MiB. Exits with 1 where it grew by
more than five times the student's weights after the fifth round, or where a weight of the base has changed.
"""

import argparse
import gc
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from asft import decoder, scorer, student, train
from asft.tasks.pocket.task import Pocket

PAGE = os.sysconf("SC_PAGE_SIZE")
SETTLED = 5
"""Rounds after which the allocator has what it needs."""
MOST = 5
"""Times the student's weights."""


def resident() -> int:
    """Bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def digest(model: Any) -> str:
    """Of all weights."""
    import torch

    found = hashlib.sha256()
    for _, weight in sorted(model.named_parameters()):
        found.update(weight.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--student", default="pocket")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=2, help="of training in a round")
    parser.add_argument("--full", action="store_true", help="train every weight")
    parser.add_argument("--quantise", choices=["nf4", "int8"])
    options = parser.parse_args()
    base = student.load(student.Student(base=options.student, quantise=options.quantise), "cpu")
    before = digest(base.model)
    weights = sum(weight.numel() * weight.element_size() for weight in base.model.parameters())
    examples = Pocket(seeds=16).load("seed")
    prompts = [one.prompt for one in examples]
    asked = student.prompt_ids(base.tokenizer, prompts)
    rows = list(zip(asked, student.answer_ids(base, [one.completion or "" for one in examples]), strict=True))
    sft = {"max_steps": options.steps}
    lora: Literal[False] | None = False if options.full else None
    held = []
    for number in range(1, options.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "adapter"
            train.train(base, examples, out, seed=number, sft=sft, lora=lora)
            with student.wearing(base, str(out)) as worn:
                scorer.score(worn, rows)
                decoder.answer(worn, prompts, max_new_tokens=8)
        held.append(resident())
        print(f"round {number:3d}  {(held[-1] - held[0]) / 2**20:+8.1f} MiB", flush=True)
    grown = held[-1] - held[min(SETTLED, len(held)) - 1]
    print(f"{held[-1] / 2**20:.0f} MiB at the end; weights of the base: {weights / 2**20:.1f} MiB")
    if digest(base.model) != before:
        print("the base's weights have changed")
        return 1
    return int(grown > MOST * weights)


if __name__ == "__main__":
    sys.exit(main())
