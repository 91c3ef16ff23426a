"""The steps of a round, each from files of the run directory to files of the run directory.

measure    measure.jsonl    what the student makes of the seeds
select     select.jsonl     the order in which seeds are used
write      write.jsonl      drafts;  filter.jsonl  the verdict on each
train      dataset.jsonl    what is trained on;  adapter/  the student;  train.json
evaluate   evaluate.jsonl   the test split
summarise  summary.json     what the round was, in figures
"""

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from asft import evaluate as evaluation
from asft import measure as measuring
from asft import student, writing
from asft import train as training
from asft.errors import DataError, RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.recipe import Recipe
from asft.rundir import RunDir, clear, read_jsonl, write_json, write_jsonl
from asft.types import Answer, Context, Example, Measurements, Observation, Pick, TokenStats


@dataclass(frozen=True)
class Line:
    """What all steps of a run share."""

    recipe: Recipe
    dir: RunDir
    journal: Journal
    progress: Progress

    @cached_property
    def seeds(self) -> tuple[Example, ...]:
        """The pool."""
        return self._load("seed")

    @cached_property
    def test(self) -> tuple[Example, ...]:
        """The test split."""
        return self._load("test")

    @cached_property
    def base(self) -> student.Loaded:
        """The student before any training, loaded once, when a step first needs it."""
        options = self.recipe.student
        return student.load(student.Student(base=options.base, revision=options.revision))

    def _load(self, split: str) -> tuple[Example, ...]:
        examples = tuple(self.recipe.task.load(split))
        if not examples:
            raise DataError(f"task: the split {split!r} is empty; give it at least one example")
        return examples

    def adapter(self, number: int) -> Path | None:
        """The student after a round; None is the base."""
        return self.dir.file(number, "adapter") if number > 0 else None

    def accepted(self, number: int) -> list[Example]:
        """What a round accepted, in order."""
        kept = {
            row["number"]
            for row in read_jsonl(self.dir.file(number, "filter.jsonl"))
            if row["decision"] == "keep"
        }
        rows = read_jsonl(self.dir.file(number, "write.jsonl"))
        return [example_from(row["example"]) for row in rows if row["number"] in kept]

    def accepted_before(self, number: int) -> list[Example]:
        """What all rounds before this one accepted, in order."""
        return [example for earlier in range(1, number) for example in self.accepted(earlier)]

    def asked_before(self, number: int) -> Counter[str]:
        """Example id -> how many drafts earlier rounds made from it."""
        counts: Counter[str] = Counter()
        for earlier in range(1, number):
            drafts = len(read_jsonl(self.dir.file(earlier, "write.jsonl")))
            picks = read_jsonl(self.dir.file(earlier, "select.jsonl"))
            counts.update(row["example_id"] for row in picks[:drafts])
        return counts

    def part(self, *keys: str) -> dict[str, Any]:
        """The settings that a step reads, for its manifest."""
        return {key: self.recipe.settings[key] for key in keys}


def measure(line: Line, number: int) -> None:
    """Measure the student of the round before on the pool: what criterion and selector need."""
    recipe = line.recipe
    needs = sorted({need.name for need in (*recipe.criterion.needs, *recipe.selector.needs)})
    previous = line.adapter(number - 1)

    def make(folder: Path) -> None:
        line.progress.start(f"round {number}: measure", len(line.seeds))
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

    line.dir.once(
        number,
        "measure",
        settings={**line.part("task", "student"), "needs": needs},
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

    line.dir.once(
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


def write(line: Line, number: int) -> None:
    """Have the teacher write drafts until `per_round` are accepted; a verdict for every draft."""
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
        write_json(folder / "write.json", {"ending": written.ending})
        kept = sum(verdict.decision == "keep" for verdict in written.verdicts)
        line.progress.end(f"{len(written.drafts)} drafts, {kept} kept")

    line.dir.once(
        number,
        "write",
        settings=line.part("teacher", "writer", "filters", "per_round", "max_drafts", "seed"),
        inputs=[line.dir.file(number, "select.jsonl"), *_written(line, number)],
        outputs=["write.jsonl", "filter.jsonl", "write.json"],
        make=make,
    )


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
        )
        # Seconds and paths change from run to run; what is trained on does not.
        figures = {k: v for k, v in dataclasses.asdict(trained).items() if k not in ("student", "seconds")}
        write_json(folder / "train.json", figures)
        line.progress.end(f"{trained.examples} examples, {trained.steps} steps")

    line.dir.once(
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
        raise RunError(_nothing_accepted(line, number))
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


def _nothing_accepted(line: Line, number: int) -> str:
    figures = funnel(line, number)
    reasons = Counter(figures["no_draft"])
    for by_reason in figures["dropped"].values():
        reasons.update(by_reason)
    common = reasons.most_common(1)
    why = f"; the commonest reason: {common[0][0]} ({common[0][1]})" if common else ""
    return (
        f"round {number} accepted nothing: {figures['picked']} picked, {figures['drafts']} drafts, "
        f"{figures['written']} written, 0 kept{why}. Look at "
        f"{line.dir.file(number, 'filter.jsonl')} and at the recipe's filters and prompts"
    )


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

    line.dir.once(
        number,
        "evaluate",
        settings=line.part("task", "student"),
        inputs=[adapter] if adapter else [],
        outputs=["evaluate.jsonl"],
        make=make,
    )


def summarise(line: Line, number: int) -> dict[str, Any]:
    """What the round was, in figures; made again whenever the run goes on, from the other files."""
    recipe = line.recipe
    done = [
        step for step in ("measure", "select", "write", "train", "evaluate") if line.dir.done(number, step)
    ]
    figures: dict[str, Any] = {
        "round": number,
        "evaluate": evaluation.summarise(read_jsonl(line.dir.file(number, "evaluate.jsonl"))),
        "ledger": [dataclasses.asdict(row) for row in line.journal.sums() if row.round == number],
        "seconds": {step: line.dir.seconds(number, step) for step in done},
    }
    if number > 0:
        counts = funnel(line, number)
        figures["funnel"] = counts
        figures["short"] = counts["kept"] < recipe.per_round
        figures["train"] = json.loads(line.dir.file(number, "train.json").read_text("utf-8"))
    write_json(line.dir.file(number, "summary.json"), figures)
    return figures


def budget_gone(line: Line, number: int) -> bool:
    """Whether the budget allows no further round."""
    limit = line.recipe.budget.examples
    if limit is not None and len(line.accepted_before(number + 1)) >= limit:
        return True
    kept = json.loads(line.dir.file(number, "write.json").read_text("utf-8"))
    return bool(kept["ending"] == "budget")


def funnel(line: Line, number: int) -> dict[str, Any]:
    """Counts along the line of a round, with the reasons for what fell out."""
    drafts = read_jsonl(line.dir.file(number, "write.jsonl"))
    verdicts = read_jsonl(line.dir.file(number, "filter.jsonl"))
    scores = read_jsonl(line.dir.file(number, "score.jsonl"))
    dropped: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        if verdict["decision"] != "keep":
            dropped.setdefault(verdict["filter"], Counter())[phrase(verdict["reason"])] += 1
    return {
        "seeds": len(scores),
        "scored": sum(row["score"] is not None for row in scores),
        "picked": len(read_jsonl(line.dir.file(number, "select.jsonl"))),
        "drafts": len(drafts),
        "written": sum(row["example"] is not None for row in drafts),
        "kept": sum(verdict["decision"] == "keep" for verdict in verdicts),
        "dropped": {name: dict(reasons.most_common()) for name, reasons in sorted(dropped.items())},
        "no_draft": dict(
            Counter(phrase(row["reason"]) for row in drafts if row["example"] is None).most_common()
        ),
    }


def phrase(reason: str) -> str:
    """What a reason is counted under: its detail stands behind a colon."""
    return reason.partition(":")[0]


def example_from(row: Mapping[str, Any]) -> Example:
    """An example as it was put down."""
    return Example(**{**row, "parents": tuple(row["parents"])})


def observation_from(row: Mapping[str, Any]) -> Observation:
    """An observation as it was put down."""

    def stats(value: Mapping[str, Any] | None) -> TokenStats | None:
        return None if value is None else TokenStats(**value)

    return Observation(
        example_id=row["example_id"],
        gold=stats(row["gold"]),
        answers=tuple(
            Answer(**{**a, "token_ids": tuple(a["token_ids"]), "stats": stats(a["stats"])})
            for a in row["answers"]
        ),
        signals=row["signals"],
    )
