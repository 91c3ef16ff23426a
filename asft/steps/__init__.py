"""The steps of a round, each from files of the run directory to files of the run directory.

measure    measure.jsonl    what the student makes of the seeds
select     select.jsonl     the order in which seeds are used
write      write.jsonl      drafts;  filter.jsonl  the verdict on each
train      dataset.jsonl    what is trained on;  adapter/  the student;  train.json
evaluate   evaluate.jsonl   the test split
summarise  summary.json     what the round was, in figures
"""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from asft import evaluate as evaluation
from asft import measure as measuring
from asft import student, writing
from asft import train as training
from asft.errors import RunError
from asft.rundir import clear, read_jsonl, write_json, write_jsonl
from asft.steps.line import Line, known_by, observation_from
from asft.steps.summary import budget_gone, nothing_accepted, summarise
from asft.steps.turns import living_teacher, teachers_turn
from asft.types import Context, Example, Measurements, Pick

__all__ = [
    "Line",
    "budget_gone",
    "evaluate",
    "living_teacher",
    "measure",
    "select",
    "summarise",
    "train",
    "write",
]


def measure(line: Line, number: int) -> None:
    """Measure the student of the round before on the pool: what criterion and selector need."""
    recipe = line.recipe
    needs = sorted({need.name for need in (*recipe.criterion.needs, *recipe.selector.needs)})
    previous = line.adapter(number - 1)

    def make(folder: Path) -> None:
        line.progress.start(f"round {number}: measure", len(needs) * len(line.seeds))
        with student.wearing(line.base, str(previous) if previous else None) as loaded:
            observations = measuring.measure(
                loaded,
                recipe.task,
                line.seeds,
                needs,
                max_new_tokens=recipe.student.max_new_tokens,
                batch_size=recipe.student.batch_size,
                progress=line.progress.update,
            )
        write_jsonl(folder / "measure.jsonl", observations)
        line.progress.end(f"{len(observations)} seeds")

    line.once(
        number,
        "measure",
        settings={**line.part("task", "student"), "needs": needs, "seeds": known_by(line.seeds)},
        inputs=[previous] if previous else [],
        outputs=["measure.jsonl"],
        make=make,
    )


def select(line: Line, number: int) -> None:
    """Score the pool and put down the picks: the selector's order, and round it again with new draws."""
    recipe = line.recipe

    def make(folder: Path) -> None:
        rows = read_jsonl(folder / "measure.jsonl")
        observations = tuple(observation_from(row) for row in rows)
        asked = line.asked_before(number)
        measurements = Measurements(
            round=number, examples=line.seeds, observations=observations, history=dict(asked)
        )
        scores = recipe.criterion.score(measurements)
        rng = random.Random(f"{recipe.seed} select {number}")
        chosen = recipe.selector.select(measurements, scores, recipe.max_drafts, rng)
        order = list(islice(chosen, recipe.max_drafts))
        score = dict(zip((example.id for example in line.seeds), scores, strict=True))
        write_jsonl(
            folder / "select.jsonl",
            (
                {
                    "number": at,
                    "example_id": example.id,
                    "score": score[example.id],
                    "draw": asked[example.id] + lap,
                    "prompt": example.prompt,
                    "answer": example.answer,
                }
                for at, (lap, example) in enumerate(islice(_laps(order), recipe.max_drafts))
            ),
        )
        write_jsonl(
            folder / "score.jsonl",
            ({"example_id": seed, "score": value} for seed, value in score.items()),
        )

    line.once(
        number,
        "select",
        settings=line.part("criterion", "selector", "seed", "max_drafts"),
        inputs=[line.dir.file(number, "measure.jsonl"), *_written(line, number)],
        outputs=["select.jsonl", "score.jsonl"],
        make=make,
    )


def _laps(order: Sequence[Example]) -> Iterator[tuple[int, Example]]:
    lap = 0
    while order:
        for example in order:
            yield lap, example
        lap += 1


def _written(line: Line, number: int) -> list[Path]:
    return [
        line.dir.file(earlier, name)
        for earlier in range(1, number)
        for name in ("write.jsonl", "filter.jsonl")
    ]


def picks(line: Line, number: int) -> list[Pick]:
    """The picks of a round as they were put down."""
    by_id = {example.id: example for example in line.seeds}
    observations = {
        row["example_id"]: observation_from(row) for row in read_jsonl(line.dir.file(number, "measure.jsonl"))
    }
    return [
        Pick(
            number=row["number"],
            example=by_id[row["example_id"]],
            observation=observations[row["example_id"]],
            score=row["score"],
            draw=row["draw"],
        )
        for row in read_jsonl(line.dir.file(number, "select.jsonl"))
    ]


class _NothingError(Exception):
    """The budget was used up before anything was accepted."""


def write(line: Line, number: int) -> bool:
    """Have the teacher write drafts until `per_round` are accepted; a verdict for every draft.

    False where the budget was used up before any was accepted; the step can be done when it is raised.
    """
    recipe = line.recipe
    before = line.accepted_before(number)

    def make(folder: Path) -> None:
        context = Context(
            task=recipe.task,
            seeds=line.seeds,
            accepted=tuple(before),
            test=line.test,
            round=number,
            seed=recipe.seed,
        )
        with teachers_turn(line, number):
            line.progress.start(f"round {number}: write", recipe.per_round)
            written = writing.write(
                recipe,
                picks(line, number),
                context,
                line.journal,
                lambda now: line.progress.update(now.accepted, now.waiting),
            )
        write_jsonl(folder / "write.jsonl", written.drafts)
        write_jsonl(folder / "filter.jsonl", written.verdicts)
        write_json(folder / "write.json", {"ending": written.ending, "budget": recipe.settings["budget"]})
        kept = sum(verdict.decision == "keep" for verdict in written.verdicts)
        line.progress.end(f"{len(written.drafts)} drafts, {kept} kept")
        if not kept and written.ending == "budget":
            raise _NothingError

    try:
        line.once(
            number,
            "write",
            settings={
                **line.part("writer", "filters", "per_round", "max_drafts", "seed"),
                # Who is asked, and not how: a longer timeout changes nothing that is written.
                "teacher": writing.identity(recipe),
                "prompts": line.prompts,
                "files": line.files,
            },
            inputs=[line.dir.file(number, "select.jsonl"), *_written(line, number)],
            outputs=["write.jsonl", "filter.jsonl", "write.json"],
            make=make,
        )
    except _NothingError:
        if number == 1:
            raise RunError(nothing_accepted(line, number)) from None
        return False
    return True


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
        inputs=[*([previous] if previous else []), *_written(line, number + 1)],
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

    def make(folder: Path) -> None:
        line.progress.start(f"round {number}: evaluate", len(line.test))
        with student.wearing(line.base, str(adapter) if adapter else None) as loaded:
            rows = evaluation.evaluate(
                loaded,
                recipe.task,
                line.test,
                max_new_tokens=recipe.student.max_new_tokens,
                batch_size=recipe.student.batch_size,
                progress=line.progress.update,
            )
        write_jsonl(folder / "evaluate.jsonl", rows)
        line.progress.end(f"accuracy {evaluation.summarise(rows)['accuracy']:.3f}")

    line.once(
        number,
        "evaluate",
        settings={**line.part("task", "student"), "test": known_by(line.test)},
        inputs=[adapter] if adapter else [],
        outputs=["evaluate.jsonl"],
        make=make,
    )
