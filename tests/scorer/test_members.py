"""How far students differ on an answer, beside a naive float64 computation with all logits."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from asft import scorer, student
from asft.scorer import Row, fold
from asft.scorer.body import grouped
from asft.scorer.members import Heard, apart, compare, hear

VOCAB = 2500


class Squared(LlamaForCausalLM):
    """Makes of its logits what nobody foresees."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        made = super().forward(*args, **kwargs)
        made.logits = made.logits * made.logits.abs() / 8
        return made


def students(kind: type[LlamaForCausalLM], off: float) -> list[student.Loaded]:
    """Three students that differ a little."""
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.3,
    )
    torch.manual_seed(5)
    first = kind(config).eval()
    made = [first]
    for _ in range(2):
        other = copy.deepcopy(first)
        for parameter in other.parameters():
            parameter.data += off * torch.randn_like(parameter)
        made.append(other)
    return [student.Loaded(student=student.Student(base="x"), model=one, tokenizer=None) for one in made]


def rows(count: int) -> list[Row]:
    made = np.random.default_rng(3)
    return [
        (
            made.integers(1, VOCAB, made.integers(1, 20)).tolist(),
            made.integers(1, VOCAB, made.integers(1, 25)).tolist(),
        )
        for _ in range(count)
    ]


def heard(members: list[student.Loaded], given: list[Row]) -> list[list[Heard]]:
    return [scorer.in_batches(one, given, hear, batch_tokens=120)[0] for one in members]


@pytest.mark.parametrize("kind", [LlamaForCausalLM, Squared])
@pytest.mark.parametrize("off", [0.1, 0.001])
def test_losses_and_bald_are_those_of_all_logits_in_float64(kind: type[LlamaForCausalLM], off: float) -> None:
    members, given = students(kind, off), rows(6)
    for row, found in zip(given, compare(heard(members, given)), strict=True):
        prompt, answer = row
        log_p = []
        for one in members:
            with torch.inference_mode():
                made = copy.deepcopy(one.model).double()(input_ids=torch.tensor([[*prompt, *answer]])).logits
            log_p.append(torch.log_softmax(made[0, len(prompt) - 1 : -1], -1))
        p = torch.stack(log_p).exp()
        nll = [-one[range(len(answer)), answer].mean().item() for one in log_p]
        mean = p.mean(0)
        entropies = -(p * torch.stack(log_p)).sum(-1).mean(0)
        bald = (-(mean * mean.log()).sum(-1) - entropies).mean().item()
        assert found.nll == pytest.approx(nll, abs=1e-4)
        assert found.bald == pytest.approx(bald, rel=1e-2, abs=1e-7)


def test_half_precision_is_near_the_exact_losses() -> None:
    given = rows(4)
    exact = compare(heard(students(LlamaForCausalLM, 0.1), given))
    members = students(LlamaForCausalLM, 0.1)
    for one in members:
        one.model.bfloat16()
    for a, b in zip(exact, compare(heard(members, given)), strict=True):
        assert b.nll == pytest.approx(a.nll, rel=0.05)
        assert b.bald == pytest.approx(a.bald, rel=0.2)


def test_two_students_that_contradict_each_other_differ_by_ln_2() -> None:
    sure = torch.tensor([[200.0, 0.0, 0.0]]), torch.tensor([[0.0, 200.0, 0.0]])
    reads = [lambda start, end, z=z: z[:, start:end].clone() for z in sure]
    nll, bald = apart(reads, torch.tensor([0]), vocab=3, piece=2)
    # H(1/2, 1/2) - 0; the first is certain of token 0, the second 200 nats against it.
    assert bald.tolist() == pytest.approx([np.log(2)], abs=1e-6)
    assert nll[:, 0].tolist() == pytest.approx([0.0, 200.0])


def test_students_that_agree_differ_by_nothing() -> None:
    z = torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0]])
    reads = [lambda start, end: z[:, start:end].clone()] * 3
    assert apart(reads, torch.tensor([0, 1]), vocab=3, piece=3)[1].tolist() == pytest.approx([0, 0], abs=1e-7)


def test_neighbours_are_grouped_up_to_a_size_and_a_long_one_stands_alone() -> None:
    assert grouped([3, 3, 3, 9, 1, 1], 6) == [[0, 1], [2], [3], [4, 5]]
    assert grouped([9], 6) == [[0]]
    assert grouped([], 6) == []


@pytest.mark.parametrize("kept", [1, 10**9])
def test_logits_that_are_kept_and_those_that_are_made_twice_are_the_same(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "MOST_KEPT", kept)
    z, calls = torch.arange(12.0).view(2, 6), []

    def read(start: int, end: int) -> torch.Tensor:
        calls.append(start)
        return z[:, start:end].clone()

    reader = fold.again(read, n=2, vocab=6, piece=4)
    for _ in range(2):
        made = torch.cat([reader(0, 4), reader(4, 6)], 1)
        assert torch.equal(made, z)
        # What is read may be written into.
        reader(0, 4).fill_(-1.0)
    assert len(calls) == (6 if kept == 1 else 2)
