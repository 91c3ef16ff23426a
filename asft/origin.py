"""Where a run comes from: who started it, on what, and what has changed since.

The same recipe gives the same bytes under the same versions and hardware. So both are in `run.json`, and a
run that goes on under others, or further than it was meant to, says so there and on the terminal.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import asft
from asft.recipe import Recipe
from asft.rundir import differences

EXTENSIBLE = ("rounds", "budget", "stop")
"""Settings that say how far a run goes, and may be changed in one that is there already."""
RULES = ("adapt",)
"""Settings that change the rounds to come, and leave finished ones as they are."""


def origin(recipe: Recipe, command: Sequence[str]) -> dict[str, Any]:
    """What `run.json` holds of a run that starts."""
    return {
        "name": recipe.name,
        "seed": recipe.seed,
        "started": _now(),
        "command": list(command),
        "task": recipe.settings["task"],
        "student": recipe.settings["student"],
        "versions": versions(),
        "hardware": hardware(recipe.workers.processes),
        "changes": [],
    }


def changed(
    about: Mapping[str, Any], lock: Mapping[str, Any], recipe: Recipe
) -> tuple[dict[str, Any] | None, list[str]]:
    """What to put into `run.json` under `changes`, and what to tell; nothing where nothing has changed.

    `about` is run.json, and `lock` the settings under which the run was up to here.
    """
    here = {"versions": versions(), "hardware": hardware(recipe.workers.processes)}
    # The last change names all that it changed to; the run's start names the rest.
    before = {**about, **{key: value for one in about.get("changes", []) for key, value in one.items()}}
    extended, rules = (
        list(differences({key: lock.get(key) for key in keys}, {key: recipe.settings[key] for key in keys}))
        for keys in (EXTENSIBLE, RULES)
    )
    other = list(differences({key: before.get(key) for key in here}, here))
    if not extended and not rules and not other:
        return None, []
    mark = {"at": _now(), "extended": extended, "other": [*rules, *other], **here}
    return mark, list(_told(extended, rules, other))


def _told(extended: Sequence[str], rules: Sequence[str], other: Sequence[str]) -> Iterator[str]:
    if extended:
        yield f"The run is extended: {'; '.join(extended)}."
    if rules:
        yield f"The run goes on under other rules ({'; '.join(rules)}): finished rounds stay as they are."
    if other:
        yield (
            f"The run goes on under other versions or hardware ({'; '.join(other)}): finished steps stay as "
            "they are, and later ones may differ from those of an uninterrupted run."
        )


def versions() -> dict[str, str]:
    """What the run depends on."""
    found = {"asft": asft.__version__, "python": platform.python_version()}
    for name in (
        "torch",
        "transformers",
        "trl",
        "peft",
        "accelerate",
        "datasets",
        "openai",
        "vllm",
        "bitsandbytes",
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware(workers: int = 1) -> dict[str, Any]:
    """What it runs on, with so many workers; the same results byte for byte are promised on the same."""
    import torch

    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        **({"workers": workers} if workers > 1 else {}),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
