"""Measure where the pocket student stands, family by family, and write its mastery table.

    python scripts/measure_pocket_student.py [--student DIR] [--problems 1500] [--write]

Answers, greedily, problems of salt O, which nothing else uses: so many with an uncommon family, twice as many
with a rare one, three times as many with common families alone. A problem counts for the least mastered of
its families. Which that is comes from other problems, of another split, so that no family is picked for the
bad luck that it is then blamed for.
"""

import argparse
import json
import random
from collections import defaultdict
from itertools import islice
from pathlib import Path

from asft import answers as answering
from asft import decoder, student
from asft.stats import wilson
from asft.tasks.pocket.families import FAMILIES
from asft.tasks.pocket.program import stream
from asft.tasks.pocket.task import MASTERED, SALTS, SPLITS, STUDENT, WORDS, example
from asft.types import Example

SIZES = {"common": 3, "uncommon": 1, "rare": 2}


def problems(group: str, count: int, split: str) -> list[Example]:
    """Problems of salt O: with common families alone, or each with one of the group."""
    weights = {name: 1.0 for name, family in FAMILIES.items() if family.group == group != "common"}
    owned = SALTS.index("O") * len(SPLITS) + SPLITS.index(split)
    source = stream(random.Random(f"mastery {group}"), frozenset({owned}), weights, 1.0, WORDS)
    return [example(program, split) for program in islice(source, count)]


def answered(loaded: student.Loaded, count: int, split: str) -> list[tuple[list[str], bool]]:
    """The families of each problem, and whether it was answered rightly."""
    examples = [e for group, size in SIZES.items() for e in problems(group, size * count, split)]
    answers = decoder.answer(loaded, [e.prompt for e in examples])
    return [
        (e.tags["families"].split("+"), answering.grade(a.text, e.answer).value == 1.0)
        for e, a in zip(examples, answers, strict=True)
    ]


def measure(base: str, count: int) -> dict[str, tuple[int, int]]:
    """Right and all problems that belong to each family."""
    loaded = student.load(student.Student(base=base))
    anywhere: dict[str, list[bool]] = defaultdict(list)
    for families, right in answered(loaded, count, "validation"):
        special = [name for name in families if FAMILIES[name].group != "common"]
        for name in special or families:
            anywhere[name].append(right)
    first = {name: sum(found) / len(found) for name, found in anywhere.items()}
    belongs: dict[str, list[bool]] = defaultdict(list)
    for families, right in answered(loaded, count, "test"):
        belongs[min(families, key=lambda name: (first[name], name))].append(right)
    # A common family that is never the least mastered of a problem keeps its first figure.
    return {
        name: (sum(found), len(found))
        for name in FAMILIES
        for found in [belongs[name] if len(belongs[name]) >= 30 else anywhere[name]]
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--student", default="pocket")
    parser.add_argument("--problems", type=int, default=1500, help="with an uncommon family")
    parser.add_argument("--write", action="store_true", help="write mastery.json beside the student")
    settings = parser.parse_args()
    found = measure(settings.student, settings.problems)
    mastery = {name: round(right / items, 3) for name, (right, items) in found.items()}
    print("| family | accuracy | 95% interval | problems |\n|---|---|---|---|")
    for name, value in sorted(mastery.items(), key=lambda pair: pair[1]):
        bounds = wilson(*found[name])
        label = f"{name} ({FAMILIES[name].group})"
        print(f"| {label} | {value:.3f} | {bounds.low:.3f} to {bounds.high:.3f} | {found[name][1]} |")
    low = [name for name, value in mastery.items() if value < 0.10]
    reach = [name for name, value in mastery.items() if 0.10 <= value < MASTERED]
    print(f"\n{len(low)} families below 0.10, {len(reach)} from 0.10 to {MASTERED}, the rest above")
    if settings.write:
        path = STUDENT if settings.student == "pocket" else Path(settings.student)
        (path / "mastery.json").write_text(json.dumps(mastery, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
