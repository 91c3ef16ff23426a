"""Statistics of distributions over a vocabulary that is seen one piece at a time.

Of each piece, log-sum-exp and expected logit are taken in float32 and combined in float64: with Z the
log-sum-exp, nll is Z - z[token], and entropy, the mean of Z - z under p, is Z - sum p z.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Read = Callable[[int, int], Tensor]
"""Logits of the vocabulary from one number to another, `[n, c]` float32; the next call may overwrite them."""

GROUPS = 32
"""A piece is searched for its best two in groups: the maximum of each is one pass over memory, where looking
for two at once is ten."""

MOST_KEPT = 2**25
"""So many logits are kept for a second reading: 128 MB."""


def fold(read: Read, target: Tensor, *, vocab: int, piece: int) -> Tensor:
    """nll, entropy and margin, `[3, n]` float64, nats: of each token of `target`, `[n]`, under its own
    distribution. The vocabulary is read in pieces of `piece` logits.
    """
    n, device = len(target), target.device
    log_sum = torch.full((n,), -math.inf, dtype=torch.float64, device=device)
    expected = torch.zeros(n, dtype=torch.float64, device=device)
    chosen = torch.zeros(n, 1, device=device)
    best = []
    room = torch.empty(n * min(piece, vocab), device=device)
    for start in range(0, vocab, piece):
        width = min(piece, vocab - start)
        logits = read(start, start + width)
        two = _best_two(logits)
        best.append(two)
        local = (target - start)[:, None]
        found = logits.gather(1, local.clamp(0, width - 1))
        chosen = torch.where((local >= 0) & (local < width), found, chosen)
        # The softmax of torch is one fused pass, twice as fast as exp alone; the sum that it divides by is
        # read off its largest entry, which is 1 / sum.
        p = torch.softmax(logits, -1, out=room[: n * width].view(n, width))
        log_sum_here = two[:, 0].double() - p.amax(-1).double().log()
        expected_here = p.mul_(logits).sum(-1).double()
        together = torch.logaddexp(log_sum, log_sum_here)
        before, here = (log_sum - together).exp(), (log_sum_here - together).exp()
        expected = before * expected + here * expected_here
        log_sum = together
    first, second = _two(torch.cat(best, 1))[:2]
    nll, margin = log_sum - chosen[:, 0].double(), (first - second).double()
    # Rounding must not make what is certain more than certain.
    return torch.stack([nll, log_sum - expected, margin]).clamp(min=0.0)


def log_sums(read: Read, target: Tensor, *, vocab: int, piece: int) -> tuple[Tensor, Tensor, Tensor]:
    """Log-sum-exp of all logits, of all but that of the token, and the token's logit: `[n]` float64 each.

    What is left of the probability beside a token that is all but certain is exact only as a sum of its own.
    """
    others = torch.full((len(target),), -math.inf, dtype=torch.float64, device=target.device)
    chosen = others.clone()
    for start in range(0, vocab, piece):
        logits = read(start, min(start + piece, vocab))
        here, place = placed(target, start, logits.shape[1])
        chosen[here] = logits[here, place].double()
        logits[here, place] = -math.inf
        others = torch.logaddexp(others, logits.logsumexp(-1).double())
    return torch.logaddexp(others, chosen), others, chosen


def again(read: Read, *, n: int, vocab: int, piece: int) -> Read:
    """The same logits of n distributions, for one who reads them twice: made once, where there are few."""
    if n * vocab > MOST_KEPT:
        return read
    pieces = [read(start, min(start + piece, vocab)).clone() for start in range(0, vocab, piece)]
    return lambda start, end: pieces[start // piece].clone()


def placed(target: Tensor, start: int, width: int) -> tuple[Tensor, Tensor]:
    """Which tokens stand in the piece of the vocabulary that begins at `start`, and where in it."""
    local = target - start
    here = ((local >= 0) & (local < width)).nonzero()[:, 0]
    return here, local[here]


def _best_two(logits: Tensor) -> Tensor:
    """The best of each row and the second best, `[n, 2]`."""
    n, width = logits.shape
    size = math.gcd(width, GROUPS)
    grouped = logits.view(n, size, width // size)
    first, of_another, at = _two(grouped.amax(1))
    # The second best stands in the group of the best, or is the best of another.
    home = grouped.gather(2, at[:, None].expand(n, size, 1))[:, :, 0]
    return torch.stack([first, torch.maximum(_two(home)[1], of_another)], 1)


def _two(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row the best and the second best, `[n]`, and where the best is, `[n, 1]`; it is overwritten."""
    first, at = values.max(1, keepdim=True)
    return first[:, 0], values.scatter_(1, at, -math.inf).amax(1), at
