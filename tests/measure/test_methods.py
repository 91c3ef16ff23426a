"""Students on quantised weights, and ones that were trained whole, are measured like any other."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from asft import measure, needs, quantised, scorer, student
from asft.measure.rows import own
from asft.types import Example, Measurements
from tests.measure.conftest import MakePool
from tests.train.by_hand import LORA, trained

WANTED = needs.joined(
    [needs.GOLD, needs.OWN, needs.samples(2, 0.7), needs.embedding(), needs.gradient(dims=64)]
)
with_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random base of which every layer is quantised."""
    folder = tmp_path_factory.mktemp("wide")
    torch.manual_seed(2)
    shape = LlamaConfig(
        vocab_size=904,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.1,
    )
    model: Any = LlamaForCausalLM(shape)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(student.POCKET).save_pretrained(folder)
    return str(folder)


def read_out(loaded: student.Loaded) -> student.Loaded:
    """The same student with its NF4 weights as what they stand for, in plain layers."""
    kind = import_module("bitsandbytes.nn").Linear4bit
    model = copy.deepcopy(loaded.model)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, kind):
            model.set_submodule(name, quantised.read_out(layer))
    assert not any(isinstance(layer, kind) for layer in model.modules())
    return replace(loaded, model=model)


def close(found: Measurements, expected: Measurements, atol: float) -> None:
    for name, array in found.arrays.items():
        np.testing.assert_allclose(array, expected.arrays[name], atol=atol, err_msg=name)
    for name, tokens in found.tokens.items():
        for part in ("nll", "entropy", "margin"):
            other = getattr(expected.tokens[name], part)
            np.testing.assert_allclose(getattr(tokens, part), other, atol=atol, err_msg=f"{name} {part}")


@with_bitsandbytes
@pytest.mark.parametrize("adapted", [False, True], ids=["bare", "adapted"])
def test_an_nf4_student_has_the_measurements_of_the_weights_that_it_stands_for(
    wide: str, make_pool: MakePool, tmp_path: Path, adapted: bool
) -> None:
    base = student.load(student.Student(base=wide, quantise="nf4"), "cpu")
    pool = make_pool(5)
    adapter = trained(base, tmp_path / "adapter", LORA) if adapted else None
    with student.wearing(base, adapter) as worn:
        found = measure.measure(worn, pool, WANTED)
    with student.wearing(read_out(base), adapter) as worn:
        expected = measure.measure(worn, pool, WANTED)
    assert [one.own and one.own.text for one in found.observations] == [
        one.own and one.own.text for one in expected.observations
    ]
    assert set(found.arrays) >= {"embedding", "gradient"}
    close(found, expected, 2e-4)


@with_bitsandbytes
def test_an_int8_student_is_measured_by_all_that_measures(wide: str, make_pool: MakePool) -> None:
    """It rounds what it multiplies, so that batches of another shape give other decimals."""
    base = student.load(student.Student(base=wide, quantise="int8"), "cpu")
    exact = student.load(student.Student(base=wide), "cpu")
    pool = make_pool(5)
    found = measure.measure(base, pool, WANTED)
    assert all(one.own is not None and len(one.samples) == 2 for one in found.observations)
    assert np.isfinite(found.arrays["gradient"]).all()
    for before, here in zip(
        measure.measure(exact, pool, (needs.GOLD,)).observations, found.observations, strict=True
    ):
        assert before.gold is not None
        assert here.gold is not None
        assert here.gold.nll == pytest.approx(before.gold.nll, abs=0.1)


def test_members_that_were_trained_whole_keep_their_own_heads(make_pool: MakePool) -> None:
    """The head of the pocket student is its embeddings, which every member has trained."""
    base = student.load(student.Student(), "cpu")
    pool = make_pool(4)
    rows = list(own(base, measure.measure(base, pool, (needs.OWN,))).values())
    losses: list[list[float]] = []

    def train(examples: Sequence[Example], out: Path, seed: int) -> None:
        folder = trained(base, out, False, lr=1e-3 * (1 + len(losses)))
        with student.wearing(base, folder) as member:
            losses.append([one.nll for one in scorer.score(member, rows)])

    found = measure.measure(base, replace(pool, train=train), needs.joined([needs.ensemble(2, "seed", 4)]))
    np.testing.assert_allclose(found.arrays["ensemble_nll"].T, losses, atol=1e-4)
    assert np.abs(np.diff(np.array(losses), axis=0)).max() > 1e-2
