"""`pocket`: word problems without end, for machines that have no data, no network and no GPU.

Each (salt, split) owns instances that no other has, so that what is tuned on one salt can be tried on
another that was never used; the families of step are the same everywhere.
"""

import json
import random
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from asft import answers
from asft.errors import DataError
from asft.registry import plugin
from asft.tasks.pocket import language
from asft.tasks.pocket.families import FAMILIES
from asft.tasks.pocket.program import BUCKETS, Program, solve, stream
from asft.tasks.pocket.rare_families import RARE
from asft.tasks.pocket.uncommon_families import UNCOMMON
from asft.types import Example, Grade

SALTS = "ABCDEFGHIJKLMNOP"
SPLITS = ("seed", "validation", "test")
TRAINING_BUCKETS = frozenset(range(len(SALTS) * len(SPLITS), BUCKETS))
"""What the pocket student was made from; no salt owns these."""

MASTERED = 0.9
"""The accuracy of the shipped student from which a family counts as mastered."""

WORDS = 4
"""How many words of each rare family a pool uses unless told otherwise; mastery is measured on these."""

Salt = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P"]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=0.5)]


@plugin
class Pocket:
    """Generated word problems in GSM8K's format."""

    salt: Salt = "A"
    """Which of 16 disjoint sets of instances."""
    seeds: Count = 1000
    """Size of the split "seed". A larger split starts with the smaller one."""
    validation: Count = 500
    """Size of the split "validation"."""
    tests: Count = 1000
    """Size of the split "test"."""
    uncommon: Share = 0.1
    """Share of problems that have a step of an uncommon family."""
    rare: Share = 0.4
    """Share of problems that have a step of a rare family."""
    words: Annotated[int, Field(ge=1)] = WORDS
    """How many words that stand for a number each rare family uses; with more, each is met less often."""
    sample: int = 0
    """Which sample of the salt's instances the pool is; samples may overlap. Other splits stay the same."""

    def load(self, split: str) -> Sequence[Example]:
        """The examples of "seed", "validation" or "test". Raises DataError for any other split."""
        sizes = {"seed": self.seeds, "validation": self.validation, "test": self.tests}
        if split not in sizes:
            raise DataError(f"pocket has no split {split!r}; splits: {', '.join(sizes)}")
        owned = SALTS.index(self.salt) * len(SPLITS) + SPLITS.index(split)
        rng = random.Random(f"pocket {self.salt} {split} {self.sample if split == 'seed' else 0}")
        special = {
            family.name: share * family.weight / sum(other.weight for other in group)
            for share, group in (
                (self.uncommon, UNCOMMON),
                (self.rare, [family.pared(self.words) for family in RARE]),
            )
            for family in group
        }
        source = stream(rng, frozenset({owned}), special, self.uncommon + self.rare, self.words)
        return [example(program, split) for program in islice(source, sizes[split])]

    def grade(self, example: Example, text: str) -> Grade:
        """Compare the final number of a text with the example's: 1.0, 0.0, or None where there is none."""
        return answers.grade(text, example.answer)


def example(program: Program, split: str) -> Example:
    """A program as an example, with its tags: families, family, mastered, steps, split."""
    family = least_mastered(program.families)
    return Example.make(
        task="pocket",
        prompt=language.question(program),
        answer=str(solve(program)),
        completion=language.work(program),
        tags={
            "families": "+".join(program.families),
            "family": family,
            "mastered": "yes" if mastery()[family] >= MASTERED else "no",
            "steps": str(program.length),
            "split": split,
        },
    )


def least_mastered(families: Sequence[str]) -> str:
    """The family of a problem: of those it is made of, the one that the shipped student masters least."""
    known = mastery()
    return min(families, key=lambda name: (known[name], name))


STUDENT = Path(__file__).resolve().parents[2] / "students" / "pocket"
"""Where the pocket student lies: a folder that transformers loads."""


@cache
def mastery() -> Mapping[str, float]:
    """The shipped student's accuracy by family, as its card states it."""
    measured: dict[str, float] = json.loads((STUDENT / "mastery.json").read_text(encoding="utf-8"))
    missing = [name for name in FAMILIES if name not in measured]
    if missing:
        raise DataError(f"{STUDENT / 'mastery.json'} has no figure for {', '.join(missing)}")
    return measured
