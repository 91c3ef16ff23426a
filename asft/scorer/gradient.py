"""The gradient of an answer's loss by the weights of the head: its norm, and a sketch of it.

It is the sum over the answer's tokens of g_t (x) h_t, where h_t is the hidden state that the head receives
and g_t = p_t - y_t, the distribution less the token, times the slope of whatever the model does to its
logits. It has as many entries as the head, and is never made: the vocabulary is read in pieces, twice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asft.scorer.body import Apart, run, tile
from asft.scorer.fold import MOST_KEPT, again, log_sums, placed
from asft.scorer.head import Head
from asft.scorer.plan import Row
from asft.scorer.records import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Gradient:
    """What is kept of the gradient of one answer."""

    norm: float
    """The exact norm over all weights of the head."""
    sketch: Floats
    """`[dims]`: the inner product of two sketches is on average that of the two gradients."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """A tensor sketch (Pham and Pagh 2013) of matrices `[vocab, d]` that are sums of g (x) h.

    A count sketch adds each entry of a vector, with a random sign, to a random one of `dims` sums. The
    circular convolution of those of g and h is a count sketch of g (x) h: entry (v, j) goes to the place that
    those of v and j add up to. All of it is linear. The signs are independent, so the inner product of two
    sketches has that of the two matrices as its mean; its standard deviation is at most sqrt(11 / dims) times
    the product of their norms (Avron, Nguyen and Woodruff 2014).
    """

    dims: int
    vocab: tuple[Tensor, Tensor]
    """Place and sign of each token, `[vocab]`."""
    width: tuple[Tensor, Tensor]
    """Place and sign of each entry of a hidden state, `[d]`."""

    @classmethod
    def of(cls, head: Head, *, dims: int, seed: int) -> "Sketch":
        """The one that a seed stands for, for gradients by the weights of a head."""
        rng = np.random.default_rng([seed, dims])
        device = head.weight.device

        def drawn(size: int) -> tuple[Tensor, Tensor]:
            places, signs = rng.integers(dims, size=size), rng.integers(2, size=size) * 2.0 - 1.0
            return torch.tensor(places, device=device), torch.tensor(
                signs, dtype=torch.float32, device=device
            )

        vocab, width = (drawn(size) for size in head.weight.shape)
        return cls(dims=dims, vocab=vocab, width=width)

    def together(self, counted: Tensor, hidden: Tensor, lengths: Sequence[int]) -> Tensor:
        """From count sketches of g, `[n, dims]`, and from h, `[n, d]`: one of the sum for each answer."""
        places, signs = self.width
        other = torch.zeros_like(counted).index_add_(1, places, hidden * signs)
        waves = torch.fft.rfft(counted) * torch.fft.rfft(other)
        summed = torch.stack([part.sum(0) for part in waves.split_with_sizes(list(lengths))])
        made: Tensor = torch.fft.irfft(summed, n=self.dims)
        return made


def gradients(network: Apart, rows: Sequence[Row], *, dims: int, seed: int) -> list[Gradient]:
    """The gradient of each answer of a batch, in the order of its rows; the sketch in float32."""
    sketch = Sketch.of(network.head, dims=dims, seed=seed)
    batch = run(network, rows)
    found = []
    vocab = len(network.head.weight)
    most = min(tile(batch.states.device).rows, max(1, MOST_KEPT // vocab))
    for states, target, lengths in batch.groups(most):
        found += _of_answers(network, states, target, lengths, sketch)
    return found


def _of_answers(
    network: Apart, states: Tensor, target: Tensor, lengths: list[int], sketch: Sketch
) -> list[Gradient]:
    piece = tile(states.device).piece
    once, vocab = network.reader(states, piece)
    read = again(once, n=len(target), vocab=vocab, piece=piece)
    log_sum, others, _ = log_sums(read, target, vocab=vocab, piece=piece)
    total, beside = log_sum.float()[:, None], (others - log_sum).exp().float()
    places, signs = sketch.vocab
    counted = torch.zeros(len(target), sketch.dims, device=states.device)
    # ||sum_t g_t (x) h_t||^2 = sum over s and t of (g_s . g_t) (h_s . h_t)
    products = [torch.zeros(s, s, dtype=torch.float64, device=states.device) for s in lengths]
    for start in range(0, vocab, piece):
        end = min(start + piece, vocab)
        logits = read(start, end)
        g = (logits - total).exp_()
        here, place = placed(target, start, end - start)
        g[here, place] = -beside[here]
        g *= network.head.slopes(logits)
        for product, part in zip(products, g.split_with_sizes(lengths), strict=True):
            product += part @ part.T
        counted.index_add_(1, places[start:end], g.mul_(signs[start:end]))
    hidden = states.float()
    sketches = sketch.together(counted, hidden, lengths).cpu().numpy()
    norms = [
        math.sqrt(max(0.0, (product * (part @ part.T)).sum().item()))
        for product, part in zip(products, hidden.double().split_with_sizes(lengths), strict=True)
    ]
    return [Gradient(norm=norm, sketch=row) for norm, row in zip(norms, sketches.copy(), strict=True)]
