"""What TRL does slowly, done faster: the same steps, but for rounding.

- The examples of a step are sorted by length before they are cut into batches, so that less is padding.
- On a CPU the head is run on the tokens that count alone, and attention to few is made at once (see `loss`).
- On a GPU examples that are laid end to end get the attention that keeps them apart.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from accelerate.data_loader import SeedableRandomSampler
from torch.utils.data import RandomSampler, Sampler

from asft.train.hardware import Hardware
from asft.train.loss import on_answers


@contextmanager
def quick(trainer: Any, hardware: Hardware) -> Iterator[None]:
    """A TRL trainer that is so while it lasts."""
    with ExitStack() as undone:
        plain = trainer._get_train_sampler
        trainer._get_train_sampler = lambda dataset: _sorting(trainer, plain, dataset)
        undone.callback(setattr, trainer, "_get_train_sampler", plain)
        if hardware.device == "cpu":
            undone.enter_context(on_answers(trainer.model, trainer.train_dataset[0]["input_ids"]))
        elif trainer.args.padding_free and hardware.attention is not None:
            undone.enter_context(_attending(trainer.model, hardware.attention))
        yield


def _sorting(trainer: Any, plain: Callable[[Any], Any], dataset: Any) -> Any:
    order = plain(dataset)
    if type(order) is RandomSampler:
        # Accelerate would put this one in its place, and does so in vain where it is wrapped.
        order = SeedableRandomSampler(order.data_source, data_seed=trainer.args.data_seed)
    args = trainer.args
    lengths = [len(ids) for ids in trainer.train_dataset["input_ids"]]
    return ByLength(
        order, lengths, args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    )


class ByLength(Sampler[int]):
    """The order of another sampler, but for that within a step: there the longest come first."""

    def __init__(self, order: Any, lengths: Sequence[int], step: int) -> None:
        self._order, self._lengths, self._step = order, lengths, step

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[int]:
        order = list(self._order)
        for start in range(0, len(order), self._step):
            yield from sorted(order[start : start + self._step], key=lambda i: -self._lengths[i])

    def set_epoch(self, epoch: int) -> None:
        """Passed on to the sampler whose order it is."""
        if hasattr(self._order, "set_epoch"):
            self._order.set_epoch(epoch)


@contextmanager
def _attending(model: Any, attention: str) -> Iterator[None]:
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    before = bare.config._attn_implementation
    bare.set_attn_implementation(attention)
    try:
        yield
    finally:
        bare.set_attn_implementation(before)
