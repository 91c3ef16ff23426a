"""Measure where the puzzle student stands on prontoqa and game24, and write it down.

    python scripts/measure_puzzle_student.py [--student DIR] [--problems 2000] [--write]

Answers, greedily, problems of prontoqa of salt O, by how many rules they need; and all puzzles of game24 that
no student is made from, by how many solutions they have. Beside the share of right answers stands that of
answers whose every line holds too: rules that are given and what they say, or calculations that are true.
`--write` puts the table beside the student, as standing.json.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from asft import decoder, student
from asft.stats import wilson
from asft.tasks.game24.solving import CLASSES
from asft.tasks.game24.task import SHARES, Game24
from asft.tasks.prontoqa.task import PrOntoQA
from asft.teachers.rules import puzzles
from asft.types import Example, Task

WORKED = 10
"""The rules teacher's mark for an answer that is right and whose every step holds."""
Standing = dict[str, tuple[int, int, int]]
"""By kind of problem: right answers, those of them whose every line holds, and problems."""


def measure(loaded: student.Loaded, task: Task, examples: Sequence[Example], tag: str) -> Standing:
    """Where a student stands, by what a tag says of the problems, and over all."""
    answers = decoder.answer(
        loaded,
        [example.prompt for example in examples],
        max_new_tokens=decoder.limit(loaded.tokenizer, [example.completion or "" for example in examples]),
    )
    found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for example, answer in zip(examples, answers, strict=True):
        right = task.grade(example, answer.text).value == 1.0
        mark = puzzles.mark(example.prompt, answer.text)
        for kind in ("all", example.tags[tag]):
            found[kind].append((right, right and mark is not None and mark[0] == WORKED))
    return {
        kind: (sum(right for right, _ in rows), sum(followed for _, followed in rows), len(rows))
        for kind, rows in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--student", default="puzzles")
    parser.add_argument("--problems", type=int, default=2000, help="of prontoqa")
    parser.add_argument("--write", action="store_true", help="write standing.json beside the student")
    settings = parser.parse_args()
    loaded = student.load(student.Student(base=settings.student), "cpu")
    chains = PrOntoQA(salt="O", tests=settings.problems)
    tasks = Game24(salt="A"), Game24(salt="B")
    fours = [example for task in tasks for split in SHARES for example in task.load(split)]
    standing = {
        "prontoqa": measure(loaded, chains, chains.load("test"), "hops"),
        "game24": measure(loaded, Game24(), fours, "solutions"),
    }
    for name, what, order in (
        ("prontoqa", "rules", sorted(standing["prontoqa"])),
        ("game24", "solutions", ["all", *CLASSES]),
    ):
        print(f"\n| {name}: {what} | accuracy | 95% interval | every line holds | problems |")
        print("|---|---|---|---|---|")
        for kind in order:
            right, followed, problems = standing[name][kind]
            bounds = wilson(right, problems)
            print(
                f"| {kind} | {right / problems:.3f} | {bounds.low:.3f} to {bounds.high:.3f} "
                f"| {followed / problems:.3f} | {problems} |"
            )
    if settings.write:
        path = Path(student.place(settings.student)) / "standing.json"
        path.write_text(json.dumps(standing, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
