"""Ensembles that are trained, put on in turn, compared and removed."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asft import measure, needs, scorer, student, train
from asft.errors import DataError
from asft.measure import ensemble as module
from asft.measure.rows import own
from asft.types import Example, Measurements
from tests.measure.conftest import MakePool

SFT = {"max_steps": 2, "learning_rate": 3e-2, "warmup_steps": 0}


class Training:
    """Trains as a run does; keeps a copy of each adapter, and uses it the next time."""

    def __init__(self, base: student.Loaded, kept: Path) -> None:
        self.base, self.kept = base, kept
        self.folders: list[Path] = []
        self.seeds: list[int] = []

    def __call__(self, examples: Sequence[Example], out: Path, seed: int) -> None:
        mine = self.kept / f"{seed}"
        if not mine.exists():
            train.train(self.base, examples, mine, seed=seed, sft=SFT, lora={"r": 4})
        shutil.copytree(mine, out)
        self.folders.append(out)
        self.seeds.append(seed)


def measured(
    loaded: student.Loaded, pool: measure.Pool, members: int = 2, vary: Any = "seed", examples: int = 4
) -> Measurements:
    return measure.measure(loaded, pool, needs.joined([needs.ensemble(members, vary, examples)]))


@pytest.fixture
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


def test_losses_are_the_scorer_s_of_the_own_answers_under_each_member(
    pocket: student.Loaded, make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: value.clone() for name, value in pocket.model.state_dict().items()}
    training = Training(pocket, tmp_path)
    whole = measured(pocket, make_pool(5, train=training))
    assert len(training.folders) == 2
    assert not any(folder.exists() for folder in training.folders)
    assert list(before) == list(pocket.model.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in pocket.model.state_dict().items())

    rows, by_member = own(pocket, whole), []
    for seed in training.seeds:
        with student.wearing(pocket, str(tmp_path / f"{seed}")) as member:
            by_member.append([stats.nll for stats in scorer.score(member, list(rows.values()))])
    np.testing.assert_allclose(whole.arrays["ensemble_nll"], np.transpose(by_member), rtol=1e-3, atol=1e-5)
    assert np.abs(np.diff(by_member, axis=0)).max() > 1e-3
    bald = [one.signals["bald"] for one in whole.observations]
    assert all(value is not None and 0 < value < np.log(2) for value in bald)

    # So little room that every answer is a part of its own.
    monkeypatch.setattr(module, "KEPT", 1)
    again = measured(pocket, make_pool(5, train=training))
    np.testing.assert_allclose(
        again.arrays["ensemble_nll"], whole.arrays["ensemble_nll"], rtol=1e-3, atol=1e-5
    )
    assert [one.signals["bald"] for one in again.observations] == pytest.approx(bald, rel=1e-2, abs=1e-6)


class Copying:
    """Takes the place of training where only its arguments matter: the same adapter for all."""

    def __init__(self, adapter: Path) -> None:
        self.adapter = adapter
        self.calls: list[tuple[list[str], int]] = []

    def __call__(self, examples: Sequence[Example], out: Path, seed: int) -> None:
        self.calls.append(([example.id for example in examples], seed))
        out.mkdir()
        for file in self.adapter.iterdir():
            if file.is_file():
                (out / file.name).write_bytes(file.read_bytes())


@pytest.fixture
def copying(pocket: student.Loaded, make_pool: MakePool, tmp_path: Path) -> Copying:
    train.train(pocket, make_pool(2).examples, tmp_path / "a", sft={"max_steps": 1}, lora={"r": 1})
    return Copying(tmp_path / "a")


def test_members_that_are_the_same_agree(
    pocket: student.Loaded, make_pool: MakePool, copying: Copying
) -> None:
    found = measured(pocket, make_pool(3, train=copying), members=3)
    nll = found.arrays["ensemble_nll"]
    assert nll.shape == (3, 3)
    assert (nll == nll[:, :1]).all()
    assert [one.signals["bald"] for one in found.observations] == pytest.approx([0.0] * 3, abs=1e-6)


def test_members_have_seeds_of_their_own_that_the_run_s_seed_decides(
    pocket: student.Loaded, make_pool: MakePool, copying: Copying
) -> None:
    for seed in (1, 1, 2):
        measured(pocket, make_pool(5, train=copying, seed=seed), members=3)
    one, two, three = copying.calls[:3], copying.calls[3:6], copying.calls[6:]
    assert one == two
    assert len({seed for _, seed in one}) == 3
    assert [seed for _, seed in one] != [seed for _, seed in three]
    assert len({tuple(ids) for ids, _ in one}) == 1
    assert len(one[0][0]) == 4


def test_a_bootstrap_draws_as_many_with_replacement_for_each(
    pocket: student.Loaded, make_pool: MakePool, copying: Copying
) -> None:
    measured(pocket, make_pool(6, train=copying), members=3, vary="bootstrap", examples=6)
    drawn = [ids for ids, _ in copying.calls]
    assert [len(ids) for ids in drawn] == [6, 6, 6]
    assert len({tuple(ids) for ids in drawn}) == 3
    assert any(len(set(ids)) < 6 for ids in drawn)


def test_what_was_accepted_is_trained_on_before_any_reference(
    pocket: student.Loaded, make_pool: MakePool, copying: Copying
) -> None:
    accepted = make_pool(12).examples[9:]
    measured(pocket, make_pool(3, train=copying, accepted=accepted))
    assert set(copying.calls[0][0]) == {example.id for example in accepted}


def test_a_place_that_trains_nothing_and_a_pool_without_references_are_told(
    pocket: student.Loaded, make_pool: MakePool, copying: Copying
) -> None:
    with pytest.raises(DataError, match="done in a run only"):
        measured(pocket, make_pool(1))
    pool = make_pool(2, bare=(0, 1), train=copying)
    with pytest.raises(DataError, match="nothing is accepted yet"):
        measured(pocket, replace(pool, accepted=()))
