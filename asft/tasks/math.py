r"""`math`: competition problems with worked answers (MATH, Hendrycks et al. 2021, arXiv 2103.03874).

From the hub; or, where there is no network, from the published folder with a file for each problem, or from
JSONL and Parquet files. The published training set is the pool of seeds, the published test set the test
split. The reference is what stands in the last `\boxed` of the solution. `levels: [1, 2, 3]` is the part that
"Active Synthesis" calls Math1-3.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from asft import answers, latex
from asft.errors import DataError
from asft.registry import plugin
from asft.tasks import rows
from asft.tasks.rows import Row
from asft.types import Example, Grade

SPLITS = {"seed": "train", "test": "test"}
"""asft's name of a split -> MATH's."""
HUB = "EleutherAI/hendrycks_math"
SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
"""MATH's folders, which are the configurations of the hub data set; a row's type says the same as a title."""


@plugin
class MATH:
    """MATH, graded by the final answer as mathematics: fractions, roots, intervals, sets, units, words."""

    source: str = HUB
    """A hub data set; a folder with train/ and test/ as published, or with train.jsonl, or train*.parquet,
    and the same of test; or one file, which has the seeds."""
    test: str | None = None
    """Another source for the test split, such as a file with MATH-500."""
    configs: tuple[str, ...] | None = None
    """The hub data set's configurations that are read. None: the seven subjects of the default source, else
    the only one that there is."""
    levels: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Field(min_length=1)] | None = None
    """Levels of difficulty from 1 to 5 that are taken, in both splits. None: all, and the few rows whose
    level is "Level ?"."""
    types: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Subjects that are taken: "Number Theory" or number_theory. None: all."""
    held_out: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """The share of the training set that is the test split, and is no seed, in place of the published one:
    for a file that has but one set, or to keep the published test set for the end. A problem is held out or
    not by the hash of its content, whatever rows stand beside it."""
    duplicates: Literal["error", "drop"] = "drop"
    """What to do with a row whose problem and final answer repeat an earlier row's. drop: it is left out, so
    that a published set with a repeated problem can be used as it is."""

    def __post_init__(self) -> None:
        """Refuse two test splits."""
        if self.test is not None and self.held_out is not None:
            raise ValueError("both test and held_out give a test split; leave one out")

    def load(self, split: str) -> Sequence[Example]:
        """The examples of "seed" (MATH's train) or "test", in MATH's order. Raises DataError."""
        if split not in SPLITS:
            raise DataError(f"math has no split {split!r}; splits: {', '.join(SPLITS)}")
        named = self._rows(split)
        found = [(where, _example(where, row, split)) for where, row in named]
        if not found:
            raise DataError(
                f"{self.source}: there are no rows for {split!r}; give a folder with MATH's files"
            )
        taken = rows.unique(self._taken(found), self.duplicates)
        if self.held_out is not None:
            taken = [one for one in taken if self._is_held_out(one) == (split == "test")]
        if not taken:
            raise DataError(
                f"{self.source}: of {len(found)} rows none is left for {split!r} (levels: "
                f"{self.levels or 'all'}, held_out: {self.held_out}); take more levels, or give more rows"
            )
        return taken

    def grade(self, example: Example, text: str) -> Grade:
        """Compare the final answer of a text with the example's: 1.0, 0.0, or None where there is none.

        Of a text without a mark the last number counts, unless all of the text is the answer ("(1,2),(3,4)").
        A reference in words ("Evelyn", "odd") is no number, and is looked for behind a mark or as the text.
        """
        in_words = answers.extract(example.answer) is None
        grade = answers.grade(text, example.answer, last_number=not in_words)
        whole = text.strip()
        bare = grade.value is None or grade.note == "last number"
        if bare and answers.number(whole) is None and answers.equal(whole, example.answer):
            return Grade(value=1.0, extracted=whole, note="whole text")
        return grade

    def _rows(self, split: str) -> Iterator[Row]:
        if split == "test" and self.test is not None:
            return _read(self.test, "test", configs=None, alone=True)
        published = "train" if self.held_out is not None else SPLITS[split]
        return _read(self.source, published, configs=self.configs, alone=published == "train")

    def _taken(self, found: Iterable[tuple[str, Example]]) -> Iterator[tuple[str, Example]]:
        """Those of the levels and types that are wanted. Raises DataError for a type that no row has."""
        found = list(found)
        wanted = None if self.types is None else {_key(name): name for name in self.types}
        there = {_key(one.tags["type"]): one.tags["type"] for _, one in found}
        if missing := [name for key, name in (wanted or {}).items() if key not in there]:
            raise DataError(
                f"{self.source}: no row is of type {missing[0]!r}; types: {', '.join(sorted(there.values()))}"
            )
        levels = None if self.levels is None else {str(level) for level in self.levels}
        for where, one in found:
            if levels is not None and one.tags["level"] not in levels:
                continue
            if wanted is None or _key(one.tags["type"]) in wanted:
                yield where, one

    def _is_held_out(self, example: Example) -> bool:
        """By the example's id, a hash; those held out at a smaller share are held out at a larger one too."""
        share = int(example.id, 16) / 16 ** len(example.id)
        return self.held_out is not None and share < self.held_out


def _read(source: str, published: str, *, configs: Sequence[str] | None, alone: bool) -> Iterator[Row]:
    """The rows of a published split. `alone`: a single file has this split, and no other."""
    path = Path(source).expanduser()
    if path.is_dir():
        return _folder(path, published)
    if rows.is_local(source):
        if not alone:
            raise DataError(
                f"{path}: one file holds the seeds alone; set held_out to the share of it that is to be the "
                "test split, or test to another file"
            )
        return rows.rows(source)
    if configs is None and source == HUB:
        configs = SUBJECTS
    return _hub(source, published, configs or (None,))


def _folder(folder: Path, published: str) -> Iterator[Row]:
    if (folder / published).is_dir():
        return rows.json_rows(folder / published)
    if (folder / f"{published}.jsonl").is_file():
        return rows.jsonl_rows(folder / f"{published}.jsonl")
    files = sorted(folder.rglob(f"{published}*.parquet"))
    if not files:
        raise DataError(
            f"{folder}: there is no folder {published}/, no {published}.jsonl and no {published}*.parquet "
            "there; give a folder with MATH's files"
        )
    return (row for file in files for row in rows.parquet_rows(file))


def _hub(source: str, published: str, configs: Sequence[str | None]) -> Iterator[Row]:
    for config in configs:
        try:
            yield from rows.hub_rows(source, config=config, split=published)
        except DataError as error:
            raise DataError(f"{error}: set source to a folder with MATH's train and test in it") from error


def _example(where: str, row: Mapping[str, Any], split: str) -> Example:
    problem = rows.text_cell(where, row, "problem")
    solution = rows.text_cell(where, row, "solution")
    answer = next(latex.boxes(solution), None)
    if answer is None:
        raise DataError(
            f"{where}: the solution has no closed \\boxed{{...}} with something in it, and ends "
            f"{solution.strip()[-40:]!r}; put its final answer in one"
        )
    if not answers.equal(answer, answer):
        raise DataError(f"{where}: the final answer {answer[:60]!r} has nothing to compare; mend the row")
    return Example.make(
        task="math",
        prompt=problem,
        answer=answer,
        completion=solution,
        tags={"split": split, "level": _level(where, row), "type": _type(where, row)},
    )


def _level(where: str, row: Mapping[str, Any]) -> str:
    """ "3" of "Level 3" (or of 3, as MATH-500 has it), and "?" of "Level ?"."""
    written = rows.text_cell(where, row, "level")
    level = re.fullmatch(r"(?:level\s)?\s*([1-5?])", written.strip(), re.IGNORECASE)
    if level is None:
        raise DataError(
            f"{where}: the level {rows.short(written)} is not 'Level 1' to 'Level 5'; mend the row"
        )
    return level[1]


def _type(where: str, row: Mapping[str, Any]) -> str:
    """The subject; MATH-500 calls the column so."""
    return rows.text_cell(where, row, "subject" if "subject" in row and "type" not in row else "type").strip()


def _key(name: str) -> str:
    """A subject as MATH's folders spell it."""
    return re.sub(r"[\s_-]+", "_", name.strip().casefold().replace("&", "and"))
