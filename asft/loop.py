"""The straight line: measure, score, select, write, filter, train, evaluate, and the next round.

Whoever has read `run` and `run_round` knows the product. Between steps there are only files in the run
directory, so that a run goes on wherever it stopped.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asft import steps, train
from asft.errors import RunError
from asft.journal import open_journal
from asft.origin import changed, origin
from asft.progress import Progress
from asft.recipe import Recipe
from asft.rundir import RunDir, read_json, write_json, write_text
from asft.steps import Line
from asft.stop import ending_well
from asft.student import Student
from asft.train import devices
from asft.workers.group import Group

OURS = (
    ".lock",
    "logs",
    "recipe.yaml",
    "recipe.lock.json",
    ".recipe.yaml.new",
    ".recipe.lock.json.new",
    ".run.json.new",
)
"""What a run directory may hold before `run.json`, which is written last of what starts it."""


def run(
    recipe: Recipe,
    out: Path,
    *,
    source: str,
    command: Sequence[str],
    redo: str | None,
    progress: Progress,
    journal: Path | None = None,
    shared: Path | None = None,
) -> list[dict[str, Any]]:
    """Do a whole run, or go on with it; returns the summary of each round, base first.

    `source` is the recipe's text and `command` how the user started it; both are kept. `journal` is one that
    runs share; None: the one that the run began with, by default its own. `shared` is a folder in which runs
    find each other's finished steps. SIGTERM ends it like Ctrl-C: what has arrived is put on the disk first.
    Raises RunError where the directory holds another run, or where a round accepts nothing.
    """
    with (
        ending_well(progress),
        RunDir(out, shared) as where,
        steps.living_teacher(recipe),
        Group(recipe.workers, where.path, recipe.settings, progress) as workers,
    ):
        if redo is not None:
            where.redo(redo)
        _open(recipe, where, source, command)
        with open_journal(where.path, journal, progress.say) as replies:
            line = Line(
                recipe=recipe,
                dir=where,
                journal=replies,
                progress=progress,
                begin=lambda: _go_on(recipe, where, source, progress),
                workers=workers if recipe.workers.processes > 1 else None,
            )
            steps.evaluate(line, 0)
            done = [steps.summarise(line, 0)]
            for number in range(1, recipe.rounds + 1):
                if steps.stopped(line, number - 1):
                    break
                figures = run_round(steps.adapt(line, number), number)
                if figures is not None:
                    done.append(figures)
                if figures is None or steps.budget_gone(line, number):
                    progress.say(f"The budget is used up in round {number}; the run ends here.")
                    break
            return done


def run_round(line: Line, number: int) -> dict[str, Any] | None:
    """One round; each step is done once, and reused when the run is continued.

    None where the budget was used up before the round accepted anything.
    """
    steps.measure(line, number)
    if not steps.ask(line, number):
        return None
    steps.select(line, number)
    if not steps.write(line, number):
        return None
    steps.train(line, number)
    steps.evaluate(line, number)
    return steps.summarise(line, number)


def _open(recipe: Recipe, where: RunDir, source: str, command: Sequence[str]) -> None:
    """Start the directory, or check that it holds a run."""
    kept = where.path / "run.json"
    if not kept.exists():
        strangers = [path.name for path in where.path.iterdir() if path.name not in OURS]
        if strangers:
            raise RunError(
                f"{where.path} holds other files ({', '.join(sorted(strangers)[:3])}) and no run; "
                "give another directory with --out"
            )
        _put_down(recipe, where, source)
        write_json(kept, origin(recipe, command))


def _go_on(recipe: Recipe, where: RunDir, source: str, progress: Progress) -> None:
    """Put down what the next step is made under; tell, and mark in run.json, what that changes of the run."""
    kept = where.path / "run.json"
    about = read_json(kept)
    mark, told = changed(about, read_json(where.path / "recipe.lock.json"), recipe)
    if mark is not None:
        for line in told:
            progress.say(line)
        write_json(kept, {**about, "changes": [*about.get("changes", []), mark]})
    _put_down(recipe, where, source)


def _put_down(recipe: Recipe, where: RunDir, source: str) -> None:
    write_text(where.path / "recipe.yaml", source)
    hardware = train.Hardware.here()
    options = recipe.student
    base = Student(base=options.base, revision=options.revision, quantise=options.quantise)
    shape = train.Shape.of(base, hardware.device)
    to_trl, to_peft = train.settings(recipe.train, recipe.lora, hardware, shape)
    # Before anything is paid for; each worker divides them for itself.
    devices.divided(to_trl, recipe.workers.processes)
    write_json(where.path / "recipe.lock.json", {**recipe.settings, "train": to_trl, "lora": to_peft})
