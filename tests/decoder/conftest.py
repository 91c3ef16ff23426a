"""Students to decode with."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from asft import student

Tiny = Callable[..., student.Loaded]


@pytest.fixture(scope="session")
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


@pytest.fixture(scope="session")
def tiny(pocket: student.Loaded) -> Tiny:
    """A random model of another kind with the pocket student's tokens; every eleventh ends an answer."""

    def make(kind: str, **settings: Any) -> student.Loaded:
        config = AutoConfig.for_model(
            kind,
            vocab_size=len(pocket.tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.5,
            **settings,
        )
        torch.manual_seed(5)
        model = AutoModelForCausalLM.from_config(config).eval()
        model.generation_config.eos_token_id = list(range(1, len(pocket.tokenizer), 11))
        return student.Loaded(student=student.Student(base=kind), model=model, tokenizer=pocket.tokenizer)

    return make
