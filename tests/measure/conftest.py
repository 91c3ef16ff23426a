"""Students to measure, and pools."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from asft import measure, student
from asft.tasks.pocket.task import Pocket
from asft.types import Example

Tiny = Callable[..., student.Loaded]
MakePool = Callable[..., measure.Pool]


class Squared(LlamaForCausalLM):
    """Makes of its logits what nobody foresees, so that its head is not known."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        made = super().forward(*args, **kwargs)
        made.logits = made.logits * made.logits.abs() / 8
        return made


@pytest.fixture(scope="session")
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


@pytest.fixture(scope="session")
def tiny(pocket: student.Loaded) -> Tiny:
    """A random model of another kind with the pocket student's tokens."""

    def make(kind: str, **settings: Any) -> student.Loaded:
        config = AutoConfig.for_model(
            "llama" if kind == "squared" else kind,
            vocab_size=len(pocket.tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.3,
            **settings,
        )
        torch.manual_seed(5)
        build: Any = Squared if kind == "squared" else AutoModelForCausalLM.from_config
        return student.Loaded(
            student=student.Student(base=kind), model=build(config).eval(), tokenizer=pocket.tokenizer
        )

    return make


@pytest.fixture(scope="session")
def make_pool() -> MakePool:
    """A pool of so many seeds of the pocket task; of `bare` ones there is no worked reference."""

    def make(seeds: int, *, bare: tuple[int, ...] = (), **settings: Any) -> measure.Pool:
        task = Pocket(seeds=seeds)
        examples = [
            Example.make(task=e.task, prompt=e.prompt, answer=e.answer) if i in bare else e
            for i, e in enumerate(task.load("seed"))
        ]
        return measure.Pool(
            task=task, examples=tuple(examples), **{"max_new_tokens": 12, "batch_size": 8, **settings}
        )

    return make
