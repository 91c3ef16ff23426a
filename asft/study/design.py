"""A study as it is written down: a YAML file of arms, seeds and a budget on top of one recipe."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from asft import recipe as recipes
from asft.errors import RecipeError
from asft.recipe.extending import joined

BUDGETS = ("examples", "tokens", "usd", "flops")
"""What may bind a study: accepted examples; tokens or dollars of teacher and judge; FLOPs of all."""
KEYS = ("name", "recipe", "set", "seeds", "seeded", "budget", "arms", "compare_to", "fidelity")
ARM_KEYS = ("preset", "set")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One of the ways that are compared."""

    name: str
    preset: str | None
    """The recipe whose method it has; None: the base recipe's."""
    given: Mapping[str, Any]
    """The whole recipe as plain data, but for what the seed decides."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study that has been read, and whose every recipe is right."""

    name: str
    source: str
    """The text of the file."""
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    seeded: tuple[str, ...]
    """Keys of the recipe that take the seed's number, beside `seed` itself: what else changes with it."""
    binds: str
    """The kind of budget that is equal for all arms."""
    amount: float
    compare_to: str
    """The arm that the others are compared with."""
    fidelity: bool
    """Whether what was written is scored as the seeds are, to see if hard seeds give hard examples."""

    def given(self, arm: Arm, seed: int) -> dict[str, Any]:
        """The recipe of one run, as plain data."""
        given = copy.deepcopy(dict(arm.given))
        for key in ("seed", *self.seeded):
            recipes.override(given, f"{key}={seed}")
        return {**given, "name": f"{self.name} {arm.name} {seed}"}

    def pairs(self) -> Iterator[tuple[Arm, int]]:
        """All runs, seed by seed, so that every arm has come as far where the study is interrupted."""
        return ((arm, seed) for seed in self.seeds for arm in self.arms)


def load(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study. Raises RecipeError that lists all problems, those of the arms' recipes among them.

    Recipes and presets are files; their paths are taken from the study's own folder. A preset may also be
    one of those that ship with asft, by its name.
    """
    given, text = _read(path)
    for override in overrides:
        recipes.override(given, override)
    problems = [f"{key}: unknown key; keys: {', '.join(KEYS)}" for key in given if key not in KEYS]
    base = _base(given, path.parent, problems)
    seeds = _seeds(given.get("seeds"), problems)
    seeded = _texts("seeded", given.get("seeded"), problems)
    binds, amount = _budget(given.get("budget"), problems)
    arms = _arms(given.get("arms"), base, given, path.parent, problems)
    name = str(given.get("name", path.stem))
    compare_to = str(given.get("compare_to", arms[0].name if arms else ""))
    if arms and compare_to not in [arm.name for arm in arms]:
        problems.append(f"compare_to = {compare_to!r}: no arm; arms: {', '.join(arm.name for arm in arms)}")
    fidelity = given.get("fidelity", False)
    if not isinstance(fidelity, bool):
        problems.append(f"fidelity = {fidelity!r}: true or false is wanted")
    if problems:
        raise RecipeError("\n".join(problems))
    study = Study(
        name=name,
        source=text,
        arms=tuple(_bound(arm, binds, amount) for arm in arms),
        seeds=seeds,
        seeded=seeded,
        binds=binds,
        amount=amount,
        compare_to=compare_to,
        fidelity=fidelity,
    )
    _check(study)
    return study


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text("utf-8")
        given = yaml.safe_load(text)
    except OSError as error:
        raise RecipeError(f"there is no study {path} ({error.strerror})") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise RecipeError(f"{path} holds no keys; a study has {', '.join(KEYS)}")
    return given, text


def _base(given: Mapping[str, Any], folder: Path, problems: list[str]) -> dict[str, Any]:
    """The recipe that all arms share, with what the study sets in it."""
    wanted = given.get("recipe")
    if not isinstance(wanted, str):
        problems.append(f"recipe = {wanted!r}: the path of a recipe is wanted, which all arms share")
        return {}
    try:
        base = joined(folder / wanted)
    except RecipeError as error:
        problems.append(f"recipe: {error}")
        return {}
    _put("set", base, given.get("set"), problems)
    return base


def _put(key: str, into: dict[str, Any], values: Any, problems: list[str]) -> None:
    """Overrides as a mapping of `key.path` to any value."""
    if values is None:
        return
    if not isinstance(values, dict):
        problems.append(f"{key} = {values!r}: keys of the recipe with their values are wanted")
        return
    for path, value in values.items():
        try:
            recipes.put(into, str(path), copy.deepcopy(value))
        except RecipeError as error:
            problems.append(f"{key}: {error}")


def _seeds(value: Any, problems: list[str]) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value)
    if not whole or not value or len(set(value)) < len(value):
        problems.append(f"seeds = {value!r}: a list of different whole numbers is wanted, as [1, 2, 3, 4, 5]")
        return ()
    return tuple(value)


def _texts(key: str, value: Any, problems: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        problems.append(f"{key} = {value!r}: a list of keys of the recipe is wanted, as [task.sample]")
        return ()
    return tuple(value)


def _budget(value: Any, problems: list[str]) -> tuple[str, float]:
    if isinstance(value, dict) and len(value) == 1:
        [(kind, amount)] = value.items()
        number = isinstance(amount, int | float) and not isinstance(amount, bool) and amount > 0
        if kind in BUDGETS and number:
            return kind, amount
    problems.append(
        f"budget = {value!r}: the one kind of budget that binds all arms is wanted, as "
        f"{{examples: 500}}; kinds: {', '.join(BUDGETS)}"
    )
    return "examples", 0.0


def _arms(
    value: Any, base: Mapping[str, Any], given: Mapping[str, Any], folder: Path, problems: list[str]
) -> list[Arm]:
    if not isinstance(value, dict) or not value:
        problems.append("arms: names with what each changes are wanted, as {static: {preset: static}}")
        return []
    arms = []
    for name, section in value.items():
        if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", str(name)):
            problems.append(
                f"arms.{name}: a name of letters, digits, - and . is wanted; it is a folder's too"
            )
            continue
        changes = section or {}
        if not isinstance(changes, dict) or set(changes) - set(ARM_KEYS):
            problems.append(f"arms.{name} = {section!r}: it may have {' and '.join(ARM_KEYS)}, and no more")
            continue
        whole = copy.deepcopy(dict(base))
        preset = changes.get("preset")
        if preset is not None:
            try:
                whole = recipes.overlay(whole, recipes.preset(_place(str(preset), folder)))
            except RecipeError as error:
                problems.append(f"arms.{name}: {error}")
                continue
            # What the study sets holds for every arm, whatever a preset says of it.
            _put("set", whole, given.get("set"), [])
        _put(f"arms.{name}.set", whole, changes.get("set"), problems)
        arms.append(Arm(name=str(name), preset=None if preset is None else str(preset), given=whole))
    return arms


def _place(preset: str, folder: Path) -> str:
    """A preset that ships with asft by its name, or a path from the study's folder."""
    return str(folder / preset) if preset.endswith((".yaml", ".yml")) else preset


def _bound(arm: Arm, binds: str, amount: float) -> Arm:
    """The arm under the study's budget, and no other."""
    given = dict(arm.given)
    own = {
        key: value for key, value in (given.get("budget") or {}).items() if key not in (*BUDGETS, "requests")
    }
    given["budget"] = {**own, binds: amount}
    return Arm(name=arm.name, preset=arm.preset, given=given)


def _check(study: Study) -> None:
    """Raises RecipeError with what is wrong with the arms' recipes, or keeps them from being compared."""
    problems: list[str] = []
    aims: dict[str, tuple[int, int]] = {}
    for arm in study.arms:
        reading = recipes.look_at(study.given(arm, study.seeds[0]))
        problems += [f"arms.{arm.name}: {problem}" for problem in reading.problems]
        if not reading.problems:
            aims[arm.name] = (reading.parts["rounds"], reading.parts["per_round"])
    if study.binds == "examples":
        for name, (rounds, per_round) in aims.items():
            if rounds * per_round < study.amount:
                problems.append(
                    f"arms.{name}: {rounds} rounds of {per_round} examples never reach the budget of "
                    f"{study.amount:g}; set rounds or per_round"
                )
    if problems:
        raise RecipeError("\n".join(problems))
