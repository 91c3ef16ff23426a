"""Criteria of tokens, each formula worked out by hand."""

import math

import numpy as np
import pytest

from asft.errors import PluginError
from asft.types import Answer, Example, Measurements, Observation, TokenArrays, TokenStats
from tests.criteria.contract import make

# A student that gives the tokens of an answer the probabilities 1/2 and 1/8: nll ln 2 and 3 ln 2 nats.
EASY = TokenStats(tokens=2, nll=2 * math.log(2), nll_sum=4 * math.log(2), entropy=0.5)
# A longer answer, 10 tokens at 1/2 each: easier per token, harder in sum.
LONG = TokenStats(tokens=10, nll=math.log(2), nll_sum=10 * math.log(2), entropy=1.5)


def seen(own: TokenStats | None, gold: TokenStats | None = None) -> Measurements:
    answer = Answer(text="", token_ids=(), finish="stop", stats=own)
    return Measurements(
        round=1,
        examples=(Example(id="a", task="t", prompt="a", answer="1"),),
        observations=(Observation(example_id="a", gold=gold, own=answer),),
    )


def chosen(*answers: list[tuple[float, float]]) -> Measurements:
    """Answers whose tokens have these probabilities: of the one chosen, the likeliest, and of the second."""
    tokens = [token for answer in answers for token in answer]
    examples = tuple(Example(id=f"{i}", task="t", prompt=f"{i}", answer="1") for i in range(len(answers)))
    return Measurements(
        round=1,
        examples=examples,
        observations=tuple(Observation(example_id=example.id) for example in examples),
        tokens={
            "own": TokenArrays(
                offsets=np.cumsum([0, *map(len, answers)], dtype=np.int64),
                nll=np.array([-math.log(first) for first, _ in tokens], dtype=np.float32),
                entropy=np.zeros(len(tokens), dtype=np.float32),
                margin=np.array([math.log(first / second) for first, second in tokens], dtype=np.float32),
            )
        },
    )


def test_loss_is_that_of_the_own_answer_per_token() -> None:
    assert make("loss").score(seen(EASY, LONG)) == [pytest.approx(1.3862943611)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"of": "own", "reduce": "mean"}, 1.3862943611),  # 2 ln 2
        ({"of": "own", "reduce": "sum"}, 2.7725887222),  # 4 ln 2
        ({"of": "gold", "reduce": "mean"}, 0.6931471806),  # ln 2
        ({"of": "gold", "reduce": "sum"}, 6.9314718056),  # 10 ln 2
    ],
)
def test_loss_per_token_and_in_all_rank_these_two_answers_differently(
    options: dict[str, object], expected: float
) -> None:
    assert make("loss", options).score(seen(EASY, LONG)) == [pytest.approx(expected)]


def test_entropy_is_that_of_the_answer_it_is_asked_of() -> None:
    assert make("entropy", {"of": "own"}).score(seen(EASY, LONG)) == [0.5]
    assert make("entropy", {"of": "gold"}).score(seen(EASY, LONG)) == [1.5]


def test_an_answer_without_tokens_has_neither_loss_nor_entropy() -> None:
    empty = seen(TokenStats(tokens=0, nll=0.0, nll_sum=0.0, entropy=0.0))
    assert make("loss").score(empty) == [None]
    assert make("loss", {"reduce": "sum"}).score(empty) == [None]
    assert make("entropy").score(empty) == [None]


# An answer with tokens at 0.9 (second 0.1) and 0.5 (second 0.25), and one with a single token at 0.8.
TWO = chosen([(0.9, 0.1), (0.5, 0.25)], [(0.8, 0.05)])


def test_least_confidence_is_what_is_missing_to_a_sure_choice() -> None:
    # (0.1 + 0.5) / 2 and 0.2
    assert make("least_confidence").score(TWO) == [pytest.approx(0.3), pytest.approx(0.2)]


def test_the_worst_token_is_the_least_confident_one() -> None:
    assert make("least_confidence", {"reduce": "worst"}).score(TWO) == [
        pytest.approx(0.5),
        pytest.approx(0.2),
    ]


def test_margin_is_the_log_ratio_of_the_two_likeliest_tokens_with_its_sign_turned() -> None:
    # -(ln 9 + ln 2) / 2 and -ln 16
    assert make("margin").score(TWO) == [pytest.approx(-1.4451858790), pytest.approx(-2.7725887222)]


def test_the_worst_margin_is_the_smallest() -> None:
    # -ln 2 and -ln 16
    assert make("margin", {"reduce": "worst"}).score(TWO) == [
        pytest.approx(-0.6931471806),
        pytest.approx(-2.7725887222),
    ]


@pytest.mark.parametrize("name", ["least_confidence", "margin"])
@pytest.mark.parametrize("reduce", ["mean", "worst"])
def test_an_answer_without_tokens_takes_none_of_its_neighbours(name: str, reduce: str) -> None:
    alone = make(name, {"reduce": reduce}).score(chosen([(0.8, 0.05)]))
    assert make(name, {"reduce": reduce}).score(chosen([], [(0.8, 0.05)], [])) == [None, *alone, None]


def test_confidence_in_almost_sure_tokens_is_told_apart() -> None:
    # In float32 1 - exp(-nll) of 1e-9 would be 0.
    measurements = chosen([(1.0, 0.5)])
    measurements.tokens["own"].nll[0] = 1e-9
    assert make("least_confidence").score(measurements) == [pytest.approx(1e-9)]


def test_an_option_that_is_not_one_of_the_choices_is_refused() -> None:
    with pytest.raises(PluginError, match="of"):
        make("loss", {"of": "golden"})
    with pytest.raises(PluginError, match="reduce"):
        make("margin", {"reduce": "sum"})
