"""Every built-in criterion keeps the contract of the role."""

from asft import registry
from tests.criteria.contract import CASES, EveryCriterion


class TestEveryCriterion(EveryCriterion):
    """All of `CASES`."""


def test_every_built_in_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["criterion"])
