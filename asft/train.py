"""One TRL SFT + LoRA run. The only file that imports trl."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asft.errors import DataError
from asft.student import POCKET, Loaded, Student
from asft.types import Example


def train(
    loaded: Loaded,
    examples: Sequence[Example],
    out: Path,
    *,
    seed: int = 0,
    sft: Mapping[str, Any] | None = None,
    lora: Mapping[str, Any] | None = None,
) -> Student:
    """Train a fresh LoRA adapter on worked answers and save it to `out`; the base stays as it was.

    The loss is on the answer and its end token only. `sft` and `lora` go to TRL's SFTConfig and peft's
    LoraConfig under their own names. Raises DataError where there is nothing to train on.
    """
    import datasets
    from peft import LoraConfig, get_peft_model
    from transformers import PrinterCallback, set_seed
    from trl import SFTConfig, SFTTrainer

    rows = [
        {
            "prompt": [{"role": "user", "content": example.prompt}],
            "completion": [{"role": "assistant", "content": example.completion}],
        }
        for example in examples
        if example.completion
    ]
    if not rows:
        raise DataError("there is no example with a worked answer to train on")
    on_cpu = loaded.model.device.type == "cpu"
    known = {field.name for field in dataclasses.fields(SFTConfig)}
    # transformers 5.23 renames gradient checkpointing, which TRL turns on by default.
    checkpointing = (
        "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    )
    settings = {
        "output_dir": str(out),
        "seed": seed,
        "use_cpu": on_cpu,
        "bf16": not on_cpu,
        checkpointing: False,
        "max_length": None,
        "per_device_train_batch_size": 16,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 10,
        "disable_tqdm": True,
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "dataloader_pin_memory": not on_cpu,
        **(sft or {}),
    }
    set_seed(seed)
    adapter = LoraConfig(
        **{
            "r": 16,
            "lora_alpha": 32,
            "target_modules": "all-linear",
            "task_type": "CAUSAL_LM",
            **(lora or {}),
        }
    )
    model = get_peft_model(loaded.model, adapter)
    datasets.disable_progress_bars()
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**settings),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=loaded.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    model.save_pretrained(str(out))
    model.unload()
    loaded.model.eval()
    base = str(POCKET) if loaded.student.base == "pocket" else loaded.student.base
    return Student(base=base, revision=loaded.student.revision, adapter=str(out))
