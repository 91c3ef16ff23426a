"""Measuring and scoring alone: how hard each example of a data set is for a student.

It is the first step of a round, by the same code and in the same files, so that it resumes, keeps to a budget
and shares a journal as a run does; and then every criterion that is asked for, on the same measurements.
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asft import recipe as recipes
from asft import student as students
from asft.errors import DataError, RecipeError, RunError
from asft.journal import Sum, open_journal
from asft.origin import origin
from asft.progress import Progress
from asft.recipe import Recipe
from asft.rundir import RunDir, digest, read_json, read_jsonl, write_json
from asft.scoring.several import Part, Several, label
from asft.stats import spearman
from asft.stop import ending_well
from asft.types import Answer, Criterion, Measurements

ROUND = 1
"""The round of whose steps this is one."""
Plugin = str | Mapping[str, Any]
"""A name, or a section as a recipe has it: {"use": "loss", "of": "gold"}."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Every example with what was measured of it, and its score by each criterion."""

    measurements: Measurements
    """Statistics in nats, per token where they say so; arrays are float32. See `asft.types.Measurements`."""
    scores: Mapping[str, tuple[float | None, ...]]
    """Criterion -> a score per example, in the order of the examples; higher is harder; None: it has none."""
    seconds: Mapping[str, float]
    """Need -> what measuring it took, of those that the student was measured for."""
    charged: tuple[Sum, ...]
    """What asking a teacher or judge cost, by role and purpose."""

    def ranking(self, criterion: str | None = None) -> list[int]:
        """The numbers of the examples, hardest first, those without a score last; ties by id.

        `criterion` is a key of `scores`; None: the first.
        """
        scores = self.scores[criterion or next(iter(self.scores))]
        examples = self.measurements.examples

        def place(number: int) -> tuple[bool, float, str]:
            score = scores[number]
            return score is None, -(score or 0.0), examples[number].id

        return sorted(range(len(examples)), key=place)

    def correlations(self) -> list[list[float | None]]:
        """Spearman's rank correlation of every two criteria, in the order of `scores`."""
        return [[spearman(a, b) for b in self.scores.values()] for a in self.scores.values()]

    def rows(self) -> list[dict[str, Any]]:
        """A plain row per example, hardest first by the first criterion: all scores and all measurements.

        Named arrays with a row per example (embeddings, sketches) are left out.
        """
        return [self._row(rank, number) for rank, number in enumerate(self.ranking(), start=1)]

    def _row(self, rank: int, number: int) -> dict[str, Any]:
        example, seen = self.measurements.examples[number], self.measurements.observations[number]
        tokens = {
            name: {
                part: [float(str(value)) for value in getattr(ragged, part)[ragged.of(number)]]
                for part in ("nll", "entropy", "margin")
            }
            for name, ragged in self.measurements.tokens.items()
        }
        return {
            "rank": rank,
            "example_id": example.id,
            "scores": {name: values[number] for name, values in self.scores.items()},
            "prompt": example.prompt,
            "answer": example.answer,
            "tags": dict(example.tags),
            "gold": None if seen.gold is None else vars(seen.gold),
            "own": None if seen.own is None else _answer(seen.own),
            "samples": [_answer(one) for one in seen.samples],
            "signals": dict(seen.signals),
            "tokens": tokens,
        }


def _answer(answer: Answer) -> dict[str, Any]:
    stats = answer.stats
    return {
        **{name: value for name, value in vars(answer).items() if name != "token_ids"},
        "stats": None if stats is None else vars(stats),
    }


def plan(
    student: str,
    task: Plugin,
    criteria: Sequence[Plugin],
    *,
    split: str = "seed",
    limit: int | None = None,
    overrides: Iterable[str] = (),
) -> Recipe:
    """What is to be done, as a recipe whose criterion is all of them. Raises RecipeError with all problems.

    `overrides` are `key.path=value` of a recipe: `task.path=x.jsonl`, `student.max_new_tokens=300`,
    `judge.use=openai`, `criterion.of=gold` (of the first criterion).
    """
    named = students.of(student)
    given: dict[str, Any] = {
        "name": f"{Path(student).name}-{_section(task)['use']}",
        "per_round": 1,
        "task": _section(task),
        "student": {"base": named.base, "revision": named.revision, "quantise": named.quantise},
        "teacher": {"use": "rules"},
        "selector": {"use": "top"},
        "writer": {"use": "question_with_answer"},
        "criterion": _section(criteria[0]),
    }
    chosen = recipes.options(overrides)
    _merge(given, chosen)
    sections = [given["criterion"], *map(_section, criteria[1:])]
    looked = [recipes.look_at({**given, "criterion": section}) for section in sections]
    problems = dict.fromkeys(problem for one in looked for problem in one.problems)
    if problems:
        raise RecipeError("\n".join(problems))
    made: list[Criterion] = [one.parts["criterion"] for one in looked]
    labels = [label(section) for section in sections]
    twice = sorted({name for name in labels if labels.count(name) > 1})
    if twice:
        raise RecipeError(f"criterion: {twice[0]} is asked for twice; give each once")
    several = Several(parts=dict(zip(labels, made, strict=True)))
    recipe = Recipe(**looked[0].parts)
    asked = [need.name for need in several.needs if need.kind == "script"]
    if asked and not {"teacher", "judge"} & chosen.keys():
        raise RecipeError(
            f"criterion: {', '.join(asked)} asks a teacher or judge, and none is named; add "
            "--set judge.use=openai with its options"
        )
    return replace(
        recipe,
        task=Part(task=recipe.task, split=split, limit=limit),
        criterion=several,
        settings={
            **recipe.settings,
            "criterion": [one.parts["settings"]["criterion"] for one in looked],
            "split": split,
            "limit": limit,
        },
    )


def score(
    student: str = "pocket",
    *,
    task: Plugin = "pocket",
    criteria: Sequence[Plugin] = ("loss",),
    split: str = "seed",
    limit: int | None = None,
    out: str | Path | None = None,
    overrides: Iterable[str] = (),
    command: Sequence[str] = ("asft.score",),
    journal: Path | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Measure a split of a task with a student and score every example by each criterion.

    `student`: "pocket", a folder, a name on the hub, an adapter's folder or a run. `task`, `criteria`: names,
    or sections as a recipe has them. `limit`: only so many examples, from the start. `out`: a folder in which
    it is kept, and goes on where it was interrupted; None: nothing is kept. `overrides`: see `plan`. Raises
    RecipeError with all that is wrong, before anything is loaded.
    """
    recipe = plan(student, task, criteria, split=split, limit=limit, overrides=overrides)
    kept = nullcontext(str(out)) if out is not None else tempfile.TemporaryDirectory()
    with kept as folder:
        return scored(
            recipe,
            Path(folder),
            adapter=students.of(student).adapter,
            command=command,
            journal=journal,
            progress=progress or Progress(),
        )


def scored(
    recipe: Recipe,
    out: Path,
    *,
    adapter: str | None,
    command: Sequence[str],
    redo: str | None = None,
    journal: Path | None,
    progress: Progress,
) -> Scored:
    """Do what `plan` has planned, in a folder, or go on with it; `redo` is a step to do again."""
    from asft import steps
    from asft.steps.pool import measured

    with ending_well(progress), RunDir(out) as where, steps.living_teacher(recipe):
        if redo is not None:
            where.redo(redo)
        _open(recipe, where, command)
        with open_journal(where.path, journal, progress.say) as replies:
            line = steps.Line(
                recipe=recipe, dir=where, journal=replies, progress=progress, begin=lambda: None
            )
            _wear(adapter, where)
            steps.measure(line, ROUND)
            if not steps.ask(line, ROUND):
                raise RunError("the budget is used up before all was asked; raise it and run again to go on")
            seen = measured(line, ROUND)
            criterion = recipe.criterion
            if not isinstance(criterion, Several):
                raise DataError("this recipe was not made by `plan`")
            return Scored(
                measurements=_in_memory(seen),
                scores={name: tuple(one.score(seen)) for name, one in criterion.parts.items()},
                seconds=_seconds(where),
                charged=tuple(replies.sums("charged")),
            )


def _open(recipe: Recipe, where: RunDir, command: Sequence[str]) -> None:
    kept = where.path / "run.json"
    if kept.exists():
        if read_json(kept).get("made_by") != "score":
            raise RunError(
                f"{where.path} holds something else than scores; give another directory with --out"
            )
    else:
        strangers = [path.name for path in where.path.iterdir() if not path.name.startswith(".")]
        if strangers:
            raise RunError(
                f"{where.path} holds other files ({', '.join(sorted(strangers)[:3])}); give another "
                "directory with --out"
            )
        write_json(kept, {**origin(recipe, command), "made_by": "score"})
    write_json(where.path / "recipe.lock.json", recipe.settings)


def _wear(adapter: str | None, where: RunDir) -> None:
    """Have the student's adapter where a round's stands: the student of the round before."""
    place = where.file(ROUND - 1, "adapter")
    if adapter is None:
        if place.exists():
            raise RunError(f"{where.path} holds scores of a student with an adapter; give another --out")
        return
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        half = place.with_name(".adapter.new")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(adapter, half)
        half.rename(place)
    elif digest(place) != digest(Path(adapter)):
        raise RunError(f"{where.path} holds scores of another adapter than {adapter}; give another --out")


def _seconds(where: RunDir) -> dict[str, float]:
    """What each need took, in all its parts."""
    path = where.path / "logs" / "needs.jsonl"
    found: dict[str, float] = {}
    for row in read_jsonl(path) if path.exists() else ():
        found[row["need"]] = found.get(row["need"], 0.0) + row["seconds"]
    return found


def _in_memory(seen: Measurements) -> Measurements:
    """With arrays that do not lean on files."""
    return replace(seen, arrays={name: np.array(array) for name, array in seen.arrays.items()})


def _section(given: Plugin) -> dict[str, Any]:
    return {"use": given} if isinstance(given, str) else dict(given)


def _merge(into: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
