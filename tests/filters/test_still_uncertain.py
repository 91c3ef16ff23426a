"""still_uncertain: scores of drafts against a bar, absolute or a quantile of the pool, by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from asft import needs
from asft.errors import PluginError
from asft.types import (
    Answer,
    Context,
    Draft,
    Example,
    Filter,
    Measured,
    Measurements,
    Observation,
    TokenStats,
    Verdict,
)
from tests.filters.scripts import decided

Make = Callable[..., Filter]


def example(number: int) -> Example:
    return Example.make(task="gsm8k", prompt=f"What is {number}?", answer="42")


def own(entropy: float) -> Answer:
    stats = TokenStats(tokens=2, nll=0.1, nll_sum=0.2, entropy=entropy)
    return Answer(text="#### 1", token_ids=(1,), finish="stop", grade=0.0, stats=stats)


def unsure(entropies: Sequence[float | None]) -> Measurements:
    """Examples of whose answers the student is so unsure."""
    made = tuple(example(number) for number in range(len(entropies)))
    observations = (
        Observation(example_id=one.id, own=None if entropy is None else own(entropy))
        for one, entropy in zip(made, entropies, strict=True)
    )
    return Measurements(round=2, examples=made, observations=tuple(observations))


@pytest.fixture
def find(make: Make, context: Callable[..., Context]) -> Callable[..., Verdict]:
    def find(wave: Sequence[float | None], pool: Sequence[float | None] = (), **options: Any) -> Verdict:
        """On the first of a wave."""
        seen = Measured(wave=unsure(wave), row=0, pool=unsure(pool) if pool else None)
        used = make("still_uncertain", options)
        return decided(used.check(Draft(number=7, example=example(0)), context(), (), seen))

    return find


Find = Callable[..., Verdict]


@pytest.mark.parametrize(
    ("score", "decision", "reason"),
    [
        (0.4, "keep", "still unsure: 0.4, at least 0.3"),
        (0.3, "keep", "still unsure: 0.3, at least 0.3"),
        (0.2999, "drop", "the student is sure: 0.2999, not at least 0.3"),
        (0.0, "drop", "the student is sure: 0, not at least 0.3"),
        (None, "undecided", "no score: what it needs of the draft is not measured"),
        (float("nan"), "undecided", "no score: what it needs of the draft is not measured"),
    ],
)
def test_a_draft_is_kept_from_the_bar_on(find: Find, score: float | None, decision: str, reason: str) -> None:
    verdict = find([score, 9.0], above=0.3)
    assert (verdict.decision, verdict.reason) == (decision, reason)


def test_the_bar_may_be_a_quantile_of_the_scores_of_the_pool(find: Find) -> None:
    # Without the seed that has none: 0.1 0.2 0.4 0.8. The median is 0.3; at 0.9 it is 0.4 + 0.7 x 0.4.
    pool = [0.4, 0.1, None, 0.8, 0.2]
    assert find([0.31], pool, quantile=0.5).decision == "keep"
    assert find([0.29], pool, quantile=0.5).reason == "the student is sure: 0.29, not at least 0.3"
    assert find([0.69], pool, quantile=0.9).decision == "keep"
    assert find([0.67], pool, quantile=0.9).reason.endswith("not at least 0.68")
    assert find([0.1], pool, quantile=0.0).decision == "keep"
    assert find([0.79], pool, quantile=1.0).decision == "drop"


def test_a_pool_without_any_score_gives_no_bar(find: Find) -> None:
    verdict = find([0.5], [None, None], quantile=0.5)
    assert (verdict.decision, verdict.reason) == ("undecided", "no bar: no seed has a score")


def test_a_bar_of_its_own_is_not_moved_by_a_pool_that_another_filter_wants(find: Find) -> None:
    assert find([0.5], [0.9, 0.9], above=0.3).decision == "keep"


def test_it_takes_any_criterion_that_the_student_alone_is_measured_for(make: Make, find: Find) -> None:
    # The greedy answers are wrong.
    assert find([0.0], criterion={"use": "incorrect"}, above=1.0).decision == "keep"
    used = make("still_uncertain", {"criterion": {"use": "loss", "of": "gold"}, "quantile": 0.5})
    assert used.looks.needs == used.looks.pool_needs == (needs.GOLD,)
    assert make("still_uncertain", {"above": 0.1}).looks.pool_needs == ()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "give one of `above`, a score, and `quantile`"),
        ({"above": 0.1, "quantile": 0.5}, "give one of `above`"),
        (
            {"above": 1, "criterion": {"use": "entrop"}},
            "there is no criterion 'entrop'; did you mean 'entropy'",
        ),
        (
            {"above": 1, "criterion": {"use": "entropy", "off": "own"}},
            "criterion 'entropy': unknown option 'off'",
        ),
        ({"above": 1, "criterion": {"of": "own"}}, "or a section with `use`, is wanted"),
        (
            {"above": 1, "criterion": {"use": "judge"}},
            "criterion 'judge' needs more than answers of the student",
        ),
        ({"above": 1, "criterion": {"use": "bald"}}, "of kind 'training'"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Make, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PluginError, match=sentence):
        make("still_uncertain", options)
