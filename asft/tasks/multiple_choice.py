"""`multiple_choice`: any data set of questions with choices, of which one is right.

The prompt shows the choices behind letters; an answer may name the letter or the choice's words, and one that
names two is ungradable. The same choices can be scored by likelihood, since the task tells them (`choices`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from asft.errors import DataError
from asft.registry import plugin
from asft.tasks import choices as reading
from asft.tasks import rows
from asft.tasks.choices import LETTERS
from asft.tasks.qa import normalised
from asft.types import Example, Grade


@plugin
class MultipleChoice:
    """A task from columns: the question, its choices, and which of them is right."""

    seed: str | None = None
    """The questions to learn from: a .jsonl, .csv or .parquet file, a folder for `datasets`, a hub name."""
    test: str | None = None
    """The questions to be measured on; the same forms as `seed`."""
    name: str = "multiple_choice"
    """What the examples call their task; it is part of their ids."""
    question: str = "question"
    """The column with the question."""
    choices_in: str | tuple[str, ...] = "choices"
    """The column with the list of choices, or with the two lists `text` and `label`, as ARC has it; or the
    columns that hold one choice each."""
    answer: str = "answer"
    """The column with the right choice."""
    answer_is: Literal["letter", "text", "index", "number"] | None = None
    """How it is given. letter: "B". text: the choice's words. index: counted from 0. number: counted from 1.
    None: as a letter, a label or the words, whichever it can only be; a number alone is an error then, for
    nobody knows where it counts from."""
    completion: str | None = None
    """The column with the worked answer, which must end with the right choice; None, or an empty cell: the
    letter alone is what there is to learn."""
    shuffle: bool = False
    """Whether the choices change places, by the hash of the row's content: for data where the right one
    always stands first."""
    mark: Literal["A.", "A)", "(A)", "A:"] = "A."
    """How the letters are written."""
    template: str = "{question}\n\n{choices}\n\nAnswer with the letter of the right choice."
    """The prompt: the question, and the choices on a line each."""
    scored: Literal["letter", "text"] = "letter"
    """What an evaluation by likelihood scores: each choice's letter, or its words."""
    tags: tuple[str, ...] = ()
    """Columns that become tags, for reports by group."""
    duplicates: Literal["error", "drop"] = "error"
    """What to do with a row whose prompt and answer repeat an earlier row."""
    config: str | None = None
    """The configuration of a hub data set."""
    seed_split: str = "train"
    """The hub data set's own name for the split of `seed`."""
    test_split: str = "test"
    """The hub data set's own name for the split of `test`."""

    def __post_init__(self) -> None:
        """Refuse a template that does not show both question and choices."""
        reading.check_template(self.template, ("question", "choices"), ("question", "choices"))

    def load(self, split: str) -> Sequence[Example]:
        """All examples of "seed" or "test" in the order of the rows. Raises DataError."""
        sources = {"seed": (self.seed, self.seed_split), "test": (self.test, self.test_split)}
        if split not in sources:
            raise DataError(f"task {self.name!r} has no split {split!r}; splits: seed, test")
        source, hub_split = sources[split]
        if source is None:
            raise DataError(
                f"task {self.name!r} has no {split} data; set its option {split!r} to a file or hub name"
            )
        read = rows.rows(source, config=self.config, split=hub_split)
        found = rows.unique(
            ((where, self._example(where, row, split)) for where, row in read), self.duplicates
        )
        if not found:
            raise DataError(f"{source}: there are no rows in it; give a file with at least one question")
        return found

    def choices(self, example: Example) -> tuple[str, ...]:
        """What there is to choose among, as it may be answered; empty where the prompt shows no choices."""
        listed = reading.listed(example.prompt)
        return tuple(LETTERS[: len(listed)]) if self.scored == "letter" else listed

    def grade(self, example: Example, text: str) -> Grade:
        """1.0 for the right choice, 0.0 for another or none of them, None where none is taken clearly."""
        spellings = {
            letter: (choice,) for letter, choice in zip(LETTERS, reading.listed(example.prompt), strict=False)
        }
        found = reading.read(text, spellings, letters=True)
        extracted = found.taken or found.said
        if extracted is None:
            return Grade(value=None, extracted=None, note=found.how)
        if not example.answer.strip():
            return Grade(value=None, extracted=extracted, note=f"{found.how}; the reference answer is empty")
        right = reading.read(f"#### {example.answer}", spellings, letters=True).taken
        return Grade(
            value=float(found.taken is not None and found.taken == right), extracted=extracted, note=found.how
        )

    def _example(self, where: str, row: Mapping[str, Any], split: str) -> Example:
        question = rows.text_cell(where, row, self.question).strip()
        choices, labels = self._choices(where, row)
        right = self._right(where, rows.cell(where, row, self.answer), choices, labels)
        if self.shuffle:
            order = sorted(range(len(choices)), key=lambda i: _place(question, choices[i], i))
            choices, right = [choices[i] for i in order], order.index(right)
        prompt = self.template.format(question=question, choices=reading.lettered(choices, self.mark))
        if reading.listed(prompt) != tuple(choices):
            raise DataError(
                f"{where}: the choices cannot be told apart in the prompt, where they read "
                f"{list(reading.listed(prompt))!r:.200}; change template, or mend the row"
            )
        answer = LETTERS[right]
        worked = None if self.completion is None else rows.as_text(rows.cell(where, row, self.completion))
        example = Example.make(
            task=self.name,
            prompt=prompt,
            answer=answer,
            completion=worked if worked and worked.strip() else answer,
            tags={
                "split": split,
                **{tag: rows.as_text(rows.cell(where, row, tag)) or "" for tag in self.tags},
            },
        )
        grade = self.grade(example, example.completion or "")
        if grade.value != 1.0:
            raise DataError(
                f"{where}: the worked answer gives {grade.extracted!r:.60} ({grade.note}), the right choice "
                f"is {answer}; end it with '#### {answer}', or leave completion out"
            )
        return example

    def _choices(self, where: str, row: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """The choices, and the labels that the data gives them, where it does."""
        labels: Any = []
        if isinstance(self.choices_in, str):
            value = rows.cell(where, row, self.choices_in)
            if isinstance(value, Mapping):
                value, labels = rows.cell(where, value, "text"), value.get("label") or []
            if not isinstance(value, list | tuple):
                raise DataError(
                    f"{where}: column {self.choices_in!r} holds {rows.short(repr(value))} and no list of "
                    "choices; give a list, or name the columns of the choices in choices_in"
                )
        else:
            value = [rows.cell(where, row, column) for column in self.choices_in]
        texts = [" ".join((rows.as_text(one) or "").split()) for one in value]
        if not 2 <= len(texts) <= len(LETTERS) or not all(texts):
            raise DataError(
                f"{where}: {len(texts)} choices, the empty ones included: {texts!r:.120}; "
                f"every question needs 2 to {len(LETTERS)}, none of them empty"
            )
        return texts, [str(label) for label in labels]

    def _right(self, where: str, answer: Any, choices: Sequence[str], labels: Sequence[str]) -> int:
        """The place of the right choice."""
        said = (rows.as_text(answer) or "").strip()
        if self.answer_is is None and said.isdecimal() and said not in labels and int(said) <= len(choices):
            raise DataError(
                f"{where}: the answer {said} may count from 0 or from 1, or be a choice's words; "
                "set answer_is to index (from 0), number (from 1) or text"
            )
        found = {*_places(said, choices, labels, self.answer_is)}
        if len(found) == 1:
            return found.pop()
        known = f"{len(choices)} choices: {choices!r:.120}"
        if found:
            places = " and ".join(LETTERS[place] for place in sorted(found))
            raise DataError(f"{where}: the answer {rows.short(said)} fits {places} of {known}; set answer_is")
        raise DataError(
            f"{where}: the answer {rows.short(said or repr(answer))} is none of {known}; "
            "mend the row, or set answer_is to what it is"
        )


def _places(said: str, choices: Sequence[str], labels: Sequence[str], answer_is: str | None) -> Iterator[int]:
    """The places that an answer may mean."""
    if answer_is in ("index", "number"):
        if said.isdecimal() and 0 <= (place := int(said) - (answer_is == "number")) < len(choices):
            yield place
        return
    if answer_is in ("letter", None):
        letters = labels if said in labels else list(LETTERS)
        letter = said if said in labels else said.strip(" ().").upper()
        if letter in letters[: len(choices)]:
            yield letters.index(letter)
    if answer_is in ("text", None):
        plain = normalised(said)
        same = [i for i, choice in enumerate(choices) if " ".join(said.split()) == choice]
        yield from same or [i for i, choice in enumerate(choices) if plain and normalised(choice) == plain]


def _place(question: str, choice: str, number: int) -> bytes:
    """Where a choice comes in an order that depends on the content alone."""
    data = "\0".join((question, choice, str(number)))
    return hashlib.blake2b(data.encode("utf-8", "surrogatepass"), digest_size=8).digest()
