"""Examples as a trainer reads them."""

from collections.abc import Sequence

from asft.errors import DataError
from asft.student import Loaded, answer_ids, prompt_ids
from asft.types import Example


def fitting(
    loaded: Loaded, examples: Sequence[Example], limit: int | None
) -> tuple[list[Example], list[int]]:
    """Those of which at least a token of the answer is left within `limit`, and how long each is, uncut.

    TRL would train on nothing for the others. Raises DataError where none is left.
    """
    asked = [len(ids) for ids in prompt_ids(loaded.tokenizer, [example.prompt for example in examples])]
    answers = [len(ids) for ids in answer_ids(loaded, [example.completion or "" for example in examples])]
    fits = [i for i, prompt in enumerate(asked) if limit is None or prompt < limit]
    if not fits:
        raise DataError(
            f"train.max_length = {limit} cuts the whole answer off every example: the shortest prompt has "
            f"{min(asked)} tokens; make it larger, or leave it out"
        )
    return [examples[i] for i in fits], [asked[i] + answers[i] for i in fits]
