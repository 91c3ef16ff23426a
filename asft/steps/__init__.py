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

import dataclasses
import random
from pathlib import Path

from asft import evaluate as evaluation
from asft import student
from asft import train as training
from asft.errors import RunError
from asft.rundir import clear, write_json, write_jsonl
from asft.steps import answering
from asft.steps.drafting import write
from asft.steps.line import Line, known_by
from asft.steps.pool import ask, measure, select, written_before
from asft.steps.summary import budget_gone, nothing_accepted, summarise
from asft.steps.turns import living_teacher
from asft.types import Example

__all__ = [
    "Line",
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


def train(line: Line, number: int) -> None:
    """Train the round's student on what the recipe's `data` section says."""
    recipe = line.recipe
    previous = line.adapter(number - 1) if recipe.data.start_from == "previous" else None

    def make(folder: Path) -> None:
        clear(folder / "adapter")
        rows = _training_set(line, number)
        write_jsonl(
            folder / "dataset.jsonl",
            (
                {
                    "example_id": example.id,
                    "origin": origin,
                    "round": example.round,
                    "prompt": example.prompt,
                    "completion": example.completion,
                }
                for origin, example in rows
            ),
        )
        line.progress.start(f"round {number}: train")
        trained = training.train(
            line.base,
            [example for _, example in rows],
            folder / "adapter",
            seed=recipe.seed,
            start=str(previous) if previous else None,
            sft=recipe.train,
            lora=recipe.lora,
            progress=lambda step, steps, note: line.progress.update(step, note, steps),
        )
        # Seconds and paths change from run to run; what is trained on does not.
        figures = {k: v for k, v in dataclasses.asdict(trained).items() if k not in ("student", "seconds")}
        write_json(folder / "train.json", figures)
        line.progress.end(f"{trained.examples} examples, {trained.steps} steps")

    line.once(
        number,
        "train",
        settings=line.part("student", "data", "train", "lora", "seed"),
        inputs=[*([previous] if previous else []), *written_before(line, number + 1)],
        outputs=["dataset.jsonl", "adapter", "train.json"],
        make=make,
    )


def _training_set(line: Line, number: int) -> list[tuple[str, Example]]:
    data = line.recipe.data
    new = line.accepted(number)
    if not new:
        raise RunError(nothing_accepted(line, number))
    written = [*line.accepted_before(number), *new] if data.train_on == "all" else new
    rows = [("written", example) for example in written]
    if data.include_seeds:
        drafted = line.asked_before(number + 1)
        rows += [("seed", example) for example in line.seeds if drafted[example.id] and example.completion]
    if data.replay:
        rng = random.Random(f"{line.recipe.seed} replay {number}")
        worked = [example for example in line.seeds if example.completion]
        wanted = round(len(rows) * data.replay / (1 - data.replay))
        rows += [("replay", example) for example in rng.sample(worked, min(wanted, len(worked)))]
    return rows


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
