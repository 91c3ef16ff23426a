"""embedding_similarity: cosines with the pool, with what was accepted, and with the round, by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from asft.errors import DataError, PluginError
from asft.types import Context, Draft, Example, Filter, Measured, Measurements, Verdict
from tests.filters.scripts import decided

Make = Callable[..., Filter]
Making = Callable[..., Context]

EAST, NORTH, NORTH_EAST = (1.0, 0.0), (0.0, 1.0), (0.6, 0.8)
NONE = (float("nan"), float("nan"))


def example(prompt: str) -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer="42")


def measured(rows: Sequence[Sequence[float]], accepted: Sequence[Sequence[float]] = ()) -> Measurements:
    arrays = {"embedding": rows, "accepted_embedding": accepted or np.zeros((0, 2))}
    return Measurements(
        round=2,
        examples=(),
        observations=(),
        arrays={name: np.array(value, dtype=np.float32) for name, value in arrays.items()},
    )


@pytest.fixture
def find(make: Make, context: Making) -> Callable[..., Verdict]:
    """find(draft, seeds=, earlier=, round=, **options) -> the verdict, where all are given as vectors."""

    def find(
        draft: Sequence[float],
        *,
        seeds: Sequence[Sequence[float]] = (),
        earlier: Sequence[Sequence[float]] = (),
        round: Sequence[Sequence[float]] = (),
        **options: Any,
    ) -> Verdict:
        given = context(
            seeds=[f"seed {i}" for i in range(len(seeds))],
            accepted=[f"earlier {i}" for i in range(len(earlier))],
        )
        wave = measured([*round, draft])
        pool = measured(seeds or np.zeros((0, 2)).tolist(), earlier)
        seen = Measured(
            wave=wave, row=len(round), pool=pool, accepted=[(wave, row) for row in range(len(round))]
        )
        accepted = [example(f"in round {i}") for i in range(len(round))]
        used = make("embedding_similarity", {"threshold": 0.75, **options})
        return decided(used.check(Draft(number=7, example=example("new")), given, accepted, seen))

    return find


Find = Callable[..., Verdict]


def test_a_question_is_dropped_from_the_threshold_on(find: Find) -> None:
    # The cosine of (0.6, 0.8) with east is 0.6, with north 0.8.
    assert find(NORTH_EAST, seeds=[EAST]).decision == "keep"
    verdict = find(NORTH_EAST, seeds=[EAST, NORTH])
    said = f"like a seed: cosine 0.8000 with {example('seed 1').id}"
    assert (verdict.decision, verdict.reason) == ("drop", said)
    assert find(EAST, seeds=[EAST], threshold=1.0).decision == "drop"


def test_it_names_the_likest_of_all_that_it_compares_with(find: Find) -> None:
    both = {"seeds": [NORTH], "round": [NORTH_EAST]}
    assert find(NORTH_EAST, **both).reason.startswith("like one accepted in this round: cosine 1.0000")
    assert find(NORTH, seeds=[NORTH], earlier=[NORTH]).reason.startswith("like a seed")
    earlier = find(NORTH, seeds=[EAST], earlier=[EAST, NORTH])
    assert earlier.reason == (
        f"like one accepted in an earlier round: cosine 1.0000 with {example('earlier 1').id}"
    )


def test_each_source_can_be_left_out(make: Make, context: Making) -> None:
    given = context(seeds=["a"], accepted=["b"])
    wave = measured([NORTH, NORTH])
    seen = Measured(wave=wave, row=1, pool=measured([NORTH], [NORTH]), accepted=[(wave, 0)])
    draft, accepted = Draft(number=0, example=example("new")), [example("c")]
    for left_out in ("pool", "accepted", "round"):
        others = {name: name == left_out for name in ("pool", "accepted", "round")}
        alone = make("embedding_similarity", {"threshold": 0.9, **others})
        phrase = {"pool": "seed", "accepted": "earlier round", "round": "this round"}[left_out]
        assert phrase in decided(alone.check(draft, given, accepted, seen)).reason
    with pytest.raises(PluginError, match="nothing is left to compare with"):
        make("embedding_similarity", {"threshold": 0.9, "pool": False, "accepted": False, "round": False})


def test_waves_are_read_in_the_order_in_which_they_were_accepted(make: Make, context: Making) -> None:
    first, second = measured([EAST, EAST, NORTH]), measured([NORTH_EAST, NORTH])
    rows = [(first, 2), (second, 0), (first, 0)]
    accepted = [example(name) for name in ("north", "north east", "east")]
    used = make("embedding_similarity", {"threshold": 0.9, "pool": False, "accepted": False})
    seen = Measured(wave=second, row=1, pool=None, accepted=rows)
    verdict = decided(used.check(Draft(number=0, example=example("new")), context(), accepted, seen))
    assert verdict.reason == f"like one accepted in this round: cosine 1.0000 with {accepted[0].id}"
    assert not used.looks.pool_needs


def test_a_draft_without_an_embedding_is_undecided_and_a_seed_without_one_is_like_none(find: Find) -> None:
    verdict = find(NONE, seeds=[EAST])
    assert (verdict.decision, verdict.reason.partition(":")[0]) == ("undecided", "no embedding")
    assert find(EAST, seeds=[NONE]).decision == "keep"
    assert find(EAST, seeds=[NONE, EAST]).decision == "drop"


def test_a_pool_of_another_size_or_without_the_array_is_told(make: Make, context: Making) -> None:
    used = make("embedding_similarity", {"threshold": 0.9})
    draft = Draft(number=0, example=example("new"))
    wave = measured([EAST])
    with pytest.raises(DataError, match="has 2 rows for 1 examples"):
        used.check(draft, context(seeds=["a"]), (), Measured(wave=wave, row=0, pool=measured([EAST, EAST])))
    bare = Measurements(round=2, examples=(), observations=())
    with pytest.raises(DataError, match="there is no array 'embedding'; measured: none"):
        used.check(draft, context(seeds=["a"]), (), Measured(wave=bare, row=0, pool=bare))
