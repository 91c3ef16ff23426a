"""The test split: the student's answers, graded, and what they add up to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asft import decoder
from asft.evaluate.asking import Asking, asking_by
from asft.evaluate.labels import labelled
from asft.evaluate.likelihood import chosen, compared
from asft.evaluate.summary import summarise
from asft.measure.answers import graded
from asft.recipe import EvaluateOptions
from asft.student import Loaded, prompt_texts
from asft.types import Answer, Example, Task
from asft.workers.ranks import ALONE, Ranks

__all__ = ["Asking", "asked", "asking_by", "evaluate", "passes", "summarise"]

Told = Callable[[int], None]


def evaluate(
    loaded: Loaded,
    task: Task,
    examples: Sequence[Example],
    options: EvaluateOptions | None = None,
    *,
    asking: Asking | None = None,
    seed: int = 0,
    max_new_tokens: int,
    batch_size: int,
    by: decoder.Decoder | None = None,
    progress: Told | None = None,
    ranks: Ranks = ALONE,
) -> list[dict[str, Any]]:
    """One row per example, in their order: example_id, text, finish, grade, final, tags.

    The answer is the greedy one, or, by likelihood, the choice that the student holds for likeliest, with the
    nll of each. `samples` has the answers that are drawn beside it, where they are wanted; they depend on
    `seed`, the example and their index alone. `by`: who decodes; None: the student in memory. `progress` is
    told how many answers are there, of `passes` per example. `label` has the label that is right and the one
    that was given, where the task is a classification. Of `ranks` each takes its share of the examples; all
    return the same. Raises DataError where the task has no choices.
    """
    options, asking = options or EvaluateOptions(), asking or Asking()
    mine = ranks.share([len(example.prompt) for example in examples])

    def told(done: int) -> None:
        if progress:
            progress(min(done * ranks.count, len(examples) * passes(options)))

    share = [examples[i] for i in mine]
    if options.by == "answers":
        rows = _answered(loaded, task, share, options, asking, seed, max_new_tokens, batch_size, by, told)
    else:
        listed = compared(task, examples)
        choices = [listed[i] for i in mine]
        mean = options.by == "mean_likelihood"
        rows = chosen(loaded, task, share, choices, asking, mean=mean, progress=told)
    return labelled(task, examples, ranks.in_place(mine, rows))


def _answered(
    loaded: Loaded,
    task: Task,
    examples: Sequence[Example],
    options: EvaluateOptions,
    asking: Asking,
    seed: int,
    max_new_tokens: int,
    batch_size: int,
    by: decoder.Decoder | None,
    progress: Told,
) -> list[dict[str, Any]]:
    prompts = [asking.prompt(example.prompt) for example in examples]
    how: dict[str, Any] = {
        "max_new_tokens": max_new_tokens,
        "batch_size": batch_size,
        "stop": asking.stop,
        "by": by,
    }
    answers = graded(task, examples, decoder.answer(loaded, prompts, progress=progress, **how))
    rows = [
        {"example_id": example.id, **_plain(answer), "tags": dict(example.tags)}
        for example, answer in zip(examples, answers, strict=True)
    ]
    if options.samples is not None:

        def told(done: int) -> None:
            progress(len(examples) + done)

        k, temperature, top_p = options.samples.k, options.samples.temperature, options.samples.top_p
        ids = [example.id for example in examples]
        drawn = decoder.sample(
            loaded, prompts, ids, k=k, temperature=temperature, top_p=top_p, seed=seed, progress=told, **how
        )
        flat = [one.answer for several in drawn for one in several]
        marked = list(map(_plain, graded(task, [example for example in examples for _ in range(k)], flat)))
        rows = [{**row, "samples": marked[n * k : (n + 1) * k]} for n, row in enumerate(rows)]
    return rows


def passes(options: EvaluateOptions) -> int:
    """How often each example is gone through, for a display of progress."""
    return 2 if options.samples else 1


def asked(
    loaded: Loaded,
    examples: Sequence[Example],
    options: EvaluateOptions,
    asking: Asking,
    max_new_tokens: int,
    by: decoder.Decoder | None = None,
) -> dict[str, Any]:
    """How the student was asked: the prompt of the first example as it read it, what it is made of, and who
    decoded the answers."""
    [prompt] = prompt_texts(loaded.tokenizer, [asking.prompt(example.prompt) for example in examples[:1]])
    samples = options.samples
    decoding: Mapping[str, Any] = (
        {
            "max_new_tokens": max_new_tokens,
            "stop": list(asking.stop),
            "decoder": (by or decoder.Batched()).named(),
        }
        if options.by == "answers"
        else {}
    )
    return {
        "prompt": prompt,
        "by": options.by,
        "system": asking.system,
        "shots": [example.id for example in asking.shots],
        **decoding,
        "samples": {"k": samples.k, "temperature": samples.temperature, "top_p": samples.top_p}
        if samples
        else None,
    }


def _plain(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "finish": answer.finish, "grade": answer.grade, "final": answer.final}
