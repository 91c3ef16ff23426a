"""Grades by what a judge can see: whether the answer is right, and whether steps are shown and hold."""

from collections.abc import Sequence

from asft.types import Grade


def marked(answer: str, grade: Grade, steps: Sequence[bool], *, near: bool = False) -> tuple[int, str]:
    """A grade from 1 to 10 and its reason, on the scale of asft's judge prompts.

    `steps` says of each step that is shown whether it holds; `near`, that a wrong answer is almost right.
    """
    if not answer.strip():
        return 1, "empty"
    if grade.value == 1.0:
        if steps:
            return (10, "right and worked") if all(steps) else (9, "right, with a careless step")
        return (8, "right, with hardly any steps") if len(answer.split()) > 8 else (7, "right and bare")
    if any(steps):
        return 3 + round(2 * sum(steps) / len(steps)), "wrong, with steps that are right"
    if grade.value is None:
        return 1, "no answer"
    return (3, "wrong, though near") if near else (2, "wrong")
