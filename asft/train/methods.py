"""What of a student is trained: how its model is made ready, kept, and left as it was.

LoRA       an adapter on the base, whose weights may be quantised
merged     the same, on top of the adapter of the round before, which stays as it is beneath it
full       all weights, of a copy
"""

import copy
import gc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asft.errors import DataError
from asft.student import Loaded, is_whole, renamed_checkpointing
from asft.train import beneath

Lora = Mapping[str, Any] | Literal[False]
"""Settings of LoraConfig; False: every weight is trained."""
ADAPTER = "default"
"""What peft calls the adapter that is trained."""


def dress(loaded: Loaded, start: str | None, lora: Lora, *, merged: bool = False) -> Any:
    """The model to train: the base with a fresh adapter, or with what is in the folder `start`.

    merged: a fresh adapter on the base and the adapter in `start`, which is not trained. Adapters are
    float32, also on a quantised base. Raises DataError where `start` holds something else than is trained, or
    an adapter that cannot be merged.
    """
    # A trainer and its model hold each other, and go when the collector comes.
    gc.collect()
    if start is not None and is_whole(start) != (lora is False):
        what = "a whole model" if is_whole(start) else "no whole model"
        raise DataError(
            f"{start} holds {what}, and {'LoRA' if lora else 'full'} training cannot start from it"
        )
    if lora is False:
        return _whole(loaded, start)
    before = _Before.of(loaded)
    with renamed_checkpointing():
        model = _with_adapter(loaded, start, lora, merged)
    model.asft_before = before
    # Of a model that says it is quantised, TRL would round the adapter to bfloat16.
    model.is_loaded_in_4bit = model.is_loaded_in_8bit = False
    return model


def save(loaded: Loaded, model: Any, out: Path) -> None:
    """Keep what was trained: an adapter, or a whole model with its tokenizer, in the dtype of the base.

    An adapter that was trained on top of another is kept as one with it.
    """
    if not hasattr(model, "peft_config"):
        # The trainer turns it off.
        model.config.use_cache = loaded.model.config.use_cache
        model.to(loaded.model.dtype).save_pretrained(str(out))
        loaded.tokenizer.save_pretrained(str(out))
    elif beneath.NAME in model.peft_config:
        beneath.save_as_one(model, ADAPTER, out)
    else:
        model.save_pretrained(str(out))


def undress(loaded: Loaded, model: Any) -> None:
    """Leave the base as it was before `dress`."""
    if not hasattr(model, "peft_config"):
        return
    base = loaded.model
    model.unload()
    model.asft_before.restore(base)
    # TRL leaves its own forward on the base.
    vars(base).pop("forward", None)
    base.eval()


def _whole(loaded: Loaded, start: str | None) -> Any:
    """A copy of the base, or what is in a folder; float32, since updates are smaller than bfloat16 tells."""
    import torch
    from transformers import AutoModelForCausalLM

    if loaded.student.quantise is not None:
        raise DataError(
            f"the weights of {loaded.student.base} are quantised to {loaded.student.quantise}, and only "
            "adapters on them can be trained; leave student.quantise out, or lora: false"
        )
    if start is None:
        model = copy.deepcopy(loaded.model).float()
    else:
        model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32).to(loaded.model.device)
    model.requires_grad_(True)
    return model


@dataclass(frozen=True)
class _Before:
    """What training changes of a base besides its weights, which nothing changes."""

    use_cache: bool
    """The trainer turns it off."""
    hooks: frozenset[int]
    """Of the embeddings; checkpointing leaves its own there."""
    norms: tuple[tuple[Any, Any], ...]
    """Weights of a quantised base that are raised to float32, and what they were."""

    @classmethod
    def of(cls, loaded: Loaded) -> "_Before":
        """What a base is now; then its norms are raised: 4 bits leave no more to be lost."""
        import torch

        model = loaded.model
        norms = [one for one in model.modules() if "norm" in type(one).__name__.lower()]
        halves = (torch.bfloat16, torch.float16) if loaded.student.quantise else ()
        low = [weight for norm in norms for weight in norm.parameters() if weight.dtype in halves]
        kept = tuple((weight, weight.data) for weight in low)
        for weight in low:
            weight.data = weight.data.float()
        hooks = frozenset(model.get_input_embeddings()._forward_hooks)
        return cls(use_cache=model.config.use_cache, hooks=hooks, norms=kept)

    def restore(self, model: Any) -> None:
        """Make a base what it was."""
        with renamed_checkpointing():
            model.gradient_checkpointing_disable()
        hooks = model.get_input_embeddings()._forward_hooks
        for number in set(hooks) - self.hooks:
            del hooks[number]
        model.config.use_cache = self.use_cache
        for weight, as_it_was in self.norms:
            weight.data = as_it_was


def _with_adapter(loaded: Loaded, start: str | None, lora: Mapping[str, Any], merged: bool) -> Any:
    from peft import LoraConfig, PeftModel, get_peft_model

    config = LoraConfig(**lora)
    if start is None:
        return get_peft_model(loaded.model, config)
    if merged:
        return beneath.on_top(loaded.model, start, config, ADAPTER)
    return PeftModel.from_pretrained(loaded.model, start, is_trainable=True)
