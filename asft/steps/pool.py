"""The steps before anything is written: measure the pool, ask about it, and select."""

import dataclasses
import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from asft import inquiring, measurements, needs, student
from asft import measure as measuring
from asft import train as training
from asft.endpoints import identities
from asft.errors import RunError
from asft.measure import parts
from asft.rundir import digest, read_jsonl, write_json, write_jsonl
from asft.steps import answering, computing
from asft.steps.line import Line, known_by
from asft.steps.turns import teachers_turn
from asft.types import Example, Measurements, Need, Pick

DRAW_NOTHING = {"gold", "own"}
"""Needs that the run's seed does not change."""
READ_ACCEPTED = {"embedding", "ensemble"}
"""Needs that look at what earlier rounds accepted, too."""


@runtime_checkable
class Lasts(Protocol):
    """What a selector may offer beside its role: to go on in each round where it stopped."""

    @property
    def of_the_run(self) -> bool:
        """Whether it wants the same random numbers in each round."""
        ...


def measure(line: Line, number: int) -> None:
    """Measure a student on the pool: what criterion and selector need."""
    recipe = line.recipe
    of_student = [need for need in recipe.needs if need.kind == "student"]
    trained_for = [need for need in recipe.needs if need.kind == "training"]
    wanted = [*of_student, *trained_for]
    worn = line.measured(number)
    max_new_tokens = answering.limit(line)

    def train(examples: Sequence[Example], out: Path, seed: int) -> None:
        training.train(line.base, examples, out, seed=seed, sft=recipe.train, lora=recipe.lora)

    def make(folder: Path) -> None:
        line.progress.start(f"round {number}: measure", len(wanted) * len(line.seeds))
        pool = measuring.Pool(
            task=recipe.task,
            examples=line.seeds,
            accepted=tuple(line.accepted_before(number)),
            seed=recipe.seed,
            max_new_tokens=max_new_tokens,
            batch_size=recipe.student.batch_size,
            train=train,
        )
        with (
            answering.decoding(line) as by,
            student.wearing(line.base, str(worn) if worn else None) as loaded,
        ):
            found = parts.measure_in_parts(
                folder,
                _key(settings, inputs),
                loaded,
                dataclasses.replace(pool, decoder=by),
                of_student,
                round=number,
                progress=line.progress.update,
                timed=timed,
                ranks=line.ranks,
            )
        before = len(of_student) * len(line.seeds)
        found = measuring.measure(
            line.base,
            pool,
            trained_for,
            begun=found,
            progress=lambda done: line.progress.update(before + done),
            timed=timed,
        )
        measurements.write(folder, found)
        parts.forget(folder)
        line.progress.end(f"{len(line.seeds)} seeds")

    def timed(need: str, seconds: float) -> None:
        if line.ranks.first:
            _log(line, number, need, seconds)

    names = {need.name for need in wanted}
    settings = {
        **line.part("task", "student"),
        **line.part(*(["seed"] if names - DRAW_NOTHING else []), *(["train", "lora"] if trained_for else [])),
        "needs": needs.described(wanted),
        "seeds": known_by(line.seeds),
        "max_new_tokens": max_new_tokens,
    }
    inputs = [
        *([worn] if worn else []),
        *(written_before(line, number) if names & READ_ACCEPTED else []),
    ]
    made = line.once(
        number, "measure", settings=settings, inputs=inputs, outputs=measurements.FILES, make=make
    )
    computing.put_down(line, number, "measure", made=made)


def _key(settings: Mapping[str, Any], inputs: Sequence[Path]) -> str:
    """What the parts of a measure step depend on."""
    known = json.dumps([settings, [digest(path) for path in inputs]], sort_keys=True)
    return hashlib.blake2b(known.encode(), digest_size=8).hexdigest()


def _log(line: Line, number: int, need: str, seconds: float) -> None:
    """Put down what a need cost; times are in no file that is compared."""
    logs = line.dir.path / "logs"
    logs.mkdir(exist_ok=True)
    row = {"round": number, "need": need, "seconds": round(seconds, 3)}
    with (logs / "needs.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def ask(line: Line, number: int) -> bool:
    """Have a teacher or judge asked about the pool, where criterion or selector need it.

    False where the budget was used up on the way; the step can be done when it is raised.
    """
    recipe = line.recipe
    wanted = [need for need in recipe.needs if need.kind == "script"]
    if not wanted:
        return True

    def make(folder: Path) -> None:
        found = measurements.read(folder, line.seeds, round=number)
        with teachers_turn(line, number):
            line.progress.start(f"round {number}: ask", _count(wanted, found, recipe.seed))
            asked = inquiring.ask(
                recipe,
                wanted,
                found,
                line.journal,
                lambda now: line.progress.update(now.done, now.waiting),
                elsewhere=computing.set_aside(line, number),
            )
        if asked.ending == "budget":
            raise _BudgetGoneError
        write_jsonl(
            folder / "ask.jsonl",
            (
                {
                    "example_id": example.id,
                    "signals": {name: values[at] for name, values in asked.signals.items()},
                }
                for at, example in enumerate(line.seeds)
            ),
        )
        write_json(folder / "ask.json", {"refused": asked.refused})
        silent = sum(value is None for values in asked.signals.values() for value in values)
        line.progress.end(f"{len(line.seeds)} seeds" + (f", nothing said of {silent}" if silent else ""))

    try:
        line.once(
            number,
            "ask",
            settings={**line.part("seed"), **identities(recipe), "needs": needs.described(wanted)},
            inputs=[line.dir.file(number, name) for name in measurements.FILES],
            outputs=["ask.jsonl", "ask.json"],
            make=make,
        )
    except _BudgetGoneError:
        if number == 1:
            raise RunError(
                "the budget is used up before the pool has been judged, so nothing can be selected; raise "
                "it, give a smaller pool, or take a criterion that asks nobody"
            ) from None
        return False
    return True


class _BudgetGoneError(Exception):
    """The budget was used up before all was asked."""


def _count(wanted: Sequence[Need], found: Measurements, seed: int) -> int:
    return sum(1 for _ in inquiring.inquiries(wanted, found, seed))


def measured(line: Line, number: int) -> Measurements:
    """What was measured and said of the pool, as it was put down."""
    found = measurements.read(
        line.dir.round(number), line.seeds, round=number, history=line.asked_before(number)
    )
    if not line.dir.done(number, "ask"):
        return found
    said = [row["signals"] for row in read_jsonl(line.dir.file(number, "ask.jsonl"))]
    return dataclasses.replace(
        found,
        observations=tuple(
            dataclasses.replace(one, signals={**one.signals, **more})
            for one, more in zip(found.observations, said, strict=True)
        ),
    )


def select(line: Line, number: int) -> None:
    """Score the pool and put down the picks: the selector's order, and round it again with new draws."""
    recipe = line.recipe
    asked = line.dir.done(number, "ask")

    def make(folder: Path) -> None:
        drawn = line.asked_before(number)
        seen = measured(line, number)
        scores = recipe.criterion.score(seen)
        lasts = isinstance(recipe.selector, Lasts) and recipe.selector.of_the_run
        rng = random.Random(f"{recipe.seed} select" if lasts else f"{recipe.seed} select {number}")
        chosen = recipe.selector.select(seen, scores, recipe.per_round, rng)
        order = list(islice(chosen, recipe.max_drafts))
        score = dict(zip((example.id for example in line.seeds), scores, strict=True))
        write_jsonl(
            folder / "select.jsonl",
            (
                {
                    "number": at,
                    "example_id": example.id,
                    "score": score[example.id],
                    "draw": drawn[example.id] + lap,
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
        settings=line.part("criterion", "selector", "seed", "per_round", "max_drafts"),
        inputs=[
            *(line.dir.file(number, name) for name in measurements.FILES),
            *([line.dir.file(number, "ask.jsonl")] if asked else []),
            *written_before(line, number),
        ],
        outputs=["select.jsonl", "score.jsonl"],
        make=make,
    )


def _laps(order: Sequence[Example]) -> Iterator[tuple[int, Example]]:
    lap = 0
    while order:
        for example in order:
            yield lap, example
        lap += 1


def written_before(line: Line, number: int) -> list[Path]:
    """The files that say what earlier rounds asked about and accepted."""
    return [
        line.dir.file(earlier, name)
        for earlier in range(1, number)
        for name in ("write.jsonl", "filter.jsonl")
    ]


def picks(line: Line, number: int) -> list[Pick]:
    """The picks of a round as they were put down."""
    by_id = {example.id: example for example in line.seeds}
    observations = {one.example_id: one for one in measured(line, number).observations}
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
