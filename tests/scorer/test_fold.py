import math

import pytest
import torch
from torch import Tensor

from asft.scorer.fold import fold


def folded(logits: Tensor, target: list[int], piece: int) -> Tensor:
    return fold(
        lambda start, end: logits[:, start:end].contiguous(),
        torch.tensor(target),
        vocab=logits.shape[1],
        piece=piece,
    )


@pytest.mark.parametrize("vocab", [2, 33, 97, 1024])
@pytest.mark.parametrize("piece", [1, 32, 50, 2000])
def test_pieces_of_any_size_give_what_the_whole_gives_in_float64(vocab: int, piece: int) -> None:
    logits = 6 * torch.randn(20, vocab, generator=torch.Generator().manual_seed(vocab))
    target = [(7 * i) % vocab for i in range(20)]
    log_p = torch.log_softmax(logits.double(), -1)
    best = log_p.topk(2).values
    expected = torch.stack(
        [
            -log_p[range(20), target],
            -(log_p.exp() * log_p).sum(-1),
            best[:, 0] - best[:, 1],
        ]
    )
    torch.testing.assert_close(folded(logits, target, piece), expected, atol=2e-5, rtol=0)


def test_a_case_worked_by_hand() -> None:
    # p = 1/2, 1/4, 1/8, 1/8
    logits = torch.tensor([[8.0, 4.0, 2.0, 2.0]]).log()
    found = folded(logits, [2], 3)[:, 0].tolist()
    assert found == pytest.approx([math.log(8), 1.75 * math.log(2), math.log(2)], abs=1e-6)


@pytest.mark.parametrize("piece", [2, 3, 64])
def test_two_tokens_that_are_equally_likely_have_no_margin(piece: int) -> None:
    logits = torch.zeros(3, 64)
    for row, places in enumerate([(0, 1), (3, 40), (31, 63)]):
        logits[row, list(places)] = 5.0
    assert folded(logits, [0, 0, 0], piece)[2].tolist() == [0.0, 0.0, 0.0]


def test_what_all_logits_have_in_common_changes_nothing() -> None:
    logits = 3 * torch.randn(5, 300, generator=torch.Generator().manual_seed(1))
    plain, raised = folded(logits, [1] * 5, 64), folded(logits + 500, [1] * 5, 64)
    # float32 has 3e-5 between neighbours at 500.
    torch.testing.assert_close(raised, plain, atol=3e-4, rtol=0)


def test_a_certain_token_has_no_nll_and_no_entropy_and_never_less() -> None:
    logits = torch.zeros(2, 100)
    logits[0, 50] = 200.0
    logits[1, 50] = 17.0
    found = folded(logits, [50, 50], 32)
    assert found[:2, 0].tolist() == [0.0, 0.0]
    assert found[2, 0].item() == 200.0
    assert (found >= 0).all()
