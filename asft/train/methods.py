"""What of a student is trained: how its model is made ready, and how it is left as it was."""

from collections.abc import Mapping
from typing import Any

from asft.student import Loaded, renamed_checkpointing


def dress(loaded: Loaded, start: str | None, lora: Mapping[str, Any]) -> Any:
    """The model to train: the base with a fresh adapter, or with the one in the folder `start`."""
    from peft import LoraConfig, PeftModel, get_peft_model

    with renamed_checkpointing():
        if start is None:
            return get_peft_model(loaded.model, LoraConfig(**lora))
        return PeftModel.from_pretrained(loaded.model, start, is_trainable=True)


def undress(loaded: Loaded, model: Any) -> None:
    """Leave the base as it was before `dress`."""
    model.unload()
    # TRL leaves its own forward on the base.
    vars(loaded.model).pop("forward", None)
    loaded.model.eval()
