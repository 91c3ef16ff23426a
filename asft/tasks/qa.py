"""`qa`: any data set of questions and answers, from a JSONL or CSV file, a folder, or the hub.

Every row becomes an example or an error that names the file and the line: a row that is quietly left
out is a measurement that is quietly wrong. Examples are told apart by the hash of their content, so a
row that repeats another one word for word is an error too, unless `duplicates: drop` says otherwise.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from asft import answers
from asft.errors import DataError
from asft.registry import plugin
from asft.tasks.rows import rows, short
from asft.types import Example, Grade


@plugin
class QA:
    """A task from columns: which column asks, which one answers, and what form the answer has."""

    seed: str | None = None
    """The questions to learn from: a .jsonl or .csv file, a folder for `datasets`, or a hub name."""
    test: str | None = None
    """The questions to be measured on; the same forms as `seed`."""
    name: str = "qa"
    """What the examples call their task; it is part of their ids."""
    prompt: str = "question"
    """The column with the question."""
    answer: str = "answer"
    """The column with the reference answer."""
    completion: str | None = None
    """The column with the worked answer, if there is one; an empty cell is no worked answer."""
    tags: tuple[str, ...] = ()
    """Columns that become tags, for reports by group."""
    format: Literal["number", "text", "choice", "math"] = "number"
    """number: exact value, units and currency aside. math: numbers, lists and LaTeX. text: the same words,
    case, spacing, a leading article and surrounding marks aside. choice: a letter A to J."""
    worked: bool = False
    """The answer column holds a worked answer: its final answer is the reference, and all of it the
    completion, unless `completion` names another column."""
    duplicates: Literal["error", "drop"] = "error"
    """What to do with a row whose prompt and answer repeat an earlier row."""
    config: str | None = None
    """The configuration of a hub data set ("main")."""
    seed_split: str = "train"
    """The hub data set's own name for the split of `seed`."""
    test_split: str = "test"
    """The hub data set's own name for the split of `test`."""

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
        seen: dict[str, str] = {}
        examples = []
        for where, row in rows(source, config=self.config, split=hub_split):
            example = self._example(where, row, split)
            first = seen.setdefault(example.id, where)
            if first == where:
                examples.append(example)
            elif self.duplicates == "error":
                raise DataError(
                    f"{where}: the same prompt and answer as {first}; remove the row or set duplicates: drop"
                )
        if not examples:
            raise DataError(f"{source}: there are no rows in it; give a file with at least one question")
        return examples

    def grade(self, example: Example, text: str) -> Grade:
        """Compare the final answer of a text with the example's, in the way of `format`."""
        if self.format in ("number", "math"):
            return answers.grade(text, example.answer)
        find = final_letter if self.format == "choice" else final_text
        found = find(text)
        if found is None:
            return Grade(value=None, extracted=None, note="no final answer")
        read: Callable[[str], str | None] = letter if self.format == "choice" else normalised
        given, reference = read(found.text), read(example.answer)
        right = bool(given) and given == reference
        return Grade(value=1.0 if right else 0.0, extracted=found.text, note=found.how)

    def _example(self, where: str, row: Mapping[str, Any], split: str) -> Example:
        wanted = [self.prompt, self.answer, *([self.completion] if self.completion else []), *self.tags]
        for column in wanted:
            if column not in row:
                raise DataError(
                    f"{where}: there is no column {column!r}; {_columns(column, list(row))}; "
                    "every row needs it, or name another column in the task"
                )
        prompt, answer = _text(row[self.prompt]), _text(row[self.answer])
        completion = _text(row[self.completion]) if self.completion else None
        if not prompt or not prompt.strip():
            raise DataError(f"{where}: {_lacks(self.prompt, row)}; every row needs a question")
        if not answer or not answer.strip():
            raise DataError(f"{where}: {_lacks(self.answer, row)}; every row needs an answer")
        if self.worked:
            completion = completion or answer
            found = self._final(answer)
            if found is None:
                raise DataError(
                    f"{where}: no final answer in column {self.answer!r} ({short(answer)}); "
                    "end it with '#### x' or '\\boxed{x}', or set worked: false"
                )
            answer = found.text
        self._check_form(where, answer)
        return Example.make(
            task=self.name,
            prompt=prompt,
            answer=answer.strip(),
            completion=completion or None,
            tags={"split": split, **{column: _text(row[column]) or "" for column in self.tags}},
        )

    def _final(self, text: str) -> answers.Extracted | None:
        if self.format == "choice":
            return final_letter(text)
        return answers.extract(text, last_number=self.format != "text")

    def _check_form(self, where: str, answer: str) -> None:
        if self.format == "number" and answers.number(answer) is None:
            raise DataError(
                f"{where}: the answer {short(answer)} is not one number; "
                "set worked: true for worked answers, or format: text or math"
            )
        if self.format == "choice" and letter(answer) is None:
            raise DataError(
                f"{where}: the answer {short(answer)} is no letter from A to J; or set format: text"
            )
        if self.format == "text" and not normalised(answer):
            raise DataError(f"{where}: the answer {short(answer)} has no letter or digit to compare")


# ------------------------------------------------------------------------------- text and choice answers

_LETTER = re.compile(r"[\s$(\[{*]*+(?:\\(?:text|mathrm|mathbf|textbf)\{)?\(?([A-J])(?![A-Za-z0-9'])")
_OPTION = re.compile(r"(?i:\boption|\bchoice)\s{1,3}\(?([A-J])\b|\(([A-J])\)")


def letter(text: str) -> str | None:
    """The letter with which an answer begins: "B", "(B)", "b", "B. Paris", "option B"."""
    text = re.sub(r"(?i)^\s{0,9}(?:the\s)?(?:option|choice)\s{1,3}", "", text)
    if len(text) <= 9 and len(re.sub(r"\W", "", text)) == 1:
        text = text.upper()
    # "A dog" and "I think" begin with a word, not with a choice.
    if re.match(r"\s{0,9}[AI] (?!because|since|as |is )[a-z]", text):
        return None
    match = _LETTER.match(text)
    return match[1] if match else None


def final_letter(text: str) -> answers.Extracted | None:
    """The chosen letter: after a mark, else a text that begins with it, else the last "(B)" or "option B"."""
    found = answers.extract(text, last_number=False)
    if found is not None and (marked := letter(found.text)):
        return answers.Extracted(text=marked, how=found.how)
    stripped = text.strip()
    if re.match(r"\(?[A-Ja-j](?:[).:]|\Z)", stripped) and (whole := letter(stripped[:100])):
        return answers.Extracted(text=whole, how="whole text")
    options = _OPTION.findall(text)
    return answers.Extracted(text="".join(options[-1]), how="last option") if options else None


def final_text(text: str) -> answers.Extracted | None:
    """The words after a mark ("####", boxed, "the answer is"), else a text of a single line."""
    found = answers.extract(text, last_number=False)
    if found is not None:
        return found
    whole = text.strip()
    if "\n" in whole or len(whole) > answers.MAX_CHARS or not normalised(whole):
        return None
    if "####" in whole or "\\boxed" in whole:
        return None  # a mark with nothing behind it
    return answers.Extracted(text=whole, how="whole text")


def normalised(text: str) -> str:
    """Text as answers are compared: case, spacing, a leading article and surrounding marks do not count."""
    text = unicodedata.normalize("NFC", text[: answers.MAX_CHARS + 1]).casefold()
    text = re.sub(r"^\\(?:text|mathrm|mathbf|textbf)\s?\{([^{}]*+)\}$", r"\1", text.strip())
    text = " ".join(re.sub(r"[\x00\u200b\ufeff]", " ", text).split()).strip(" .,;:!?\"'`*_()[]“”‘’")
    return re.sub(r"^(?:the|an|a) (?=.)", "", text)


def _text(value: object) -> str | None:
    """A cell as text; numbers as they are written. None for what is no text (null, lists, true)."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _lacks(column: str, row: Mapping[str, Any]) -> str:
    value = row[column]
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        return f"column {column!r} is empty"
    return f"column {column!r} is neither text nor a number: {short(repr(value))}"


def _columns(column: str, known: list[str]) -> str:
    close = difflib.get_close_matches(column, known, n=1)
    return (f"did you mean {close[0]!r}? " if close else "") + f"columns: {', '.join(known) or 'none'}"
