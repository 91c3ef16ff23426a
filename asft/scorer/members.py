"""How far several students differ in what they expect, token by token, by an answer that all of them read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asft.scorer.body import Apart, Whole, grouped, run, tile
from asft.scorer.fold import MOST_KEPT, Read, again, log_sums
from asft.scorer.plan import Row

TOKENS = 2048
"""So many tokens, counted for each student, are compared at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """What one student has made of an answer, up to its last step."""

    states: Tensor
    """What its head reads before each token of the answer, `[t, d]`; on the CPU, as many are kept."""
    target: Tensor
    """The tokens, `[t]`."""
    reader: Callable[[Tensor, int], tuple[Read, int]]
    """Its head, which stays what it is when the student's adapter is taken off."""
    vocab: int
    """How many tokens it knows."""
    device: torch.device
    """Where it is."""


@dataclass(frozen=True, kw_only=True)
class Apartness:
    """How far students differ on one answer."""

    nll: tuple[float, ...]
    """Of each student, mean over the tokens, nats per token."""
    bald: float
    """Mean over the tokens of H(mean p) - mean H(p), nats per token."""


def hear(network: Apart | Whole, rows: Sequence[Row]) -> list[Heard]:
    """What a student makes of each answer of a batch, in the order of its rows."""
    batch = run(network, rows)
    _, vocab = network.reader(batch.states[:1], 1)
    return [
        Heard(
            states=states.cpu(), target=target.cpu(), reader=network.reader, vocab=vocab, device=states.device
        )
        for states, target, _ in batch.groups(1)
    ]


@torch.inference_mode()
def compare(heard: Sequence[Sequence[Heard]]) -> list[Apartness]:
    """How far the students differ on each answer; `heard` has, for each student, all answers in one order."""
    if not heard[0]:
        return []
    lengths = [len(one.target) for one in heard[0]]
    vocab, device = heard[0][0].vocab, heard[0][0].device
    piece = tile(device).piece
    found: list[Apartness] = []
    for group in grouped(lengths, min(TOKENS, MOST_KEPT // vocab) // len(heard)):
        of_group = [[student[i] for i in group] for student in heard]
        reads = [
            student[0].reader(torch.cat([one.states for one in student]).to(device), piece)[0]
            for student in of_group
        ]
        target = torch.cat([one.target for one in of_group[0]]).to(device)
        nll, bald = apart(reads, target, vocab=vocab, piece=piece)
        sizes = [lengths[i] for i in group]
        found += [
            Apartness(nll=tuple(of_each.mean(1).tolist()), bald=of_all.mean().item())
            for of_each, of_all in zip(
                nll.split_with_sizes(sizes, 1), bald.split_with_sizes(sizes), strict=True
            )
        ]
    return found


def apart(reads: Sequence[Read], target: Tensor, *, vocab: int, piece: int) -> tuple[Tensor, Tensor]:
    """nll of each token under each student, `[m, n]`, and H(mean p) - mean H(p), `[n]`; float64, nats.

    The vocabulary is read twice. The second is the mean over students of KL(p || mean p), which is the same
    and no small difference of large numbers.
    """
    kept = len(reads) * len(target)
    reads = [again(read, n=kept, vocab=vocab, piece=piece) for read in reads]
    sums = [log_sums(read, target, vocab=vocab, piece=piece) for read in reads]
    nll = torch.stack([log_sum - chosen for log_sum, _, chosen in sums])
    bald = torch.zeros(len(target), dtype=torch.float64, device=target.device)
    for start in range(0, vocab, piece):
        end = min(start + piece, vocab)
        log_p = torch.stack(
            [read(start, end) - s[0].float()[:, None] for read, s in zip(reads, sums, strict=True)]
        )
        p = log_p.exp()
        # Where all of them are 0 in float32, their products are, too.
        mean = p.mean(0).clamp_(min=torch.finfo(p.dtype).tiny)
        bald += log_p.sub_(mean.log_()).mul_(p).sum((0, 2)).double() / len(reads)
    return nll, bald.clamp(min=0.0)
