"""The straight line: measure, score, select, write, filter, train, evaluate, and the next round.

Whoever has read `run` and `run_round` knows the product. Between steps there are only files in the run
directory, so that a run goes on wherever it stopped.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import asft
from asft import steps
from asft.errors import RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.recipe import Recipe
from asft.rundir import RunDir, write_json, write_text
from asft.steps import Line


def run(
    recipe: Recipe, out: Path, *, source: str, command: Sequence[str], redo: str | None, progress: Progress
) -> list[dict[str, Any]]:
    """Do a whole run, or go on with it; returns the summary of each round, base first.

    `source` is the recipe's text and `command` how the user started it; both are kept. Raises RunError
    where the directory holds another run, or where a round accepts nothing.
    """
    with RunDir(out) as where:
        if redo is not None:
            where.redo(redo)
        _open(recipe, where, source, command)
        with Journal(out / "journal.sqlite") as journal:
            line = Line(recipe=recipe, dir=where, journal=journal, progress=progress)
            steps.evaluate(line, 0)
            done = [steps.summarise(line, 0)]
            for number in range(1, recipe.rounds + 1):
                done.append(run_round(line, number))
                if steps.budget_gone(line, number):
                    progress.say(f"The budget is used up in round {number}; the run ends here.")
                    break
            return done


def run_round(line: Line, number: int) -> dict[str, Any]:
    """One round; each step is done once, and reused when the run is continued."""
    steps.measure(line, number)
    steps.select(line, number)
    steps.write(line, number)
    steps.train(line, number)
    steps.evaluate(line, number)
    return steps.summarise(line, number)


def _open(recipe: Recipe, where: RunDir, source: str, command: Sequence[str]) -> None:
    """Start the directory, or check that it holds this recipe's run."""
    lock = where.path / "recipe.lock.json"
    if not lock.exists():
        strangers = [path.name for path in where.path.iterdir() if path.name not in (".lock", "logs")]
        if strangers:
            raise RunError(
                f"{where.path} holds other files ({', '.join(sorted(strangers)[:3])}) and no run; "
                "give another directory with --out"
            )
    write_text(where.path / "recipe.yaml", source)
    write_json(lock, recipe.settings)
    kept = where.path / "run.json"
    if not kept.exists():
        write_json(
            kept,
            {
                "name": recipe.name,
                "seed": recipe.seed,
                "command": list(command),
                "task": recipe.settings["task"],
                "student": recipe.settings["student"],
                "versions": versions(),
                "hardware": hardware(),
            },
        )


def versions() -> dict[str, str]:
    """What the run depends on."""
    found = {"asft": asft.__version__, "python": platform.python_version()}
    for name in ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "openai", "vllm"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """What it runs on; the same results byte for byte are promised on the same."""
    import torch

    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
