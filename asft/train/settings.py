"""What goes to TRL and peft where a recipe is silent.

All of it is written into the run's `recipe.lock.json`. A step has 16 examples on any hardware; how many are
computed at once, and in which precision, is what the hardware decides:

- CPU: few at once, which pads less; float32, or bfloat16 where the processor multiplies it and the student is
  large enough to gain by it.
- GPU: as many at once as there is memory for; bfloat16, or float16 on one that has none; laid end to end
  without padding where a FlashAttention keeps them apart, else in batches of similar length.
- Activations are computed twice (checkpointing) only where one example alone would not fit.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from asft.train.hardware import Hardware, Shape
from asft.train.methods import Lora

STEP = 16
"""Examples of an optimiser step."""
LARGE_ON_CPU = 30_000_000
"""From so many parameters on, a CPU is faster with two examples at once than with four, and with bfloat16
where it multiplies that."""
LENGTH = 1024
"""So many tokens an example is taken to have where `max_length` does not say, as settings are made before
there is data."""
ROOM = 0.8
"""Of the memory; the rest is for what is not counted here."""

COPY = 16
"""Bytes of a weight that is trained: a copy in float32, its gradient, and Adam's two moments."""

BATCH = ("per_device_train_batch_size", "gradient_accumulation_steps", "auto_find_batch_size")


def settings(
    sft: Mapping[str, Any], lora: Lora, hardware: Hardware, shape: Shape | None
) -> tuple[dict[str, Any], Lora]:
    """What goes to SFTConfig and to LoraConfig: the caller's settings, and asft's where he is silent.

    `shape` is None where the student's size is not known: then it is taken for a small one.
    """
    from trl import SFTConfig

    known = {field.name for field in dataclasses.fields(SFTConfig)}
    # transformers 5.23 renames gradient checkpointing, which TRL turns on by default.
    checkpointing = (
        "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    )
    on_cpu = hardware.device == "cpu"
    full = lora is False
    length = sft.get("max_length") or LENGTH
    twice, at_once = _fitting(hardware, shape, length, full=full)
    end_to_end = hardware.attention is not None and sft.get("max_length") is None and not sft.get("packing")
    to_trl = {
        "use_cpu": on_cpu,
        **_precision(sft, hardware, shape),
        checkpointing: twice,
        # TRL's default of 1024 cuts silently.
        "max_length": None,
        "packing": False,
        "padding_free": end_to_end,
        "train_sampling_strategy": "random" if on_cpu or end_to_end else "group_by_length",
        "optim": "adamw_torch_fused",
        # A full finetuning wants about a tenth of the rate that LoRA does.
        "learning_rate": 1e-4 if full else 1e-3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 10,
        "disable_tqdm": True,
        "logging_strategy": "steps",
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": not on_cpu,
        **_batching(sft, at_once),
        **sft,
    }
    if lora is False:
        return to_trl, False
    return to_trl, {
        "r": 16,
        "lora_alpha": 32,
        "target_modules": "all-linear",
        "task_type": "CAUSAL_LM",
        **lora,
    }


def _precision(sft: Mapping[str, Any], hardware: Hardware, shape: Shape | None) -> dict[str, bool]:
    """bf16 and fp16. A caller who names one of them has the other off."""
    if "bf16" in sft or "fp16" in sft:
        return {"bf16": False, "fp16": False}
    if hardware.device == "cpu":
        plain = shape is not None and not shape.quantised
        return {"bf16": hardware.bf16 and plain and _large(shape), "fp16": False}
    return {"bf16": hardware.bf16, "fp16": not hardware.bf16}


def _large(shape: Shape | None) -> bool:
    """Whether a student is large for a CPU."""
    return shape is not None and shape.parameters >= LARGE_ON_CPU


def _batching(sft: Mapping[str, Any], at_once: int) -> dict[str, int]:
    """16 examples a step, where the caller is silent about the batch; taken so many at once."""
    if set(BATCH) & set(sft):
        return {"per_device_train_batch_size": STEP}
    return {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": STEP // at_once}


def _fitting(hardware: Hardware, shape: Shape | None, length: int, *, full: bool) -> tuple[bool, int]:
    """Whether activations are computed twice, and how many examples there is room for at once."""
    most = STEP
    if hardware.device == "cpu":
        most = 2 if _large(shape) else 4
    if shape is None:
        return False, most
    sizes = [size for size in (16, 8, 4, 2, 1) if size <= most]
    half = shape.half and not full
    left = ROOM * hardware.memory - shape.bytes - (COPY * shape.parameters if full else 0)
    for twice in (False, True):
        for size in sizes:
            if _activations(shape, size * length, half=half, twice=twice) <= left:
                return twice, size
    return True, 1


def _activations(shape: Shape, tokens: int, *, half: bool, twice: bool) -> float:
    """Bytes kept for the gradient, as counted of Llama's layers with LoRA on each linear one."""
    of_a_layer = (10.0 if half else 18.0) * (2 * shape.width + shape.inner) * tokens
    if not twice:
        return shape.layers * of_a_layer
    return of_a_layer + shape.layers * (4.0 if half else 8.0) * shape.width * tokens
