"""Recipes that extend others: `extends: ../other.yaml`, a path from the file that says it.

What a recipe says replaces what the one that it extends says of the same: a number, a list, or a plug-in's
section, whole. Sections that name no plug-in (student, data, train, ...) are joined key by key, one level
deep, and `section: null` leaves a section at its defaults. The name is a file's own.

A preset is a recipe that extends another one in order to run alone. Its method is what it says itself; as an
arm of a study that is laid over the study's own recipe, so that arms differ in their method and in nothing
else.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from asft.errors import RecipeError
from asft.starter import recipes

EXTENDS = "extends"
STUDYS = (
    "name",
    "licence",
    "seed",
    "rounds",
    "per_round",
    "max_drafts",
    "task",
    "student",
    "teacher",
    "judge",
    "train",
    "lora",
    "evaluate",
    "budget",
    "engine",
    "workers",
)
"""What a study decides for all of its arms; a preset has these in order to run alone."""


def joined(path: Path) -> dict[str, Any]:
    """What a recipe says, with all that it extends. Raises RecipeError for files that cannot be read so."""
    return _join([said for _, said in reversed(_chain(path))])


def source(path: Path) -> str:
    """The text of a recipe that can be understood alone: its own, or all that it extends joined into one.

    Of a joined one the comments at the top stay, which say whose method it is. Raises RecipeError.
    """
    text = _text(path)
    chain = _chain(path)
    if len(chain) == 1:
        return text
    files = ", ".join(file.name for file, _ in chain)
    comments = [*takewhile(lambda line: line.startswith("#"), text.splitlines()), f"# Joined from {files}."]
    whole = yaml.safe_dump({"name": path.stem, **joined(path)}, sort_keys=False, allow_unicode=True)
    return "\n".join([*comments, whole])


def preset(name: str) -> dict[str, Any]:
    """The method of a preset that ships with asft, or of a recipe by its path (ending in .yaml).

    That is what the file says, and the files that it extends, but for the last of them: the recipe that it
    runs on alone. Raises RecipeError for one that is not there.
    """
    shipped = recipes() / "presets"
    known = sorted(path.stem for path in shipped.glob("*.yaml"))
    if not name.endswith((".yaml", ".yml")) and name not in known:
        raise RecipeError(
            f"there is no preset {name!r}; known: {', '.join(known)} (a recipe of your own goes by its path)"
        )
    chain = _chain(shipped / f"{name}.yaml" if name in known else Path(name))
    return _join([said for _, said in reversed(chain[: max(1, len(chain) - 1)])])


def overlay(base: Mapping[str, Any], preset: Mapping[str, Any]) -> dict[str, Any]:
    """A study's recipe with the method of a preset: its criterion, selector, writer, filters, data, ...

    What `STUDYS` lists stays that of the base, whatever the preset says. Where both name the same writer,
    options of the base that the preset does not name stay too: its prompts are about the task. Otherwise as
    for a recipe that extends the base.
    """
    method = {key: value for key, value in preset.items() if key not in STUDYS}
    ours, theirs = base.get("writer"), method.get("writer")
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping) and ours.get("use") == theirs.get("use"):
        method["writer"] = {**ours, **theirs}
    return _join([base, method])


def _join(said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The last one goes before those before it."""
    whole: dict[str, Any] = {}
    for one in said:
        for key, value in one.items():
            before = whole.get(key)
            if isinstance(before, Mapping) and isinstance(value, Mapping) and "use" not in {*before, *value}:
                whole[key] = {**before, **value}
            else:
                whole[key] = value
    return whole


def _chain(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """A recipe, the one that it extends, and so on; of those the names are left out."""
    found: list[tuple[Path, dict[str, Any]]] = []
    at, seen = path, [path.resolve()]
    while True:
        said = _read(at)
        extended = said.pop(EXTENDS, None)
        if found:
            said.pop("name", None)
        found.append((at, said))
        if extended is None:
            return found
        if not isinstance(extended, str) or not extended:
            raise RecipeError(f"{at}: {EXTENDS} = {extended!r}: the path of a recipe is wanted")
        after = at.parent / extended
        if after.resolve() in seen:
            names = " -> ".join(file.name for file in (*(file for file, _ in found), after))
            raise RecipeError(f"{path}: it extends itself: {names}; leave out one `{EXTENDS}`")
        if not after.is_file():
            raise RecipeError(
                f"{at}: {EXTENDS} = {extended!r}: there is no {after}; the path is taken from the folder "
                "of the file that says it"
            )
        at = after
        seen.append(after.resolve())


def _read(path: Path) -> dict[str, Any]:
    try:
        given = yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise RecipeError(f"{path} holds no keys; see `asft init DIR` for a recipe to start from")
    return given


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe {path}; `asft init DIR` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
