"""The steps of a round, each from files of the run directory to files of the run directory.

adapt      adapted.json     what the recipe's rules change from this round on
measure    measure.jsonl    what the student makes of the seeds;  arrays/
ask        ask.jsonl        what a teacher or judge says of them, where the recipe wants that
select     select.jsonl     the order in which seeds are used
write      write.jsonl      drafts;  filter.jsonl  the verdict on each;  waves/  what the student makes of
                            the drafts, where filters read that
train      dataset.jsonl    what is trained on;  adapter/  the student;  train.json
evaluate   evaluate.jsonl   the test split;  evaluate.json  how it was asked;  validate.jsonl  what is held
                            out of the pool, where the recipe goes by that
summarise  summary.json     what the round was, in figures
stopped    stopped.json     why no round follows, where the recipe's `stop` ends the run
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asft import evaluate as evaluation
from asft import student
from asft.recipe import EvaluateOptions
from asft.rundir import write_json, write_jsonl
from asft.steps import answering, computing
from asft.steps.between import adapt, stopped
from asft.steps.drafting import write
from asft.steps.line import VALIDATED, Line, known_by
from asft.steps.pool import ask, measure, select
from asft.steps.summary import budget_gone, summarise
from asft.steps.training import train
from asft.steps.turns import living_teacher
from asft.steps.work import Work
from asft.types import Example

__all__ = [
    "Line",
    "Work",
    "adapt",
    "ask",
    "budget_gone",
    "evaluate",
    "living_teacher",
    "measure",
    "select",
    "stopped",
    "summarise",
    "train",
    "write",
]


def evaluate(line: Line, number: int) -> None:
    """Answer and grade the test split with the student after a round; what is held out, where it counts."""
    recipe = line.recipe
    adapter = line.adapter(number)
    options = recipe.evaluate
    max_new_tokens = answering.limit(line)
    asking = evaluation.asking_by(options, line.seeds if options.shots else (), line.test, recipe.seed)
    held_out = line.validation if recipe.validates else ()

    def make(folder: Path) -> None:
        of_test = len(line.test) * evaluation.passes(options)
        line.progress.start(f"round {number}: evaluate", of_test + len(held_out))
        with (
            answering.decoding(line) as by,
            student.wearing(line.base, str(adapter) if adapter else None) as loaded,
        ):

            def answered(
                examples: Sequence[Example], how: EvaluateOptions, before: int
            ) -> list[dict[str, Any]]:
                return evaluation.evaluate(
                    loaded,
                    recipe.task,
                    examples,
                    how,
                    asking=asking,
                    seed=recipe.seed,
                    max_new_tokens=max_new_tokens,
                    batch_size=recipe.student.batch_size,
                    by=by,
                    progress=lambda done: line.progress.update(before + done),
                    ranks=line.ranks,
                )

            rows = answered(line.test, options, 0)
            asked = evaluation.asked(loaded, line.test, options, asking, max_new_tokens, by)
            validated = answered(held_out, replace(options, samples=None), of_test) if held_out else []
        write_jsonl(folder / "evaluate.jsonl", rows)
        write_json(folder / "evaluate.json", asked)
        told = f"accuracy {evaluation.summarise(rows)['accuracy']:.3f}"
        if held_out:
            write_jsonl(folder / VALIDATED, validated)
            told += f", on what is held out {evaluation.summarise(validated)['accuracy']:.3f}"
        line.progress.end(told)

    made = line.once(
        number,
        "evaluate",
        settings={
            **line.part("task", "student"),
            "evaluate": {
                name: value for name, value in recipe.settings["evaluate"].items() if name != "least_group"
            },
            "shots": [example.id for example in asking.shots],
            **({"seed": recipe.seed} if options.samples else {}),
            "test": known_by(line.test),
            **({"held_out": known_by(held_out)} if held_out else {}),
            "max_new_tokens": max_new_tokens,
        },
        inputs=[adapter] if adapter else [],
        outputs=["evaluate.jsonl", "evaluate.json", *([VALIDATED] if held_out else [])],
        make=make,
    )
    computing.put_down(line, number, "evaluate", made=made)
