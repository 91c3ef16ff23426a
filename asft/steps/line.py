"""What the steps of a run share, and examples read back from its files."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from asft import adapting, student
from asft.adapting import Figures
from asft.errors import DataError
from asft.heldout import general, held_out
from asft.journal import Journal
from asft.progress import Tells
from asft.prompts import Prompt
from asft.recipe import Recipe
from asft.rundir import RunDir, digest, read_jsonl
from asft.types import Example
from asft.workers.group import Group
from asft.workers.ranks import ALONE, Ranks

HEAVY = ("measure", "train", "evaluate")
"""Steps that workers make, where there are some."""
VALIDATED = "validate.jsonl"
"""In a round: the answers of its student to what is held out of the pool, where the recipe goes by them."""


class Given:
    """What no rule changes: a run's examples and its base student, each loaded when a step first needs it."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    @cached_property
    def seeds(self) -> tuple[Example, ...]:
        """The pool, without what is held out for validation."""
        return self._pool[0]

    @cached_property
    def validation(self) -> tuple[Example, ...]:
        """What is held out of the pool, to see how training goes; none where the recipe wants none."""
        return self._pool[1]

    @cached_property
    def _pool(self) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
        options = self._recipe.data.validation
        pool = self._load("seed")
        return held_out(pool, options.examples, self._recipe.seed) if options else (pool, ())

    @cached_property
    def test(self) -> tuple[Example, ...]:
        """The test split."""
        return self._load("test")

    @cached_property
    def general(self) -> tuple[Example, ...]:
        """The worked examples of the task that `data.replay` draws from; none that is tested or validated on.

        Raises DataError where there are none.
        """
        replay = self._recipe.data.replay
        if replay is None or isinstance(replay.of, str):
            return ()
        return general(replay.of, (*self.test, *self.validation))

    @cached_property
    def base(self) -> student.Loaded:
        """The student before any training, loaded once, when a step first needs it."""
        options = self._recipe.student
        return student.load(
            student.Student(base=options.base, revision=options.revision, quantise=options.quantise)
        )

    @property
    def base_is_loaded(self) -> bool:
        """Whether a step has needed the base yet."""
        return "base" in vars(self)

    def _load(self, split: str) -> tuple[Example, ...]:
        examples = tuple(self._recipe.task.load(split))
        if not examples:
            raise DataError(f"task: the split {split!r} is empty; give it at least one example")
        return examples


@dataclass(frozen=True)
class Line:
    """What all steps of a run share."""

    recipe: Recipe
    dir: RunDir
    journal: Journal
    progress: Tells
    begin: Callable[[], None]
    """Called before a step is made, and not where one is reused: the recipe is put down then."""
    ranks: Ranks = ALONE
    """This process among those that make a heavy step together."""
    workers: Group | None = None
    """Who makes the heavy steps; None: this process."""
    given: Given | None = None
    """What rounds under other settings share with this one; None: nothing is loaded yet."""

    @cached_property
    def _given(self) -> Given:
        return self.given or Given(self.recipe)

    @property
    def seeds(self) -> tuple[Example, ...]:
        """The pool, without what is held out for validation."""
        return self._given.seeds

    @property
    def validation(self) -> tuple[Example, ...]:
        """What is held out of the pool; none where the recipe wants none."""
        return self._given.validation

    @property
    def test(self) -> tuple[Example, ...]:
        """The test split."""
        return self._given.test

    @property
    def general(self) -> tuple[Example, ...]:
        """The worked examples of the task that `data.replay` draws from. Raises DataError for none."""
        return self._given.general

    @property
    def base(self) -> student.Loaded:
        """The student before any training, loaded once, when a step first needs it."""
        return self._given.base

    @property
    def base_is_loaded(self) -> bool:
        """Whether a step has needed the base yet."""
        return self._given.base_is_loaded

    def at(self, number: int) -> "Line":
        """The line under the settings that rules give a round, by the files of those before it."""
        return self.under(self.adapted(number)[0]) if self.recipe.adapt else self

    def adapted(self, number: int) -> tuple[Recipe, tuple[adapting.Change, ...]]:
        """A round's recipe, and what its rules changed before it."""
        return adapting.adapted(self.recipe, [self.figures(earlier) for earlier in range(number)])

    def under(self, recipe: Recipe) -> "Line":
        """The same line with another recipe for its steps; what is loaded is shared."""
        return replace(self, recipe=recipe, given=self._given)

    def figures(self, number: int) -> Figures:
        """What rules may go by of a round that is over."""
        kept = None
        if number > 0 and (verdicts := read_jsonl(self.dir.file(number, "filter.jsonl"))):
            kept = sum(row["decision"] == "keep" for row in verdicts) / len(verdicts)
        accuracy = self.accuracy(number) if self.recipe.validates else None
        return Figures(accuracy=accuracy, kept=kept)

    def accuracy(self, number: int) -> float:
        """Of a round's student on what is held out: right answers among all."""
        rows = read_jsonl(self.dir.file(number, VALIDATED))
        return fmean(row["grade"] == 1.0 for row in rows)

    def adapter(self, number: int) -> Path | None:
        """The student after a round; None is the base. One that comes with an adapter has it in round 0."""
        path = self.dir.file(number, "adapter")
        return path if number > 0 or path.exists() else None

    def measured(self, number: int) -> Path | None:
        """The student that is measured before a round, of pool and drafts; None is the base."""
        return self.adapter(0 if self.recipe.data.measured == "base" else number - 1)

    def accepted(self, number: int) -> list[Example]:
        """What a round accepted, in order."""
        return [example for _, example in self.accepted_drafts(number)]

    def accepted_drafts(self, number: int) -> list[tuple[int, Example]]:
        """The same, each with the number of its draft and so of its pick."""
        kept = {
            row["number"]
            for row in read_jsonl(self.dir.file(number, "filter.jsonl"))
            if row["decision"] == "keep"
        }
        rows = read_jsonl(self.dir.file(number, "write.jsonl"))
        return [(row["number"], example_from(row["example"])) for row in rows if row["number"] in kept]

    def accepted_before(self, number: int) -> list[Example]:
        """What all rounds before this one accepted, in order."""
        return [example for earlier in range(1, number) for example in self.accepted(earlier)]

    def asked_before(self, number: int) -> Counter[str]:
        """Example id -> how many drafts earlier rounds made from it."""
        counts: Counter[str] = Counter()
        for earlier in range(1, number):
            drafts = len(read_jsonl(self.dir.file(earlier, "write.jsonl")))
            picks = read_jsonl(self.dir.file(earlier, "select.jsonl"))
            counts.update(row["example_id"] for row in picks[:drafts])
        return counts

    def part(self, *keys: str) -> dict[str, Any]:
        """The settings that a step reads, for its manifest."""
        return {key: self.recipe.settings[key] for key in keys}

    @property
    def prompts(self) -> dict[str, str]:
        """Name -> text of the prompts that writer and filters have read, for the manifest."""
        read = [value for one in (self.recipe.writer, *self.recipe.filters) for value in vars(one).values()]
        return {
            prompt.name: "\n".join(f"## {role}\n{text.strip()}" for role, text in prompt.sections)
            for prompt in read
            if isinstance(prompt, Prompt)
        }

    @property
    def files(self) -> dict[str, str]:
        """Path -> SHA-256 of the files that the filters read, for the manifest."""
        read = [value for one in self.recipe.filters for value in vars(one).values()]
        return {str(path): digest(path) for path in read if isinstance(path, Path) and path.exists()}

    def once(
        self,
        number: int,
        step: str,
        *,
        settings: Mapping[str, Any],
        inputs: Sequence[Path],
        outputs: Sequence[str],
        make: Callable[[Path], None],
    ) -> bool:
        """See `RunDir.once`. A worker makes what it is told; the loop looks whether it is done."""
        if self.ranks.count > 1:
            with self.ranks.folder(self.dir.round(number)) as folder:
                make(folder)
            return True

        def begun(folder: Path) -> None:
            self.begin()
            if self.workers is not None and step in HEAVY:
                self.workers.do(step, round=number)
            else:
                make(folder)

        return self.dir.once(number, step, settings=settings, inputs=inputs, outputs=outputs, make=begun)


def known_by(examples: Sequence[Example]) -> str:
    """What a manifest knows a split by, so that another data set under the same name is noticed."""
    digest = hashlib.sha256(" ".join(example.id for example in examples).encode()).hexdigest()
    return f"{len(examples)} examples {digest[:12]}"


def example_from(row: Mapping[str, Any]) -> Example:
    """An example as it was put down."""
    return Example(**{**row, "parents": tuple(row["parents"])})
