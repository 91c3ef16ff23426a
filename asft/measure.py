"""What the student makes of given examples: statistics of the references, and its own answers."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from asft import decoder, scorer
from asft.errors import DataError
from asft.student import Loaded, answer_ids, prompt_ids
from asft.types import Answer, Example, Observation, Task, TokenStats

NEEDS = ("gold", "own")
"""The measurements that there are: `Need.name`."""


def measure(
    loaded: Loaded,
    task: Task,
    examples: Sequence[Example],
    needs: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> list[Observation]:
    """One observation per example, in their order, with what `needs` names and nothing else.

    "gold" is None for an example without a worked reference. `progress` gets the number of finished
    measurements, one per example and need. Raises DataError for an unknown need.
    """
    unknown = [need for need in needs if need not in NEEDS]
    if unknown:
        raise DataError(f"nothing measures {', '.join(unknown)}; measurements: {', '.join(NEEDS)}")
    gold: Sequence[TokenStats | None] = [None] * len(examples)
    own: list[tuple[Answer, ...]] = [() for _ in examples]
    before = 0
    if "gold" in needs:
        gold = _gold(loaded, examples, progress)
        before = len(examples)
    if "own" in needs:
        found = own_answers(
            loaded,
            task,
            examples,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            stats=True,
            progress=progress and (lambda done: progress(before + done)),
        )
        own = [(answer,) for answer in _with_stats(loaded, examples, found)]
    return [
        Observation(example_id=example.id, gold=stats, answers=answers)
        for example, stats, answers in zip(examples, gold, own, strict=True)
    ]


def own_answers(
    loaded: Loaded,
    task: Task,
    examples: Sequence[Example],
    *,
    max_new_tokens: int,
    batch_size: int,
    stats: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Answer]:
    """The student's greedy answers with their grades, in order; `stats` is the decoder's."""
    prompts = [example.prompt for example in examples]
    answers = decoder.answer(
        loaded,
        prompts,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        stats=stats,
        progress=progress,
    )
    return [
        replace(answer, grade=task.grade(example, answer.text).value)
        for example, answer in zip(examples, answers, strict=True)
    ]


def _gold(
    loaded: Loaded, examples: Sequence[Example], progress: Callable[[int], None] | None
) -> list[TokenStats | None]:
    worked = [i for i, example in enumerate(examples) if example.completion]
    asked = prompt_ids(loaded.tokenizer, [examples[i].prompt for i in worked])
    answers = answer_ids(loaded, [examples[i].completion or "" for i in worked])
    found = scorer.score(loaded, list(zip(asked, answers, strict=True)), progress=progress)
    stats = dict(zip(worked, found, strict=True))
    return [stats.get(i) for i in range(len(examples))]


def _with_stats(loaded: Loaded, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Answer]:
    """Statistics of the sampled token ids, where the decoder gave none.

    The end token counts where it came, as it was sampled too.
    """
    if all(answer.stats for answer in answers):
        return list(answers)
    asked = prompt_ids(loaded.tokenizer, [example.prompt for example in examples])
    end = loaded.tokenizer.eos_token_id
    ids = [[*a.token_ids, *([end] if a.finish == "stop" else [])] for a in answers]
    stats = scorer.score(loaded, list(zip(asked, ids, strict=True)))
    return [replace(answer, stats=found) for answer, found in zip(answers, stats, strict=True)]
