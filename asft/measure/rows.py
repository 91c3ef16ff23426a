"""Questions and answers as token ids, for what is measured of answers that are there."""

from collections.abc import Sequence
from typing import Literal

from asft.scorer import Row
from asft.student import Loaded, answer_ids, prompt_ids
from asft.types import Example, Measurements

Numbered = dict[int, Row]
"""By the number of the example; those without such an answer are left out."""


def rows(loaded: Loaded, of: Literal["own", "gold"], measurements: Measurements) -> Numbered:
    """Prompts, with the student's own answers or the worked references; end tokens included."""
    return gold(loaded, measurements.examples) if of == "gold" else own(loaded, measurements)


def gold(loaded: Loaded, examples: Sequence[Example]) -> Numbered:
    """The worked references."""
    worked = {i: example for i, example in enumerate(examples) if example.completion}
    asked = prompt_ids(loaded.tokenizer, [example.prompt for example in worked.values()])
    answers = answer_ids(loaded, [example.completion or "" for example in worked.values()])
    return dict(zip(worked, zip(asked, answers, strict=True), strict=True))


def own(loaded: Loaded, measurements: Measurements) -> Numbered:
    """The student's own answers. An end token that came is the tokenizer's."""
    answered = {i: one.own for i, one in enumerate(measurements.observations) if one.own is not None}
    asked = prompt_ids(loaded.tokenizer, [measurements.examples[i].prompt for i in answered])
    end = (loaded.tokenizer.eos_token_id,)
    answers = [[*one.token_ids, *(end if one.finish == "stop" else ())] for one in answered.values()]
    return {i: (prompt, answer) for i, prompt, answer in zip(answered, asked, answers, strict=True) if answer}
