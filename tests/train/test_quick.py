from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from asft import student, train
from asft.scorer.head import Head
from asft.student import Loaded
from asft.tasks.pocket.task import Pocket
from asft.train import quick
from asft.train.loss import Scored, on_answers
from asft.types import Example


def examples() -> Sequence[Example]:
    return Pocket(seeds=40).load("seed")[:32]


def test_the_examples_of_each_step_come_longest_first_and_stay_in_their_step() -> None:
    order = quick.ByLength([3, 0, 5, 1, 4, 2], lengths=[10, 40, 30, 20, 60, 50], step=4)
    # Step one has 3, 0, 5, 1 of lengths 20, 10, 50, 40; step two the rest, 4 and 2 of lengths 60 and 30.
    assert list(order) == [5, 1, 3, 0, 4, 2]
    assert len(order) == 6


def test_an_epoch_is_passed_on() -> None:
    seen = []

    class Order(list[int]):
        def set_epoch(self, epoch: int) -> None:
            seen.append(epoch)

    quick.ByLength(Order([0]), lengths=[1], step=1).set_epoch(7)
    assert seen == [7]


def heads() -> list[Head]:
    drawn = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(11, 5, generator=drawn), torch.randn(11, generator=drawn)
    return [
        Head(weight=weight, bias=None, updates=()),
        Head(weight=weight, bias=bias, updates=(), scale=0.5),
        Head(weight=weight, bias=None, updates=(), scale=2.0, cap=3.0),
    ]


def logits_of(head: Head, states: Tensor) -> Tensor:
    logits = torch.nn.functional.linear(states, head.weight, head.bias) * head.scale
    return logits if head.cap is None else head.cap * torch.tanh(logits / head.cap)


@pytest.mark.parametrize("head", heads())
@pytest.mark.parametrize("at_once", [2**24, 33])
def test_log_probabilities_entropies_and_gradients_are_those_of_all_logits(
    monkeypatch: pytest.MonkeyPatch, head: Head, at_once: int
) -> None:
    # 33 logits at once are those of 3 tokens.
    monkeypatch.setattr("asft.train.loss.LOGITS", at_once)
    states = torch.randn(8, 5, requires_grad=True)
    target = torch.tensor([0, 3, 10, 3, 7, 1, 1, 9])
    log_p, entropy, top = Scored.apply(states, target, head)  # type: ignore[no-untyped-call]
    wanted = torch.log_softmax(logits_of(head, states), -1)
    chosen = wanted.gather(1, target[:, None])[:, 0]
    assert torch.allclose(log_p, chosen, atol=1e-5)
    assert torch.allclose(entropy, -(wanted.exp() * wanted).sum(-1), atol=1e-5)
    assert torch.equal(top, wanted.argmax(-1) == target)
    weights = torch.arange(8.0)
    found = torch.autograd.grad((log_p * weights).sum(), states)[0]
    assert torch.allclose(found, torch.autograd.grad((chosen * weights).sum(), states)[0], atol=1e-4)


def fused(loaded: Loaded, rows: list[list[int]], labels: list[list[int]]) -> Any:
    width = max(map(len, rows))
    ids, wanted, mask = (
        torch.tensor([[*row, *[fill] * (width - len(row))] for row in some])
        for some, fill in ((rows, 0), (labels, -100), ([[1] * len(row) for row in rows], 0))
    )
    return loaded.model(
        input_ids=ids, attention_mask=mask, labels=wanted, fused_lm_head=True, use_cache=False
    )


@pytest.mark.parametrize("times", [1, 70])
def test_a_padded_batch_gives_what_trls_head_gives(times: int) -> None:
    """70 times makes a row of 420 tokens, more than attention to all pairs at once is for."""
    from trl.trainer.utils import add_fused_lm_head

    loaded = student.load(student.Student(), "cpu")
    loaded.model.requires_grad_(False)
    add_fused_lm_head(loaded.model, outputs=("log_probs", "entropy", "is_top1"))
    rows = [[5, 9, 11, 30, 7, 2] * times, [8, 4, 12], [3, 3, 3, 9]]
    labels = [[-100, -100, 11, 30, 7, 2] * times, [-100, -100, 12], [-100] * 4]
    expected = fused(loaded, rows, labels)
    plain = loaded.model.forward
    with on_answers(loaded.model, rows[0]):
        assert loaded.model.forward != plain
        found = fused(loaded, rows, labels)
    assert loaded.model.forward == plain
    assert torch.allclose(found.loss, expected.loss, atol=1e-5)
    assert torch.allclose(found.log_probs, expected.log_probs, atol=1e-5)
    assert torch.allclose(found.entropy, expected.entropy, atol=1e-5)
    assert torch.equal(found.is_top1, expected.is_top1.bool())
    assert torch.equal(found.label_mask, expected.label_mask)


@contextmanager
def as_it_is(*_: Any) -> Iterator[None]:
    yield


def test_training_is_what_it_would_be_without_but_for_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = student.load(student.Student(), "cpu")
    sft = {"max_steps": 4, "logging_steps": 1, "warmup_steps": 0}
    losses = []
    for quickly in (True, False):
        if not quickly:
            monkeypatch.setattr(quick, "quick", as_it_is)
        trained = train.train(base, examples(), tmp_path / str(quickly), sft=sft)
        losses.append((trained.loss_first, trained.loss_last))
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_the_same_seed_gives_the_same_adapter_in_bfloat16(tmp_path: Path) -> None:
    base = student.load(student.Student(), "cpu")
    weights = []
    for name in ("one", "two"):
        sft = {"max_steps": 3, "bf16": True}
        train.train(base, examples(), tmp_path / name, seed=3, sft=sft)
        weights.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_the_attention_that_keeps_examples_apart_is_on_while_a_gpu_trains() -> None:
    class Config:
        _attn_implementation = "sdpa"

    class Model:
        config = Config()

        def set_attn_implementation(self, name: str) -> None:
            self.config._attn_implementation = name

    model = Model()
    with quick._attending(model, "flash_attention_2"):
        assert model.config._attn_implementation == "flash_attention_2"
    assert model.config._attn_implementation == "sdpa"
