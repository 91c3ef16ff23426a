"""Examples as a trainer reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asft.errors import DataError
from asft.student import Loaded, answer_ids, prompt_ids
from asft.types import Example


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """The examples of which at least a token of the answer is left within the limit."""

    places: tuple[int, ...]
    """Where they stand among those that were given."""
    lengths: tuple[int, ...]
    """Tokens of each, prompt and answer, uncut."""


def fitting(loaded: Loaded, examples: Sequence[Example], limit: int | None) -> Fitting:
    """TRL would train on nothing for the others; nor are those there without a worked answer.

    Raises DataError where none is left.
    """
    worked = [at for at, example in enumerate(examples) if example.completion]
    if not worked:
        raise DataError("there is no example with a worked answer to train on")
    asked = [len(ids) for ids in prompt_ids(loaded.tokenizer, [examples[at].prompt for at in worked])]
    answers = [len(ids) for ids in answer_ids(loaded, [examples[at].completion or "" for at in worked])]
    fits = [i for i, prompt in enumerate(asked) if limit is None or prompt < limit]
    if not fits:
        raise DataError(
            f"train.max_length = {limit} cuts the whole answer off every example: the shortest prompt has "
            f"{min(asked)} tokens; make it larger, or leave it out"
        )
    return Fitting(places=tuple(worked[i] for i in fits), lengths=tuple(asked[i] + answers[i] for i in fits))


def rows(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Prompt and completion, as TRL takes a conversation."""
    return [
        {
            "prompt": [{"role": "user", "content": example.prompt}],
            "completion": [{"role": "assistant", "content": example.completion}],
        }
        for example in examples
    ]
