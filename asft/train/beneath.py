"""An adapter that stays beneath the one that is trained, as if it were merged into the base.

Merged weights would be rounded in each round, in 4 bits to nothing. Beneath, it acts in full, and both are
kept as one adapter: B A + B' A' is the product of what they are when joined along the rank.
"""

import dataclasses
import math
from pathlib import Path
from typing import Any

from asft.errors import DataError

NAME = "beneath"
"""What peft calls it."""
APART = (
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "trainable_token_indices",
    "target_parameters",
)
"""Settings of LoraConfig with which two adapters are no longer one of both ranks; `bias` is another."""


def on_top(base: Any, start: str, fresh: Any, name: str) -> Any:
    """The base with the adapter in `start`, which is not trained and drops nothing, and a fresh one on top.

    Raises DataError where the two cannot be kept as one.
    """
    from peft import LoraConfig, PeftModel

    before = LoraConfig.from_pretrained(start)
    for config, whose in ((before, start), (fresh, "the recipe")):
        if problem := apart(config):
            raise DataError(f"start_from: merged: {whose} has {problem}, which cannot be merged; see `lora`")
    before.lora_dropout = 0.0
    model: Any = PeftModel.from_pretrained(base, start, adapter_name=NAME, config=before)
    model.add_adapter(name, fresh)
    model.set_adapter(name)
    model.base_model.set_adapter([name, NAME])
    for key, weight in model.named_parameters():
        if f".{NAME}." in key:
            weight.requires_grad_(False)
    on = [set(layer.lora_A) for layer in model.modules() if hasattr(layer, "lora_A")]
    if any(names != {name, NAME} for names in on):
        model.unload()
        raise DataError(
            f"start_from: merged: {start} is on other layers than the recipe's lora.target_modules, so the "
            "two cannot be kept as one; leave target_modules as it was"
        )
    return model


def apart(config: Any) -> str | None:
    """What of its settings keeps an adapter from being joined with another; None: nothing."""
    if config.bias != "none":
        return "trained biases"
    return next((name for name in APART if getattr(config, name)), None)


def save_as_one(model: Any, name: str, out: Path) -> None:
    """Keep the adapter that was trained and the one beneath it as one of both ranks, with scaling 1."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    names = (NAME, name)
    parts = [get_peft_model_state_dict(model, adapter_name=one) for one in names]
    configs = [model.peft_config[one] for one in names]
    joined = {}
    for key in parts[0]:
        down = key.endswith("lora_A.weight")
        scaled = [part[key] * (1.0 if down else scaling(c)) for part, c in zip(parts, configs, strict=True)]
        joined[key] = torch.cat(scaled, 0 if down else 1).contiguous()
    rank = sum(config.r for config in configs)
    out.mkdir(parents=True, exist_ok=True)
    save_file(joined, out / "adapter_model.safetensors", metadata={"format": "pt"})
    one = dataclasses.replace(
        configs[0],
        r=rank,
        lora_alpha=rank,
        use_rslora=False,
        lora_dropout=configs[1].lora_dropout,
        inference_mode=True,
    )
    one.save_pretrained(str(out))


def scaling(config: Any) -> float:
    """By what peft multiplies B A."""
    rank = math.sqrt(config.r) if config.use_rslora else config.r
    return float(config.lora_alpha / rank)
