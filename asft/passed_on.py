"""What goes on to TRL and peft: `train` and `lora`, checked against their own SFTConfig and LoraConfig.

They would find out themselves, but only when the data is paid. They take seconds to import: whoever reads a
recipe asks for this last.
"""

import dataclasses
import difflib
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib.util import find_spec
from typing import Any

from pydantic import TypeAdapter, ValidationError

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "azure_ml": ("azureml",),
    "flyte": ("flytekit",),
    "kubeflow": ("kubernetes",),
}
"""Which packages, any of them, do what `report_to` names; else the one of that name."""


def problems(train: Mapping[str, Any], lora: Mapping[str, Any]) -> list[str]:
    """A sentence for each key that is unknown, and for each value of another type."""
    found: list[str] = []
    if train:
        from trl import SFTConfig

        found += [*_unknown_keys("train", SFTConfig, train), *_wrong_types("train", SFTConfig, train)]
        found += _reporting(train.get("report_to"))
    if lora:
        from peft import LoraConfig

        found += [*_unknown_keys("lora", LoraConfig, lora), *_wrong_types("lora", LoraConfig, lora)]
    return found


def _unknown_keys(key: str, config: type[Any], values: Mapping[str, Any]) -> Iterator[str]:
    known = [field.name for field in dataclasses.fields(config)]
    for name in values:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            yield f"{key}.{name}: unknown key" + (f", did you mean {close[0]!r}?" if close else "")


def _wrong_types(key: str, config: type[Any], values: Mapping[str, Any]) -> Iterator[str]:
    hints = typing.get_type_hints(config)
    for name, value in values.items():
        # An unknown key is a problem of its own.
        wanted = _checkable(hints[name]) if name in hints else None
        if wanted is None:
            continue
        try:
            TypeAdapter(wanted).validate_python(value)
        except ValidationError as error:
            found = dict.fromkeys(detail["msg"] for detail in error.errors())
            yield f"{key}.{name} = {value!r:.80}: {textwrap.shorten(' or '.join(found), 200)}"


def _reporting(report_to: Any) -> Iterator[str]:
    """What `report_to` names and cannot be had; "none" and "all", which is what there is, always can."""
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    named = report_to if isinstance(report_to, list) else [] if report_to is None else [report_to]
    for name in named:
        if name in ("none", "all"):
            continue
        if not isinstance(name, str) or name not in INTEGRATION_TO_CALLBACK:
            close = difflib.get_close_matches(str(name), INTEGRATION_TO_CALLBACK, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(INTEGRATION_TO_CALLBACK)}"
            yield f"train.report_to: nothing is called {name!r}, {hint}"
        elif not any(find_spec(package) for package in PACKAGES.get(name, (name,))):
            package = PACKAGES.get(name, (name,))[0]
            yield f"train.report_to: {package} is not installed; install it, or leave {name!r} out"


def _checkable(hint: Any) -> Any:
    """The type by which a value is told right from wrong without knowing the library; None where none is."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for part in parts:
        # The names of an enumeration stand beside str, and are all that is taken.
        if isinstance(part, type) and issubclass(part, Enum):
            return part | None if types.NoneType in parts else part
    simple = (bool, int, float, str, types.NoneType)
    known = all(part in simple or typing.get_origin(part) is typing.Literal for part in parts)
    return hint if known else None
