"""What a token takes in a student, and what of it is trained; its weights are not loaded for that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from asft.errors import DataError
from asft.flops.passes import Method
from asft.flops.shape import Adapter, Shape, Work, by_parameters

PLAIN = {
    "r",
    "target_modules",
    "lora_alpha",
    "lora_dropout",
    "init_lora_weights",
    "bias",
    "task_type",
    "use_rslora",
}
"""Settings of LoraConfig of which two alone say how large an adapter is."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """What its FLOPs are made of."""

    work: Work
    method: Method
    adapter: Adapter | None
    """None where all weights are trained."""


def of_student(
    base: str, revision: str | None = None, lora: Mapping[str, Any] | Literal[False] = False
) -> Student:
    """From the base's config where its kind is known, else from its parameters.

    `lora`: all settings of LoraConfig that it is trained with; False: every weight is. Raises DataError where
    there is no such model.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(base, revision=revision)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the model {base!r} cannot be read ({reason}); give a folder or a hub name"
        ) from error
    try:
        shape = Shape.of(config)
    except DataError:
        shape = None
    work = by_parameters(_hollow(config)) if shape is None else shape.work
    if lora is False:
        return Student(work=work, method="full", adapter=None)
    return Student(work=work, method="lora", adapter=_adapter(config, shape, lora))


def _adapter(config: Any, shape: Shape | None, lora: Mapping[str, Any]) -> Adapter:
    """Worked out where it is plain; else of as many weights as peft makes."""
    targets = lora.get("target_modules")
    if shape is not None and set(lora) <= PLAIN and "r" in lora and targets:
        try:
            return shape.adapter(lora["r"], targets)
        except DataError:
            pass  # A pattern, or matrices that are not known here.
    from peft import LoraConfig, get_peft_model

    model: Any = get_peft_model(_hollow(config), LoraConfig(**lora))
    return Adapter(weights=model.get_nb_trainable_parameters()[0])


def _hollow(config: Any) -> Any:
    """A model without weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)
