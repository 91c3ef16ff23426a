"""The writing half alone: seeds in a selector's order, written about and filtered, as a data set.

For people who train elsewhere. It is the first round of a run up to its verdicts, in the same files and by
the same steps, so that it resumes, keeps to the budget and shares a journal as a run does. The student is
measured only where the selector reads scores.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asft import measurements
from asft import recipe as recipes
from asft.errors import RunError
from asft.generate.card import card
from asft.generate.data import Form, put
from asft.journal import Sum, open_journal
from asft.origin import origin
from asft.progress import Progress
from asft.recipe import Recipe
from asft.rundir import RunDir, read_json, write_json, write_text
from asft.selectors.ranked import Random
from asft.stop import ending_well
from asft.types import Measurements, Observation

ROUND = 1
"""Its one round."""
DEFAULTS = {"selector": "{use: random}", "criterion": "{use: loss}"}
"""For a recipe that names neither; the criterion is not read then."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What came of it."""

    examples: int
    seeds: int
    """How many seeds were asked about."""
    funnel: dict[str, Any]
    """Counts along the line, with the reasons for what fell out."""
    charged: tuple[Sum, ...]
    paid: tuple[Sum, ...]
    budget_gone: bool
    """Whether the budget ended it before there were as many examples as wanted."""
    files: tuple[Path, ...]


def look(path: Path, overrides: Sequence[str]) -> recipes.Reading:
    """Read a recipe, in which selector and criterion may be missing. Raises RecipeError."""
    ours: Iterable[str] = ()
    named = {*recipes.joined(path)}
    named |= {override.partition("=")[0].partition(".")[0].strip() for override in overrides}
    if not named & {*DEFAULTS}:
        ours = [f"{key}={value}" for key, value in DEFAULTS.items()]
    return recipes.look(path, [*ours, *overrides])


def generate(
    recipe: Recipe,
    out: Path,
    *,
    source: str,
    command: Sequence[str],
    redo: str | None,
    progress: Progress,
    forms: Sequence[Form],
    parquet: bool,
    journal: Path | None = None,
) -> Generated:
    """Write `per_round` examples and put them down, or go on with it.

    `source`, `command`, `redo` and `journal` as for a run. More examples or a larger budget go on from what
    there is. Raises RunError where the directory holds something else, or where nothing is accepted.
    """
    from asft import steps
    from asft.steps.summary import funnel, nothing_accepted

    # Scores that nobody reads are not measured.
    measured = not isinstance(recipe.selector, Random)
    with ending_well(progress), RunDir(out) as where, steps.living_teacher(recipe):
        _open(recipe, where, source, command)
        if redo is not None:
            where.redo(redo)
        _extend(recipe, where)
        with open_journal(out, journal, progress.say) as replies:
            line = steps.Line(
                recipe=recipe,
                dir=where,
                journal=replies,
                progress=progress,
                begin=lambda: _put_down(recipe, where, source),
            )
            if measured:
                steps.measure(line, ROUND)
                steps.ask(line, ROUND)
            else:
                _leave_unmeasured(line)
            steps.select(line, ROUND)
            steps.write(line, ROUND)
            accepted = line.accepted(ROUND)
            if not accepted:
                raise RunError(nothing_accepted(line, ROUND))
            made = Generated(
                examples=len(accepted),
                seeds=len(line.asked_before(ROUND + 1)),
                funnel=funnel(line, ROUND),
                charged=tuple(replies.sums("charged")),
                paid=tuple(replies.sums("paid")),
                budget_gone=read_json(where.file(ROUND, "write.json"))["ending"] == "budget",
                files=(),
            )
            files = put(out, accepted, forms, parquet=parquet)
            told = card(
                recipe,
                about=read_json(out / "run.json"),
                made=made,
                prompts=line.prompts,
                files=files,
                measured=measured,
            )
            write_text(out / "README.md", told)
            return replace(made, files=(*files, out / "README.md"))


def _open(recipe: Recipe, where: RunDir, source: str, command: Sequence[str]) -> None:
    """Start the directory, or check that it holds generated data."""
    kept = where.path / "run.json"
    if kept.exists():
        if read_json(kept).get("made_by") != "generate":
            raise RunError(
                f"{where.path} holds a whole run, whose data is in round-*/dataset.jsonl; give another "
                "directory with --out"
            )
        return
    strangers = [path.name for path in where.path.iterdir() if not path.name.startswith(("recipe.", "."))]
    if strangers:
        raise RunError(
            f"{where.path} holds other files ({', '.join(sorted(strangers)[:3])}); give another directory "
            "with --out"
        )
    _put_down(recipe, where, source)
    write_json(kept, {**origin(recipe, command), "made_by": "generate"})


def _put_down(recipe: Recipe, where: RunDir, source: str) -> None:
    write_text(where.path / "recipe.yaml", source)
    write_json(where.path / "recipe.lock.json", recipe.settings)


def _extend(recipe: Recipe, where: RunDir) -> None:
    """Forget steps that were done for another number or budget; their replies are in the journal."""
    sizes = {name: recipe.settings[name] for name in ("per_round", "max_drafts")}
    for step in ("select", "write"):
        if not where.done(ROUND, step):
            return
        kept = read_json(where.file(ROUND, f"{step}.manifest.json"))["settings"]
        if any(name in kept and kept[name] != size for name, size in sizes.items()):
            where.redo(step)
            return
    written = read_json(where.file(ROUND, "write.json"))
    if written["ending"] == "budget" and written["budget"] != recipe.settings["budget"]:
        where.redo("write")


def _leave_unmeasured(line: Any) -> None:
    """The measure step of a round in which nothing is measured."""
    from asft.steps.line import known_by

    unmeasured = Measurements(
        round=ROUND,
        examples=line.seeds,
        observations=tuple(Observation(example_id=seed.id) for seed in line.seeds),
    )
    line.once(
        ROUND,
        "measure",
        settings={**line.part("task"), "needs": {}, "seeds": known_by(line.seeds)},
        inputs=[],
        outputs=measurements.FILES,
        make=lambda folder: measurements.write(folder, unmeasured),
    )
