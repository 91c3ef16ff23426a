"""A model as the scorer runs it, and the statistics of a batch."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from asft.scorer.fold import Read, fold
from asft.scorer.head import Head, alike, find
from asft.scorer.plan import Row
from asft.scorer.records import Floats, Tokens

PROBE_TOKENS = 8
"""On so many tokens a model is tried out."""
MOST_LOGITS = 2**27
"""So many logits are made at once of a model that makes all or none: half a gigabyte."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """How many logits there are at once."""

    rows: int
    """Answer positions."""
    piece: int
    """Of the vocabulary."""


TILES = {"cpu": Tile(rows=1024, piece=2048), "cuda": Tile(rows=2048, piece=8192)}
"""8 MB, which stay in the caches of a CPU; and 64 MB for a GPU, where fewer are computed no faster."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A model taken apart: the head is run on what is asked for, and piece by piece."""

    model: Any
    body: Any
    head: Head
    past: Any = None
    """Keys and values of a prefix that the rows lack, where there is one."""

    @property
    def most_tokens(self) -> int | None:
        """So large may a batch be, where there is a limit besides memory."""
        return None

    def states(self, ids: Tensor) -> Tensor:
        """The body's last states, `[b, s, d]`, where the head is."""
        past = copy.deepcopy(self.past)
        if past is not None:
            past.batch_repeat_interleave(len(ids))
        made = self.body(input_ids=ids, past_key_values=past, use_cache=past is not None)
        states: Tensor = made.last_hidden_state
        return states.to(self.head.weight.device)

    def hidden(self, ids: Tensor) -> Tensor:
        """The same: the last hidden states of all positions, `[b, s, d]`."""
        return self.states(ids)

    def reader(self, states: Tensor, piece: int) -> tuple[Read, int]:
        """What reads the logits of states `[n, d]`, and how many each has."""
        return self.head.reader(states, piece), len(self.head.weight)

    def after(self, prefix: Sequence[int], row: Row) -> "Apart | None":
        """The model when it has read a prefix; tried out on a row that begins with it.

        None for a model that does not go on from there as if it had read the whole at once.
        """
        past = DynamicCache(config=self.model.config)
        if not all(_keeps(layer, len(prefix)) for layer in past.layers):
            return None
        device = self.model.device
        self.body(input_ids=torch.tensor([prefix], device=device), past_key_values=past, use_cache=True)
        if past.get_seq_length() != len(prefix):
            return None
        found = replace(self, past=past)
        begun = torch.tensor([[*row[0], *row[1]][: len(prefix) + PROBE_TOKENS]], device=device)
        whole = self.states(begun)[:, len(prefix) :]
        return found if alike(found.states(begun[:, len(prefix) :]), whole) else None


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A model that gives logits of all positions at once, and does something between body and logits that is
    not known here."""

    model: Any

    @property
    def most_tokens(self) -> int | None:
        """So large may a batch be: all of its logits exist."""
        vocab: int = self.model.config.get_text_config().vocab_size
        return max(1, MOST_LOGITS // vocab)

    def states(self, ids: Tensor) -> Tensor:
        """Logits, `[b, s, vocab]`; tokens that an adapter puts before each row have none."""
        logits: Tensor = self.model(input_ids=ids, use_cache=False).logits
        return logits[:, -ids.shape[1] :]

    def hidden(self, ids: Tensor) -> Tensor:
        """The last hidden states that the model tells of, `[b, s, d]`."""
        states: Tensor = self.model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states[
            -1
        ]
        return states[:, -ids.shape[1] :]

    def reader(self, states: Tensor, piece: int) -> tuple[Read, int]:
        """What reads logits `[n, vocab]`, and how many each position has."""
        # Some models rule tokens out by -inf, which times a probability of 0 is no number.
        least = torch.finfo(torch.float32).min
        return lambda start, end: states[:, start:end].float().clamp(min=least), states.shape[1]

    def after(self, prefix: Sequence[int], row: Row) -> None:
        """A prefix is run with every row."""


def _keeps(layer: Any, length: int) -> bool:
    """Whether a layer of a cache keeps keys and values of so many tokens, and nothing else."""
    if type(layer) is DynamicSlidingWindowLayer:
        return length < layer.sliding_window
    return type(layer) is DynamicLayer


def network(model: Any, row: Row) -> Apart | Whole:
    """A model, taken apart where that can be done; tried out on the first tokens of a row."""
    found = find(model, [*row[0], *row[1]][:PROBE_TOKENS])
    return Whole(model=model) if found is None else Apart(model=model, body=found[0], head=found[1])


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows that were run through a model together."""

    states: Tensor
    """What the head reads at each position, `[b * s, d]`; logits, `[b * s, vocab]`, of a model as a whole."""
    where: Tensor
    """`[n]`: the positions that predict the answers' tokens, one row after the other."""
    target: Tensor
    """`[n]`: these tokens."""
    lengths: list[int]
    """How many of them each row has."""

    def pieces(self, most: int) -> Iterator[tuple[Tensor, Tensor]]:
        """What predicts a token, `[m, d]`, and the token, `[m]`, for at most so many tokens at once."""
        for at, tokens in zip(torch.split(self.where, most), torch.split(self.target, most), strict=True):
            yield self.states[at], tokens

    def groups(self, most: int) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
        """The same, with their lengths, for whole answers: as many as have at most so many tokens, or one."""
        where, target = (all_of.split_with_sizes(self.lengths) for all_of in (self.where, self.target))
        for group in grouped(self.lengths, most):
            at = torch.cat([where[i] for i in group])
            tokens = torch.cat([target[i] for i in group])
            yield self.states[at], tokens, [self.lengths[i] for i in group]


def grouped(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Numbers of neighbours whose lengths add up to `most` at most; one that is longer stands alone."""
    groups: list[list[int]] = []
    room = 0
    for number, length in enumerate(lengths):
        if not groups or length > room:
            groups.append([])
            room = most
        groups[-1].append(number)
        room -= length
    return groups


def run(network: Apart | Whole, rows: Sequence[Row]) -> Batch:
    """Rows, run through a model."""
    ids = padded(network, rows)
    width = ids.shape[1]
    # The state at position t predicts token t + 1.
    begins = [i * width + len(prompt) - 1 for i, (prompt, _) in enumerate(rows)]
    lengths = [len(answer) for _, answer in rows]
    where = [t for b, s in zip(begins, lengths, strict=True) for t in range(b, b + s)]
    states = network.states(ids).flatten(0, 1)
    return Batch(
        states=states,
        where=torch.tensor(where, device=states.device),
        target=torch.tensor([token for _, answer in rows for token in answer], device=states.device),
        lengths=lengths,
    )


def padded(network: Apart | Whole, rows: Sequence[Row]) -> Tensor:
    """All tokens of rows but the last, `[b, s]`."""
    inputs = [[*prompt, *answer][:-1] for prompt, answer in rows]
    width = max(map(len, inputs))
    # A row is filled up with anything at all: no token of it sees what comes later.
    filled = [row + row[-1:] * (width - len(row)) for row in inputs]
    return torch.tensor(filled, device=network.model.device)


def tile(device: torch.device) -> Tile:
    """How many logits there are at once."""
    return TILES.get(device.type, TILES["cuda"])


def statistics(network: Apart | Whole, rows: Sequence[Row]) -> list[Tokens]:
    """Statistics of each answer of a batch, in the order of its rows."""
    batch = run(network, rows)
    most = tile(batch.states.device)
    found = []
    for states, tokens in batch.pieces(most.rows):
        read, vocab = network.reader(states, most.piece)
        found.append(fold(read, tokens, vocab=vocab, piece=most.piece))
    parts = torch.cat(found, 1).float().cpu().split_with_sizes(batch.lengths, 1)
    return [Tokens(nll=nll, entropy=entropy, margin=margin) for nll, entropy, margin in map(_arrays, parts)]


def _arrays(part: Tensor) -> Floats:
    # A copy: a view would keep the whole batch in memory.
    return np.array(part.numpy())
