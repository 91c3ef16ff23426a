"""`gsm8k`: grade-school word problems with worked answers (Cobbe et al. 2021, arXiv 2110.14168).

From the hub, or from a folder with train.jsonl and test.jsonl where there is no network. The published
training set is the pool of seeds; the published test set is the test split.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asft import answers
from asft.errors import DataError
from asft.registry import plugin
from asft.tasks.rows import Row, hub_rows, jsonl_rows
from asft.types import Example, Grade

SPLITS = {"seed": "train", "test": "test"}
"""asft's name of a split -> GSM8K's."""


@plugin
class GSM8K:
    """GSM8K, graded by the exact value of the final number."""

    source: str = "openai/gsm8k"
    """A hub data set, or a folder with train.jsonl and test.jsonl (whatever exists as a folder or starts
    like a path: ".", "~", "/")."""

    def load(self, split: str) -> Sequence[Example]:
        """The examples of "seed" (GSM8K's train) or "test", in GSM8K's order. Raises DataError."""
        if split not in SPLITS:
            raise DataError(f"gsm8k has no split {split!r}; splits: {', '.join(SPLITS)}")
        examples = [_example(where, row, split) for where, row in self._rows(SPLITS[split])]
        if not examples:
            raise DataError(
                f"{self.source}: there are no rows for {split!r}; give a folder with GSM8K's files"
            )
        return examples

    def grade(self, example: Example, text: str) -> Grade:
        """Compare the final number of a text with the example's: 1.0, 0.0, or None where there is none."""
        return answers.grade(text, example.answer)

    def _rows(self, published: str) -> Iterator[Row]:
        folder = Path(self.source).expanduser()
        if folder.is_dir():
            return jsonl_rows(folder / f"{published}.jsonl")
        if self.source.startswith((".", "~")) or folder.is_absolute():
            raise DataError(f"there is no folder {folder}; give one with train.jsonl and test.jsonl in it")
        try:
            return iter(list(hub_rows(self.source, config="main", split=published)))
        except DataError as error:
            raise DataError(
                f"{error}: set source to a folder with train.jsonl and test.jsonl in it"
            ) from error


def _example(where: str, row: Mapping[str, Any], split: str) -> Example:
    for key in ("question", "answer"):
        value = row.get(key)
        if not isinstance(value, str) or not value.strip():
            keys = ", ".join(map(repr, row)) or "none"
            raise DataError(
                f"{where}: {key!r} must be text, not {value!r:.80} (keys: {keys:.200}); "
                "every row has the keys question and answer"
            )
    question, worked = row["question"], row["answer"]
    _, mark, final = worked.rpartition("####")
    answer = final.strip().replace(",", "")
    if not mark or answers.number(answer) is None:
        raise DataError(
            f"{where}: the answer must end with '#### ' and a number, not {worked[-40:]!r}; mend the row"
        )
    return Example.make(
        task="gsm8k",
        prompt=question,
        answer=answer,
        completion=worked,
        tags={"split": split, "steps": str(worked.count("<<"))},
    )
