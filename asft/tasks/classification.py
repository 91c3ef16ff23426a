"""`classification`: any data set of texts with labels, answered in words or by the likelihood of the labels.

The label set is given, or found in the data. An answer is right where it is the example's label, or one of
its synonyms, and names no other; `choices` tells the labels to an evaluation by likelihood.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from asft.errors import DataError
from asft.registry import plugin
from asft.tasks import choices as reading
from asft.tasks import rows
from asft.tasks.qa import normalised
from asft.types import Example, Grade

MOST_FOUND = 200
"""More labels than these are not found but read by mistake from a column of free text."""


@plugin
class Classification:
    """A task from columns: a text, and which label of a set it has."""

    seed: str | None = None
    """The texts to learn from: a .jsonl, .csv or .parquet file, a folder for `datasets`, or a hub name."""
    test: str | None = None
    """The texts to be measured on; the same forms as `seed`."""
    name: str = "classification"
    """What the examples call their task; it is part of their ids."""
    text: str = "text"
    """The column with the text."""
    label: str = "label"
    """The column with the label."""
    labels: tuple[str, ...] | None = None
    """The label set, in the order in which the prompt lists it. None: what stands in the seeds' column (in
    the tests' where there are no seeds), sorted; the first prompt, which `asft check` shows, lists it."""
    label_is: Literal["name", "index"] = "name"
    """How the column gives it. index: as its place in `labels`, counted from 0."""
    synonyms: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Label -> what else is read as it: {positive: [good, favourable]}."""
    template: str = "{text}\n\nWhich of these labels fits: {labels}?"
    """The prompt: the text, and where it is wanted the label set, between commas."""
    tags: tuple[str, ...] = ()
    """Columns that become tags, for reports by group; the label is one in any case."""
    duplicates: Literal["error", "drop"] = "error"
    """What to do with a row whose text and label repeat an earlier row."""
    config: str | None = None
    """The configuration of a hub data set."""
    seed_split: str = "train"
    """The hub data set's own name for the split of `seed`."""
    test_split: str = "test"
    """The hub data set's own name for the split of `test`."""

    def __post_init__(self) -> None:
        """Refuse a template without the text, and labels that cannot be told apart."""
        reading.check_template(self.template, ("text", "labels"), ("text",))
        if self.labels is None:
            if self.label_is == "index":
                raise ValueError("label_is: index counts in labels; give the label set in labels")
            return
        if len(self.labels) < 2:
            raise ValueError(f"labels {list(self.labels)} leave no choice; give at least two")
        if problem := _problem(self.labels, self.synonyms):
            raise ValueError(problem)

    def load(self, split: str) -> Sequence[Example]:
        """All examples of "seed" or "test" in the order of the rows. Raises DataError."""
        if split not in ("seed", "test"):
            raise DataError(f"task {self.name!r} has no split {split!r}; splits: seed, test")
        read = self._read(split)
        found = rows.unique(
            ((where, self._example(where, row, split)) for where, row in read), self.duplicates
        )
        if not found:
            raise DataError(
                f"{self._source(split)}: there are no rows in it; give a file with at least one text"
            )
        return found

    def choices(self, example: Example) -> tuple[str, ...]:
        """The label set. Raises DataError where it has to be found in data that cannot be read."""
        return self._labels

    def grade(self, example: Example, text: str) -> Grade:
        """1.0 for the label, 0.0 for another or none of them, None where none is named clearly."""
        found = reading.read(text, self._spellings, letters=False)
        extracted = found.taken or found.said
        if extracted is None:
            return Grade(value=None, extracted=None, note=found.how)
        if not example.answer.strip():
            return Grade(value=None, extracted=extracted, note=f"{found.how}; the reference answer is empty")
        right = found.taken is not None and normalised(found.taken) == normalised(example.answer)
        return Grade(value=float(right), extracted=extracted, note=found.how)

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        if self.labels is not None:
            return self.labels
        split = "test" if self.seed is None else "seed"
        found = sorted({rows.text_cell(where, row, self.label).strip() for where, row in self._read(split)})
        source = self._source(split)
        if not 2 <= len(found) <= MOST_FOUND:
            raise DataError(
                f"{source}: column {self.label!r} has {len(found)} labels ({found!r:.120}); a set of 2 to "
                f"{MOST_FOUND} can be found in the data; give it in labels, or name another column"
            )
        if problem := _problem(found, self.synonyms):
            raise DataError(f"{source}, column {self.label!r}: {problem}")
        return tuple(found)

    @cached_property
    def _spellings(self) -> dict[str, tuple[str, ...]]:
        return {label: (label, *self.synonyms.get(label, ())) for label in self._labels}

    def _source(self, split: str) -> str:
        source = self.seed if split == "seed" else self.test
        if source is None:
            raise DataError(
                f"task {self.name!r} has no {split} data; set its option {split!r} to a file or hub name"
            )
        return source

    def _read(self, split: str) -> Sequence[rows.Row]:
        hub_split = self.seed_split if split == "seed" else self.test_split
        return list(rows.rows(self._source(split), config=self.config, split=hub_split))

    def _example(self, where: str, row: Mapping[str, Any], split: str) -> Example:
        text = rows.text_cell(where, row, self.text).strip()
        label = self._label(where, rows.text_cell(where, row, self.label).strip())
        return Example.make(
            task=self.name,
            prompt=self.template.format(text=text, labels=", ".join(self._labels)),
            answer=label,
            completion=label,
            tags={
                **{tag: rows.as_text(rows.cell(where, row, tag)) or "" for tag in self.tags},
                "split": split,
                "label": label,
            },
        )

    def _label(self, where: str, written: str) -> str:
        labels = self._labels
        if self.label_is == "index":
            if written.isdecimal() and int(written) < len(labels):
                return labels[int(written)]
            raise DataError(
                f"{where}: the label {rows.short(written)} is no place from 0 to {len(labels) - 1} in the "
                f"label set ({', '.join(labels):.200}); mend the row, or set label_is: name"
            )
        plain = normalised(written)
        found = [label for label in labels if normalised(label) == plain]
        if not found:
            hint = "; or set label_is: index" if written.isdecimal() else ""
            raise DataError(
                f"{where}: the label {rows.short(written)} is not in the label set "
                f"({', '.join(labels):.200}); mend the row, or give the whole set in labels{hint}"
            )
        return found[0]


def _problem(labels: Sequence[str], synonyms: Mapping[str, Sequence[str]]) -> str | None:
    """Why the labels and their synonyms cannot be told apart; None where they can."""
    known: dict[str, str] = {}
    if strange := [label for label in synonyms if label not in labels]:
        return f"synonyms of {strange[0]!r}, which is no label; labels: {', '.join(labels)}"
    for label in labels:
        for spelling in (label, *synonyms.get(label, ())):
            plain = normalised(spelling)
            if not plain:
                return f"{spelling!r} has no letter or digit to compare; give it a name"
            if known.setdefault(plain, label) != label:
                return f"{spelling!r} is read as both {known[plain]!r} and {label!r}; change one of them"
    if repeated := [label for label in labels if list(labels).count(label) > 1]:
        return f"the label {repeated[0]!r} stands twice; name each once"
    return None
