"""What every criterion promises, and each one's formula worked out by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import registry
from asft.errors import PluginError
from asft.types import Answer, Criterion, Example, Measurements, Observation, TokenStats

CASES = [
    ("loss", {}),
    ("loss", {"of": "gold"}),
    ("loss", {"reduce": "sum"}),
    ("loss", {"of": "gold", "reduce": "sum"}),
    ("entropy", {}),
    ("entropy", {"of": "gold"}),
    ("incorrect", {}),
    ("incorrect", {"ungradable": "none"}),
]

# A student that gives the tokens of an answer the probabilities 1/2 and 1/8: nll ln 2 and 3 ln 2 nats.
EASY = TokenStats(tokens=2, nll=2 * math.log(2), nll_sum=4 * math.log(2), entropy=0.5)
# A longer answer, 10 tokens at 1/2 each: easier per token, harder in sum.
LONG = TokenStats(tokens=10, nll=math.log(2), nll_sum=10 * math.log(2), entropy=1.5)


def make(name: str, options: dict[str, object] | None = None) -> Criterion:
    made = registry.make("criterion", name, options)
    assert isinstance(made, Criterion)
    return made


def answer(grade: float | None = None, stats: TokenStats | None = None, *, cut_off: bool = False) -> Answer:
    return Answer(text="", token_ids=(), finish="length" if cut_off else "stop", grade=grade, stats=stats)


def observed(*observations: Observation) -> Measurements:
    examples = tuple(
        Example(id=observation.example_id, task="t", prompt=observation.example_id, answer="1")
        for observation in observations
    )
    return Measurements(round=1, examples=examples, observations=observations)


def scores_of(name: str, options: dict[str, object], *observations: Observation) -> list[float | None]:
    return make(name, options).score(observed(*observations))


# What every criterion promises


def seen(number: int, *, hard: float) -> Observation:
    """A seed that is harder than another in every way the greater `hard` is."""
    stats = TokenStats(tokens=4, nll=hard, nll_sum=4 * hard, entropy=hard)
    return Observation(
        example_id=f"{number}",
        gold=stats,
        own=answer(max(0.0, 1.0 - hard), stats),
    )


def test_every_built_in_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["criterion"])


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEveryCriterion:
    def test_there_is_one_score_per_seed_in_their_order(self, name: str, options: dict[str, object]) -> None:
        observations = [seen(i, hard=hard) for i, hard in enumerate((0.2, 0.9, 0.4))]
        straight = scores_of(name, options, *observations)
        assert len(straight) == 3
        assert scores_of(name, options, *observations[::-1]) == straight[::-1]

    def test_higher_is_harder(self, name: str, options: dict[str, object]) -> None:
        easy, hard = scores_of(name, options, seen(0, hard=0.25), seen(1, hard=0.75))
        assert easy is not None
        assert hard is not None
        assert easy < hard

    def test_what_was_not_measured_has_no_score(self, name: str, options: dict[str, object]) -> None:
        assert scores_of(name, options, Observation(example_id="a")) == [None]

    def test_one_seed_without_measurements_harms_no_other(
        self, name: str, options: dict[str, object]
    ) -> None:
        alone = scores_of(name, options, seen(1, hard=0.5))
        assert scores_of(name, options, Observation(example_id="a"), seen(1, hard=0.5)) == [None, *alone]

    def test_an_empty_pool_has_no_scores(self, name: str, options: dict[str, object]) -> None:
        assert scores_of(name, options) == []

    def test_only_what_it_needs_is_read(self, name: str, options: dict[str, object]) -> None:
        [need] = make(name, options).needs
        whole = seen(0, hard=0.5)
        other = replace(whole, own=None) if need.name == "gold" else replace(whole, gold=None)
        assert need.name in ("gold", "own")
        assert need.kind == "student"
        assert scores_of(name, options, other) == scores_of(name, options, whole)

    def test_a_measurement_that_is_no_number_gives_no_score(
        self, name: str, options: dict[str, object]
    ) -> None:
        broken = TokenStats(tokens=3, nll=math.nan, nll_sum=math.inf, entropy=math.nan)
        observation = Observation(example_id="a", gold=broken, own=answer(None, broken))
        [score] = scores_of(name, options, observation)
        assert score is None or math.isfinite(score)

    def test_the_same_measurements_give_the_same_scores(self, name: str, options: dict[str, object]) -> None:
        measurements = observed(*(seen(i, hard=i / 7) for i in range(8)))
        criterion = make(name, options)
        assert criterion.score(measurements) == criterion.score(measurements)


# Each one by hand


def test_loss_is_that_of_the_own_answer_per_token() -> None:
    observation = Observation(example_id="a", gold=LONG, own=answer(stats=EASY))
    assert scores_of("loss", {}, observation) == [pytest.approx(1.3862943611)]


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
    observation = Observation(example_id="a", gold=LONG, own=answer(stats=EASY))
    assert scores_of("loss", options, observation) == [pytest.approx(expected)]


def test_entropy_is_that_of_the_answer_it_is_asked_of() -> None:
    observation = Observation(example_id="a", gold=LONG, own=answer(stats=EASY))
    assert scores_of("entropy", {"of": "own"}, observation) == [0.5]
    assert scores_of("entropy", {"of": "gold"}, observation) == [1.5]


def test_an_answer_without_tokens_has_neither_loss_nor_entropy() -> None:
    empty = TokenStats(tokens=0, nll=0.0, nll_sum=0.0, entropy=0.0)
    observation = Observation(example_id="a", own=answer(stats=empty))
    assert scores_of("loss", {}, observation) == [None]
    assert scores_of("loss", {"reduce": "sum"}, observation) == [None]
    assert scores_of("entropy", {}, observation) == [None]


@pytest.mark.parametrize(
    ("answers", "as_wrong", "as_unknown"),
    [
        ([answer(1.0)], 0.0, 0.0),
        ([answer(0.0)], 1.0, 1.0),
        ([answer(1.0), answer(0.0), answer(0.0), answer(1.0)], 0.5, 0.5),
        # An answer that is right by three quarters and one that is wrong: (0.25 + 1) / 2.
        ([answer(0.75), answer(0.0)], 0.625, 0.625),
        # One right, one without a final answer: half wrong, or nothing but right.
        ([answer(1.0), answer(None)], 0.5, 0.0),
        # Cut off: the number that it broke off at may look right.
        ([answer(1.0, cut_off=True), answer(1.0)], 0.5, 0.0),
        ([answer(None), answer(0.0, cut_off=True)], 1.0, None),
        ([], None, None),
    ],
)
def test_incorrect_is_the_share_of_wrong_answers(
    answers: list[Answer], as_wrong: float | None, as_unknown: float | None
) -> None:
    observation = Observation(example_id="a", samples=tuple(answers))
    assert scores_of("incorrect", {"k": 4}, observation) == [as_wrong]
    assert scores_of("incorrect", {"k": 4, "ungradable": "none"}, observation) == [as_unknown]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=9))
def test_incorrect_is_a_share_and_unknown_answers_never_raise_it(grades: list[float | None]) -> None:
    observation = Observation(example_id="a", samples=tuple(answer(grade) for grade in grades))
    [as_wrong] = scores_of("incorrect", {"k": 9}, observation)
    [as_unknown] = scores_of("incorrect", {"k": 9, "ungradable": "none"}, observation)
    assert (as_wrong is None) == (not grades)
    assert as_wrong is None or 0.0 <= as_wrong <= 1.0
    assert as_unknown is None or (as_wrong is not None and as_unknown <= as_wrong + 1e-12)


def test_an_option_that_is_not_one_of_the_choices_is_refused() -> None:
    with pytest.raises(PluginError, match="of"):
        make("loss", {"of": "golden"})
