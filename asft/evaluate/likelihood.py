"""Tasks with choices by likelihood: the choice that the student would write most probably is its answer.

What is compared is the whole answer with the token that ends it, as the student is trained to write it, so
that "10" is not preferred to "100" for being its beginning.
"""

from collections.abc import Callable, Sequence
from typing import Any

from asft import scorer
from asft.errors import DataError
from asft.evaluate.asking import Asking
from asft.student import Loaded, answer_ids, prompt_ids
from asft.types import Chooses, Example, Task, TokenStats


def compared(task: Task, examples: Sequence[Example]) -> list[tuple[str, ...]]:
    """The choices of each example. Raises DataError for a task without choices."""
    if not isinstance(task, Chooses):
        raise DataError(
            f"evaluate.by: the task {type(task).__name__} lists no choices to compare; take one that does "
            "(multiple_choice, classification), or `by: answers`"
        )
    listed = [task.choices(example) for example in examples]
    if not any(map(_compared, listed)):
        raise DataError(
            f"evaluate.by: none of the {len(examples)} examples has two choices to compare; "
            "take `by: answers`"
        )
    return listed


def chosen(
    loaded: Loaded,
    task: Task,
    examples: Sequence[Example],
    listed: Sequence[tuple[str, ...]],
    asking: Asking,
    *,
    mean: bool,
    progress: Callable[[int], None],
) -> list[dict[str, Any]]:
    """One row per example, as `evaluate` has them; `choices` has each of the `listed` with its nll in nats.

    `mean`: per token, which does not hold the length of a choice against it. Of equally likely choices the
    first is taken; an example with less than two has the empty answer.
    """
    prompts = prompt_ids(loaded.tokenizer, [asking.prompt(example.prompt) for example in examples])
    rows: list[scorer.Row] = [
        (prompt, answer)
        for prompt, choices in zip(prompts, listed, strict=True)
        if _compared(choices)
        for answer in answer_ids(loaded, choices)
    ]

    def told(done: int) -> None:
        progress(done * len(examples) // len(rows))

    found = iter(scorer.score(loaded, rows, progress=told))
    return [
        _row(task, example, [(choice, _nll(next(found), mean)) for choice in choices if _compared(choices)])
        for example, choices in zip(examples, listed, strict=True)
    ]


def _compared(choices: Sequence[str]) -> bool:
    """One choice alone would be taken whatever the student holds of it."""
    return len(choices) > 1


def _nll(stats: TokenStats, mean: bool) -> float:
    return stats.nll if mean else stats.nll_sum


def _row(task: Task, example: Example, nlls: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Without choices there is no answer, and no grade."""
    text = min(nlls, key=lambda one: one[1])[0] if nlls else ""
    grade = task.grade(example, text)
    return {
        "example_id": example.id,
        "text": text,
        "finish": "stop",
        "grade": grade.value,
        "final": grade.extracted,
        "tags": dict(example.tags),
        "choices": [{"text": choice, "nll": nll} for choice, nll in nlls],
    }
