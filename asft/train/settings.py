"""What goes to TRL and peft where a recipe is silent."""

import dataclasses
from collections.abc import Mapping
from typing import Any


def settings(
    sft: Mapping[str, Any], lora: Mapping[str, Any], *, on_cpu: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes to SFTConfig and to LoraConfig: the caller's settings, and asft's where he is silent."""
    from trl import SFTConfig

    known = {field.name for field in dataclasses.fields(SFTConfig)}
    # transformers 5.23 renames gradient checkpointing, which TRL turns on by default.
    renamed = "activation_checkpointing" in known
    to_trl = {
        "use_cpu": on_cpu,
        "bf16": not on_cpu,
        "activation_checkpointing" if renamed else "gradient_checkpointing": False,
        # TRL's default of 1024 cuts silently.
        "max_length": None,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 10,
        "disable_tqdm": True,
        "logging_strategy": "steps",
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "dataloader_pin_memory": not on_cpu,
        **_batching(sft, on_cpu),
        **sft,
    }
    to_peft = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **lora}
    return to_trl, to_peft


def _batching(sft: Mapping[str, Any], on_cpu: bool) -> dict[str, int]:
    """16 examples a step, where the caller is silent about the batch.

    On a CPU they are taken four at a time, which pads less: the same step but for rounding.
    """
    if {"per_device_train_batch_size", "gradient_accumulation_steps", "auto_find_batch_size"} & set(sft):
        return {"per_device_train_batch_size": 16}
    at_once = 4 if on_cpu else 16
    return {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": 16 // at_once}
