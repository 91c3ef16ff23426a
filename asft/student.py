"""A student: which model it is, as data; loading it; and how its prompts become token ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asft.errors import DataError

POCKET = Path(__file__).resolve().parent / "students" / "pocket"
"""The student that ships with asft; a recipe calls it "pocket"."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """Which model."""

    base: str = "pocket"
    """"pocket", a folder, or a name on the hub; any causal LM that transformers loads."""
    revision: str | None = None
    adapter: str | None = None
    """Folder of a LoRA adapter on top of the base."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A student in memory."""

    student: Student
    model: Any
    """A transformers causal LM in eval mode, with the adapter on where there is one."""
    tokenizer: Any

    @property
    def end_ids(self) -> frozenset[int]:
        """Token ids that end an answer."""
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return frozenset(i for i in (*ids, self.tokenizer.eos_token_id) if i is not None)


def load(student: Student, device: str | None = None) -> Loaded:
    """Load model and tokenizer; CUDA where there is one and `device` names no other.

    Weights keep their dtype, and are float32 on a CPU. Raises DataError where they cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    base = str(POCKET) if student.base == "pocket" else student.base
    dtype: Any = torch.float32 if place == "cpu" else "auto"
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=student.revision)
        model: Any = AutoModelForCausalLM.from_pretrained(base, revision=student.revision, dtype=dtype)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"student {student.base!r} cannot be loaded ({reason}); give a folder or a hub name"
        ) from error
    if student.adapter is not None:
        from peft import PeftModel

        if not Path(student.adapter, "adapter_config.json").is_file():
            raise DataError(f"{student.adapter} holds no LoRA adapter (no adapter_config.json)")
        model = PeftModel.from_pretrained(model, student.adapter)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Loaded(student=student, model=model.to(place).eval(), tokenizer=tokenizer)


def prompt_ids(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids up to where the answer starts: by the chat template where there is one, else plain text."""
    if not tokenizer.chat_template:
        plain: list[list[int]] = tokenizer([f"{prompt}\n" for prompt in prompts])["input_ids"]
        return plain
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    chat: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return chat


def answer_ids(loaded: Loaded, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of answers as the student is trained to write them, the end token included."""
    ids: list[list[int]] = loaded.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [[*row, loaded.tokenizer.eos_token_id] for row in ids]
