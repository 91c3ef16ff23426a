"""Training in several processes: the same examples in each optimiser step as in one process.

Accelerate gives the processes batches in turn, and starts an epoch from its beginning again where the last
round of batches is not full. Instead, rows without anything to learn fill it up.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from asft.errors import DataError

BLANK = 2
"""Tokens of a row without anything to learn."""


def count() -> int:
    """How many processes train together."""
    from torch import distributed

    return int(distributed.get_world_size()) if distributed.is_initialized() else 1


def divided(to_trl: Mapping[str, Any], processes: int) -> dict[str, Any]:
    """Settings of TRL for each of so many processes: an optimiser step has as many examples as in one.

    Raises DataError where they cannot be shared out.
    """
    at_once, turns = to_trl["per_device_train_batch_size"], to_trl.get("gradient_accumulation_steps", 1)
    fewer = math.gcd(turns, processes)
    rest = processes // fewer
    if at_once % rest:
        raise DataError(
            f"train: {at_once} x {turns} examples of a step cannot be shared out among {processes} workers; "
            "give per_device_train_batch_size and gradient_accumulation_steps whose product they divide"
        )
    return {
        **to_trl,
        "per_device_train_batch_size": at_once // rest,
        "gradient_accumulation_steps": turns // fewer,
    }


def evened(trainer: Any) -> int:
    """Have a trainer that is one of several end each epoch, and each evaluation, as one process does.

    Returns the tokens that fill up each epoch, which are in the last of its steps.
    """
    if trainer.args.world_size == 1:
        return 0
    if trainer.eval_dataset is not None:
        _even_evaluations(trainer)
    return 0 if trainer.args.dataloader_drop_last else _even_epochs(trainer)


def _even_epochs(trainer: Any) -> int:
    from accelerate.data_loader import SeedableRandomSampler
    from accelerate.utils import broadcast_object_list
    from torch.utils.data import RandomSampler, Sampler

    rows = len(trainer.train_dataset)
    trainer.train_dataset = _filled(trainer.train_dataset, trainer.args.train_batch_size, trainer)
    blank = range(rows, len(trainer.train_dataset))
    plain = trainer._get_train_sampler

    class Evened(Sampler[int]):
        """Another sampler's order, the same in all processes, and then the rows that fill it up."""

        def __init__(self, order: Any) -> None:
            self._order = order

        def __len__(self) -> int:
            return len(self._order) + len(blank)

        def __iter__(self) -> Iterator[int]:
            order = [list(self._order)]
            broadcast_object_list(order)
            yield from order[0]
            yield from blank

        def set_epoch(self, epoch: int) -> None:
            """Passed on to the sampler whose order it is."""
            if hasattr(self._order, "set_epoch"):
                self._order.set_epoch(epoch)

    def sampler(dataset: Any) -> Any:
        order = plain(dataset.select(range(rows)))
        if type(order) is RandomSampler:
            # Accelerate would put this one in its place, and does so in vain where it is wrapped.
            order = SeedableRandomSampler(order.data_source, data_seed=trainer.args.data_seed)
        return Evened(order)

    trainer._get_train_sampler = sampler
    return len(blank) * BLANK


def _even_evaluations(trainer: Any) -> None:
    rows = len(trainer.eval_dataset)
    trainer.eval_dataset = _filled(trainer.eval_dataset, trainer.args.eval_batch_size, trainer)
    plain = trainer.get_eval_dataloader

    def loader(*given: Any, **more: Any) -> Any:
        made = plain(*given, **more)
        # By this accelerate tells of how many rows the losses count.
        made.dataset.total_dataset_length = rows
        return made

    trainer.get_eval_dataloader = loader


def _filled(rows: Any, at_once: int, trainer: Any) -> Any:
    """Rows that are whole rounds of batches, with blank ones at their end."""
    missing = -len(rows) % (at_once * trainer.args.world_size)
    if not missing:
        return rows
    import datasets

    blank = datasets.Dataset.from_list([_blank(rows[0])] * missing, features=rows.features)
    return datasets.concatenate_datasets([rows, blank])


def _blank(row: Mapping[str, Any]) -> dict[str, Any]:
    """A short row of which no token is trained on."""
    length = len(row["input_ids"])
    short = {
        name: value[:BLANK] if isinstance(value, list) and len(value) == length else value
        for name, value in row.items()
    }
    packed = {"seq_lengths": [BLANK]} if "seq_lengths" in row else {}
    return {**short, "labels": [-100] * BLANK, **packed}
