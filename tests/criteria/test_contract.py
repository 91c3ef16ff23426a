"""Every built-in criterion keeps the contract of the role."""

from asft import registry
from tests.criteria.contract import CASES, EveryCriterion, make, pool


class TestEveryCriterion(EveryCriterion):
    """All of `CASES`."""


def test_every_built_in_that_scores_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["criterion"]) - {"unscored"}


def test_unscored_has_no_need_and_no_score() -> None:
    assert make("unscored").needs == ()
    assert make("unscored").score(pool([0.5, None, 0.1])) == [None, None, None]
