"""How far several students differ in what they expect, token by token, by an answer that all of them read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asft.scorer.body import Apart, Whole, grouped, run, tile
from asft.scorer.fold import Read, log_sums
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
    device: torch.device
    """Where the head is."""


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
    return [
        Heard(states=states.cpu(), target=target.cpu(), reader=network.reader, device=states.device)
        for states, target, _ in batch.groups(1)
    ]


@torch.inference_mode()
def compare(heard: Sequence[Sequence[Heard]]) -> list[Apartness]:
    """How far the students differ on each answer; `heard` has, for each student, all answers in one order."""
    lengths = [len(one.target) for one in heard[0]]
    found: list[Apartness] = []
    for group in grouped(lengths, TOKENS // len(heard)):
        of_group = [[student[i] for i in group] for student in heard]
        device = of_group[0][0].device
        piece = tile(device).piece
        made = [
            student[0].reader(torch.cat([one.states for one in student]).to(device), piece)
            for student in of_group
        ]
        target = torch.cat([one.target for one in of_group[0]]).to(device)
        nll, bald = apart([read for read, _ in made], target, vocab=made[0][1], piece=piece)
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
    sums = [log_sums(read, target, vocab=vocab, piece=piece) for read in reads]
    nll = torch.stack([log_sum - chosen for log_sum, _, chosen in sums])
    bald = torch.zeros(len(target), dtype=torch.float64, device=target.device)
    for start in range(0, vocab, piece):
        end = min(start + piece, vocab)
        log_p = torch.stack(
            [read(start, end) - s[0].float()[:, None] for read, s in zip(reads, sums, strict=True)]
        )
        mean = log_p.logsumexp(0) - math.log(len(reads))
        bald += (log_p.exp() * (log_p - mean)).sum((0, 2)).double() / len(reads)
    return nll, bald.clamp(min=0.0)
