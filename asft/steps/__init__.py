"""The steps of a round, each from files of the run directory to files of the run directory.

measure    measure.jsonl    what the student makes of the seeds;  arrays/
ask        ask.jsonl        what a teacher or judge says of them, where the recipe wants that
select     select.jsonl     the order in which seeds are used
write      write.jsonl      drafts;  filter.jsonl  the verdict on each;  waves/  what the student makes of
                            the drafts, where filters read that
train      dataset.jsonl    what is trained on;  adapter/  the student;  train.json
evaluate   evaluate.jsonl   the test split;  evaluate.json  how it was asked
summarise  summary.json     what the round was, in figures
"""

from pathlib import Path

from asft import evaluate as evaluation
from asft import student
from asft.rundir import write_json, write_jsonl
from asft.steps import answering
from asft.steps.drafting import write
from asft.steps.line import Line, known_by
from asft.steps.pool import ask, measure, select
from asft.steps.summary import budget_gone, summarise
from asft.steps.training import train
from asft.steps.turns import living_teacher
from asft.steps.work import Work

__all__ = [
    "Line",
    "Work",
    "ask",
    "budget_gone",
    "evaluate",
    "living_teacher",
    "measure",
    "select",
    "summarise",
    "train",
    "write",
]


def evaluate(line: Line, number: int) -> None:
    """Answer and grade the test split with the student after a round."""
    recipe = line.recipe
    adapter = line.adapter(number)
    options = recipe.evaluate
    max_new_tokens = answering.limit(line)
    asking = evaluation.asking_by(options, line.seeds if options.shots else (), line.test, recipe.seed)

    def make(folder: Path) -> None:
        line.progress.start(f"round {number}: evaluate", len(line.test) * evaluation.passes(options))
        with (
            answering.decoding(line) as by,
            student.wearing(line.base, str(adapter) if adapter else None) as loaded,
        ):
            rows = evaluation.evaluate(
                loaded,
                recipe.task,
                line.test,
                options,
                asking=asking,
                seed=recipe.seed,
                max_new_tokens=max_new_tokens,
                batch_size=recipe.student.batch_size,
                by=by,
                progress=line.progress.update,
                ranks=line.ranks,
            )
            asked = evaluation.asked(loaded, line.test, options, asking, max_new_tokens)
        write_jsonl(folder / "evaluate.jsonl", rows)
        write_json(folder / "evaluate.json", asked)
        line.progress.end(f"accuracy {evaluation.summarise(rows)['accuracy']:.3f}")

    line.once(
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
            "max_new_tokens": max_new_tokens,
        },
        inputs=[adapter] if adapter else [],
        outputs=["evaluate.jsonl", "evaluate.json"],
        make=make,
    )
