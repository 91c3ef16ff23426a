"""Overrides of a recipe: `key.path=value`, where the path goes into sections and lists."""

from collections.abc import Iterable
from typing import Any

import yaml

from asft.errors import RecipeError


def options(overrides: Iterable[str], flag: str = "--set") -> dict[str, Any]:
    """Plain data from `key.path=value` alone. Raises RecipeError for one that cannot be read.

    `flag` is what they stand behind on the command line.
    """
    given: dict[str, Any] = {}
    for written in overrides:
        override(given, written, flag)
    return given


def override(given: dict[str, Any], written: str, flag: str = "--set") -> None:
    """Put one override into plain data. Raises RecipeError for one that cannot be read, or has no place."""
    path, equals, text = written.partition("=")
    if not equals or not all(path.strip().split(".")):
        raise RecipeError(f"{flag} {written}: write it as key.path=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"{flag} {written}: {text!r} is no YAML value") from None
    try:
        put(given, path, value)
    except RecipeError as error:
        raise RecipeError(f"{flag} {written}: {error}") from None


def put(given: dict[str, Any], path: str, value: Any) -> None:
    """Put a value under `key.path` into plain data. Raises RecipeError where the path has no such place."""
    keys = path.strip().split(".")
    place: Any = given
    for key in keys[:-1]:
        if isinstance(place, list):
            place = place[_index(key, place)]
            continue
        if place.get(key) is None:
            place[key] = {}
        place = place[key]
        if not isinstance(place, dict | list):
            raise RecipeError(f"{key!r} is a value and has no keys below it")
    if isinstance(place, list):
        place[_index(keys[-1], place)] = value
    else:
        place[keys[-1]] = value


def _index(key: str, place: list[Any]) -> int:
    if key.isdigit() and int(key) < len(place):
        return int(key)
    raise RecipeError(f"{key!r} is no place in a list of {len(place)}")
