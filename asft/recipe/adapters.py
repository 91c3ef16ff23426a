"""The section `lora`: settings of an adapter, or false where every weight is trained; what goes with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from asft.recipe.sections import DataOptions, StudentOptions

KEEPS_THE_BASE = {True, False, "gaussian", "orthogonal"}
"""Values of `init_lora_weights` that leave the base's weights as they are."""
NEVER_ONE = (
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "trainable_token_indices",
    "target_parameters",
)
"""Settings with which two adapters cannot be made one."""


def problems(lora: Any, student: StudentOptions | None, data: DataOptions | None) -> Iterator[str]:
    """A sentence for each part of `student` and `data` that does not go with `lora`."""
    if lora is False:
        yield from _with_every_weight(student, data)
        return
    start = lora.get("init_lora_weights", True)
    if start not in KEEPS_THE_BASE:
        yield (
            f"lora.init_lora_weights = {start!r}: it changes the base's weights, and those stay as they are "
            "from round to round; take gaussian, or leave it out"
        )
    if data is not None and data.start_from == "merged":
        yield from _merged(lora)


def _with_every_weight(student: StudentOptions | None, data: DataOptions | None) -> Iterator[str]:
    every = "lora = false: every weight is trained"
    if student is not None and student.quantise is not None:
        yield f"{every}, and those that are quantised cannot be; leave out student.quantise, or lora: false"
    if student is not None and student.vllm is not None and student.vllm.base_url is not None:
        yield (
            f"{every}, and a vLLM server takes in adapters alone; leave out student.vllm.base_url, so that "
            "vLLM runs inside this process"
        )
    if data is not None and data.start_from == "merged":
        yield f"{every}, so there is no adapter to merge; take data.start_from: previous"


def _merged(lora: Mapping[str, Any]) -> Iterator[str]:
    given = [key for key in NEVER_ONE if lora.get(key)]
    given += ["bias"] if lora.get("bias", "none") != "none" else []
    for key in given:
        yield (
            f"lora.{key} = {lora[key]!r}: with it, adapters of two rounds cannot be merged into one; leave "
            "it out, or take data.start_from: previous"
        )
