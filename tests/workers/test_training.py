"""What each of several processes trains on: together what one does."""

from types import SimpleNamespace
from typing import Any

import datasets
import pytest
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

from asft.errors import DataError
from asft.train import devices


def trainer(rows: int, *, at_once: int, processes: int, drop_last: bool = False, **columns: Any) -> Any:
    """As much of TRL's trainer as is looked at."""
    every = {"input_ids": [[7, 8, 9]] * rows, "labels": [[-100, 8, 9]] * rows, **columns}
    return SimpleNamespace(
        args=SimpleNamespace(
            world_size=processes, train_batch_size=at_once, dataloader_drop_last=drop_last, data_seed=None
        ),
        train_dataset=datasets.Dataset.from_dict(every),
        eval_dataset=None,
        _get_train_sampler=SequentialSampler,
    )


@pytest.mark.parametrize(
    ("at_once", "turns", "processes", "divided"),
    [
        (4, 4, 1, (4, 4)),
        (4, 4, 2, (4, 2)),
        (4, 4, 4, (4, 1)),
        (4, 4, 8, (2, 1)),
        (16, 1, 8, (2, 1)),
        (16, 1, 16, (1, 1)),
        (6, 2, 4, (3, 1)),
        (3, 3, 3, (3, 1)),
    ],
)
def test_a_step_has_as_many_examples_as_in_one_process(
    at_once: int, turns: int, processes: int, divided: tuple[int, int]
) -> None:
    given = {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": turns, "seed": 1}
    made = devices.divided(given, processes)
    assert (made["per_device_train_batch_size"], made["gradient_accumulation_steps"]) == divided
    assert divided[0] * divided[1] * processes == at_once * turns
    assert made["seed"] == 1


@pytest.mark.parametrize(("at_once", "turns", "processes"), [(4, 4, 3), (16, 1, 32), (1, 1, 2)])
def test_a_step_that_cannot_be_shared_out_is_refused(at_once: int, turns: int, processes: int) -> None:
    with pytest.raises(DataError, match=f"{at_once} x {turns} examples .* {processes} workers"):
        devices.divided(
            {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": turns}, processes
        )


def test_without_turns_there_is_one() -> None:
    assert devices.divided({"per_device_train_batch_size": 8}, 2)["per_device_train_batch_size"] == 4


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 16])
def test_an_epoch_ends_with_rows_that_teach_nothing(rows: int) -> None:
    made = trainer(rows, at_once=4, processes=2, weight=[1.5] * rows)
    blank = devices.evened(made)
    sampler = made._get_train_sampler(made.train_dataset)
    order = list(sampler)
    assert order[:rows] == list(range(rows))
    assert len(sampler) == len(order) == len(made.train_dataset) == -(-rows // 8) * 8
    for batch in BatchSampler(sampler, 4, drop_last=False):
        assert len(batch) == 4
    for number in order[rows:]:
        row = made.train_dataset[number]
        assert row["input_ids"] == [7, 8]
        assert set(row["labels"]) == {-100}
        assert row["weight"] == 1.5
    assert blank == sum(len(made.train_dataset[number]["input_ids"]) for number in order[rows:])


def test_rows_that_are_packed_stay_so() -> None:
    made = trainer(3, at_once=2, processes=2, seq_lengths=[[2, 1]] * 3)
    devices.evened(made)
    assert made.train_dataset[3] == {"input_ids": [7, 8], "labels": [-100, -100], "seq_lengths": [2]}


def test_an_order_by_chance_is_another_in_each_epoch_and_is_told_again() -> None:
    def orders() -> list[list[int]]:
        made = trainer(30, at_once=4, processes=2)
        made.args.data_seed = 5
        made._get_train_sampler = RandomSampler
        devices.evened(made)
        sampler = made._get_train_sampler(made.train_dataset)
        found = []
        for epoch in (0, 1):
            sampler.set_epoch(epoch)
            found.append(list(sampler))
        return found

    first, second = orders()
    assert sorted(first) == list(range(32))
    assert first[30:] == second[30:] == [30, 31]
    assert first != second
    assert orders() == [first, second]


@pytest.mark.parametrize(("processes", "drop_last"), [(1, False), (2, True)])
def test_nothing_is_added_where_nothing_has_to_be(processes: int, drop_last: bool) -> None:
    made = trainer(7, at_once=4, processes=processes, drop_last=drop_last)
    assert devices.evened(made) == 0
    assert len(made.train_dataset) == 7
    assert made._get_train_sampler is SequentialSampler


def test_an_evaluation_counts_no_row_that_fills_up() -> None:
    made = trainer(4, at_once=4, processes=2)
    made.args.eval_batch_size = 2
    made.eval_dataset = made.train_dataset.select(range(3))
    made.get_eval_dataloader = lambda dataset=None: SimpleNamespace(dataset=made.eval_dataset)
    devices.evened(made)
    loader = made.get_eval_dataloader()
    assert len(loader.dataset) == 4
    assert loader.dataset[3]["labels"] == [-100, -100]
    assert loader.dataset.total_dataset_length == 3
