"""Check what asft makes of GSM8K: its gold answers, and the variants that the rules teacher writes.

    python scripts/check_gsm8k.py [--data DIR] [--show N]

DIR holds gsm8k/train.jsonl and gsm8k/test.jsonl, or these two files themselves; the default is $ASFT_DATA.
Prints how many gold answers grade 1.0 (exits with 1 unless all do), the share of train with a variant, and
why the rest has none; with --show N also N variants to read.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from asft import answers
from asft.tasks.gsm8k import GSM8K, SPLITS
from asft.teachers.rules import gsm8k
from asft.types import Example


def folder(data: str | None) -> Path:
    """The folder with the two files. Exits where there is none."""
    if not data:
        sys.exit("say where GSM8K is: --data DIR, or ASFT_DATA in the environment")
    for path in (Path(data) / "gsm8k", Path(data)):
        if (path / "train.jsonl").is_file() and (path / "test.jsonl").is_file():
            return path
    sys.exit(f"there is no train.jsonl beside a test.jsonl in {data} or {data}/gsm8k")


def gold(task: GSM8K, split: str) -> tuple[int, list[Example]]:
    """How many gold answers, worked as they are, grade 1.0, and all examples."""
    examples = list(task.load(split))
    wrong = [e for e in examples if task.grade(e, e.completion or "").value != 1.0]
    for example in wrong[:10]:
        print(f"not right by its own answer {example.answer!r}: {example.completion}\n")
    return len(examples) - len(wrong), examples


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("ASFT_DATA"))
    parser.add_argument("--show", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    task = GSM8K(source=str(folder(options.data).resolve()))
    begun = time.perf_counter()
    right, rows = 0, 0
    for split in ("seed", "test"):
        good, examples = gold(task, split)
        print(f"gold answers of {SPLITS[split]} that grade 1.0: {good} of {len(examples)}")
        right, rows = right + good, rows + len(examples)
    train = list(task.load("seed"))
    reasons: Counter[str] = Counter()
    written = []
    for example in train:
        rng = random.Random(f"check gsm8k {options.seed} {example.id}")
        made = gsm8k.variant(example.prompt, example.completion or "", rng)
        if isinstance(made, gsm8k.Cannot):
            reasons[str(made.reason)] += 1
            continue
        if answers.grade(made.solution, made.answer).value != 1.0:
            print(f"a variant that is not right by its own answer:\n{gsm8k.render(made)}")
            return 1
        written.append((example, made))
    print(f"variants of train: {len(written)} of {len(train)} ({len(written) / len(train):.1%})")
    for reason, count in reasons.most_common():
        print(f"  {count:5d}  {count / len(train):6.1%}  {reason}")
    print(f"{time.perf_counter() - begun:.1f} s")
    for example, made in random.Random(options.seed).sample(written, min(options.show, len(written))):
        print(f"\n{'-' * 80}\nSeed: {example.prompt}\n({example.answer})\n\n{gsm8k.render(made)}")
    return 0 if right == rows else 1


if __name__ == "__main__":
    sys.exit(main())
