"""Plug-ins by name: a built-in, an installed entry point, or `path/to/file.py:Name`.

A plug-in is a class made with `@plugin`: its fields are its options, frozen, keyword-only, checked by
pydantic, unknown ones forbidden. Built-ins and third-party plug-ins look the same. Nothing is imported
before it is asked for.
"""

import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from asft.errors import PluginError

T = TypeVar("T")

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "task": {
        "gsm8k": "asft.tasks.gsm8k:GSM8K",
        "pocket": "asft.tasks.pocket.task:Pocket",
        "qa": "asft.tasks.qa:QA",
    },
    "teacher": {
        "rules": "asft.teachers.rules:Rules",
    },
}
"""kind -> name -> "module:Class". Third-party packages use the entry point group `asft.<kind>`."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def plugin(cls: type[T]) -> type[T]:
    """Turn a class into a plug-in: a frozen, keyword-only dataclass whose fields are its options."""
    decorate = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
    return cast(type[T], decorate(cls))


def names(kind: str) -> dict[str, str]:
    """All plug-ins of a kind that are known by name, sorted: name -> "module:Class"."""
    if kind not in BUILT_IN:
        raise PluginError(f"there is no kind of plug-in {kind!r}; kinds: {', '.join(BUILT_IN)}")
    installed = {e.name: e.value for e in entry_points(group=f"asft.{kind}")}
    return dict(sorted({**installed, **BUILT_IN[kind]}.items()))


def find(kind: str, name: str) -> type[Any]:
    """The class of a plug-in. Raises PluginError for a name that leads nowhere."""
    known = names(kind)
    if name in known:
        module, _, attribute = known[name].partition(":")
        return _attribute(importlib.import_module(module), attribute, name)
    path, colon, attribute = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _attribute(_module_from(Path(path), kind), attribute, name)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    raise PluginError(
        f"there is no {kind} {name!r}; {hint} (a class of your own goes by path/to/file.py:Name)"
    )


def make(kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """An instance of a plug-in with these options. Raises PluginError naming every bad option."""
    cls = find(kind, name)
    try:
        return cls(**(options or {}))
    except ValidationError as error:
        fields = list(getattr(cls, "__dataclass_fields__", {}))
        problems = "; ".join(_problem(e, fields) for e in error.errors())
        raise PluginError(f"{kind} {name!r}: {problems}") from None


def _problem(error: Any, fields: list[str]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        close = difflib.get_close_matches(key, fields, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"options: {', '.join(fields) or 'none'}"
        return f"unknown option {key!r}, {hint}"
    if error["type"] == "missing":
        return f"option {key!r} is missing"
    where = f"option {key!r} = {error['input']!r}: " if key else ""
    return f"{where}{error['msg']}"


def _attribute(module: Any, attribute: str, name: str) -> type[Any]:
    found = getattr(module, attribute, None)
    if not isinstance(found, type):
        raise PluginError(f"plug-in {name!r}: {module.__name__} has no class {attribute!r}")
    return found


def _module_from(path: Path, kind: str) -> Any:
    if not path.is_file():
        raise PluginError(f"{kind} plug-in file {path} does not exist")
    resolved = path.resolve()
    alias = f"asft_plugin_{hashlib.blake2b(str(resolved).encode(), digest_size=6).hexdigest()}"
    if alias in sys.modules:
        return sys.modules[alias]
    spec = importlib.util.spec_from_file_location(alias, resolved)
    if spec is None or spec.loader is None:
        raise PluginError(f"{kind} plug-in file {path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # foreign code
        del sys.modules[alias]
        raise PluginError(f"{kind} plug-in file {path}: {type(error).__name__}: {error}") from error
    return module
