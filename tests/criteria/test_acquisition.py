"""The weighing of uncertainty, diversity and quality, worked out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import recipe
from asft.criteria.acquisition import ranks
from asft.errors import DataError, PluginError, RecipeError
from asft.types import Measurements
from tests.criteria.contract import make, pool


def placed(
    hardness: list[float | None], points: list[list[float]], accepted: list[list[float]], round: int = 1
) -> Measurements:
    """Seeds with these losses, and questions at these points of the plane, which get unit length."""

    def unit(rows: list[list[float]]) -> Any:
        array = np.array(rows, dtype=np.float32).reshape(-1, 2)
        return array / np.linalg.norm(array, axis=1, keepdims=True)

    whole = pool(hardness, round=round)
    return replace(whole, arrays={"embedding": unit(points), "accepted_embedding": unit(accepted)})


def test_ties_share_the_mean_of_their_ranks() -> None:
    # Places 0, 1 and 2 shared, 3, 4 of 5 seeds with a score.
    assert ranks([7.0, 2.0, None, 2.0, 9.0, 2.0]) == [0.75, 0.25, None, 0.25, 1.0, 0.25]
    assert ranks([5.0]) == [0.5]
    assert ranks([]) == []
    assert ranks([None]) == [None]


@given(st.lists(st.one_of(st.none(), st.floats(-3, 3)), max_size=20))
def test_ranks_keep_the_order_and_have_the_mean_of_a_half(scores: list[float | None]) -> None:
    found = ranks(scores)
    pairs = sorted((s, r) for s, r in zip(scores, found, strict=True) if s is not None and r is not None)
    assert len(pairs) == sum(score is not None for score in scores)
    assert [r for _, r in pairs] == sorted(r for _, r in pairs)
    assert not pairs or sum(r for _, r in pairs) / len(pairs) == pytest.approx(0.5)


# Three questions: two alike on the x axis, one on the y axis. The lone one is the rarest.
POINTS = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def test_before_anything_is_accepted_diversity_is_rarity() -> None:
    # Mean distance to the nearest: 0, 0 and 1, so ranks 1/4, 1/4, 1. Losses rank 1/2, 0, 1.
    criterion = make("acquisition", {"neighbours": 1, "alpha": 2.0, "beta": 1.0})
    assert criterion.score(placed([0.5, 0.1, 0.9], POINTS, [])) == [1.25, 0.25, 3.0]


def test_rarity_is_the_mean_distance_to_the_nearest_neighbours() -> None:
    # Two neighbours: (0 + 1)/2, (0 + 1)/2 and 1; ranks 1/4, 1/4, 1.
    criterion = make("acquisition", {"neighbours": 2, "alpha": 0.0})
    assert criterion.score(placed([0.1, 0.1, 0.1], POINTS, [])) == [0.25, 0.25, 1.0]


def test_a_question_near_one_that_was_accepted_is_less_diverse() -> None:
    # Rarity ranks 1/4, 1/4, 1. Distances to the accepted one on the y axis: 1, 1, 0, ranks 3/4, 3/4, 0.
    criterion = make("acquisition", {"neighbours": 1, "alpha": 0.0})
    assert criterion.score(placed([0.1, 0.1, 0.1], POINTS, [[0.0, 1.0]])) == [0.5, 0.5, 0.5]
    # Accepted on the x axis as well as opposite to it: the lone question is the farthest, and rarest.
    accepted = [[1.0, 0.0], [-1.0, 0.0]]
    assert criterion.score(placed([0.1, 0.1, 0.1], POINTS, accepted)) == [0.25, 0.25, 1.0]


def test_quality_is_weighed_as_it_scores() -> None:
    criterion = make("acquisition", {"beta": 0.0, "quality": "llm_pick", "gamma": 0.5})
    # Both rank as the hardness does: 0, 1/2, 1, by 1 + 0.5.
    assert criterion.score(pool([0.2, 0.4, 0.6])) == [0.0, 0.75, 1.5]


@pytest.mark.parametrize(
    ("round", "expected"),
    [
        (1, [0.0, 1.0]),  # alpha 1, beta 0
        (2, [0.25, 2.25]),  # alpha 2, beta 0.5: 2 x (0, 1) + 0.5 x 1/2
        (3, [0.25, 2.25]),  # the last ones hold
    ],
)
def test_weights_go_by_round_and_the_last_one_holds(round: int, expected: list[float]) -> None:
    criterion = make("acquisition", {"alpha": [1.0, 2.0], "beta": [0.0, 0.5]})
    points = [[1.0, 0.0], [0.0, 1.0]]
    assert criterion.score(placed([0.1, 0.9], points, [], round)) == expected


def test_a_part_that_counts_and_was_not_measured_leaves_no_score() -> None:
    measurements = placed([0.1, None, 0.9], [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [])
    measurements.arrays["embedding"][2] = np.nan
    # The two with a point are each other's neighbours; only the first has a loss, too.
    assert make("acquisition").score(measurements) == [0.0 + 0.5, None, None]
    assert make("acquisition", {"beta": 0.0}).score(measurements) == [0.0, None, 1.0]
    assert make("acquisition", {"alpha": 0.0}).score(measurements) == [0.5, 0.5, None]


def names(options: dict[str, Any]) -> list[str]:
    return [need.name for need in make("acquisition", options).needs]


def test_only_what_counts_in_some_round_is_measured() -> None:
    assert names({}) == ["embedding", "own"]
    assert names({"beta": 0.0}) == ["own"]
    assert names({"beta": [0.0, 1.0]}) == ["embedding", "own"]
    assert names({"alpha": 0.0}) == ["embedding"]
    assert names({"uncertainty": "judge", "quality": "llm_pick", "gamma": 1.0}) == [
        "embedding",
        "own",
        "judge",
        "llm_pick",
    ]


def test_a_model_for_embeddings_is_passed_on() -> None:
    [need, _] = make("acquisition", {"embedding": "some/model"}).needs
    assert need.options == {"model": "some/model"}


def test_parts_that_want_one_measurement_with_other_options_are_told() -> None:
    parts = {
        "uncertainty": {"use": "disagreement", "k": 4},
        "quality": {"use": "answer_entropy", "k": 8},
        "gamma": 1.0,
    }
    with pytest.raises(RecipeError, match="two parts of the recipe need 'samples'"):
        _ = make("acquisition", parts).needs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"uncertainty": {"use": "los"}}, r"option 'uncertainty' = .*did you mean 'loss'"),
        ({"uncertainty": {"use": "loss", "off": "own"}}, r"unknown option 'off', did you mean 'of'"),
        ({"uncertainty": {"of": "own"}}, "a section with `use`, is wanted"),
        ({"gamma": 1.0}, "name a criterion as `quality`"),
        ({"quality": "llm_pick"}, "has no effect where gamma is 0"),
        ({"alpha": [1.0, 0.0], "beta": 0.0}, "all 0 in round 2"),
        ({"alpha": -1.0}, "alpha"),
        ({"beta": []}, "beta"),
    ],
)
def test_options_that_cannot_be_meant_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError, match=said):
        make("acquisition", options)


def test_an_array_of_another_pool_is_told() -> None:
    measurements = placed([0.1, 0.2], POINTS, [])
    with pytest.raises(DataError, match="3 rows for 2 seeds"):
        make("acquisition").score(measurements)


def test_the_lock_has_every_option_of_its_parts() -> None:
    given = recipe.look_at({"criterion": {"use": "acquisition", "uncertainty": "entropy"}})
    assert given.parts["settings"]["criterion"]["uncertainty"] == {"use": "entropy", "of": "own"}
    given = recipe.look_at({"criterion": {"use": "acquisition"}})
    assert given.parts["settings"]["criterion"]["uncertainty"] == {
        "use": "loss",
        "of": "own",
        "reduce": "mean",
    }


def test_blocks_of_a_large_pool_change_nothing() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(1200, 2)).tolist()
    hardness: list[float | None] = [i / 1200 for i in range(1200)]
    measurements = placed(hardness, points, points[:5])
    # Naively, in float64.
    unit = measurements.arrays["embedding"].astype(np.float64)
    near = np.sort(unit @ unit.T - 9 * np.eye(1200), axis=1)[:, -10:]
    rare = ranks([round(1 - value, 6) for value in near.mean(axis=1)])
    new = ranks([round(1 - value, 6) for value in (unit @ unit[:5].T).max(axis=1)])
    score = make("acquisition", {"alpha": 0.0}).score(measurements)
    diversity = ranks(
        [(a + b) / 2 for a, b in zip(rare, new, strict=True) if a is not None and b is not None]
    )
    differences = [
        abs(a - b) for a, b in zip(score, diversity, strict=True) if a is not None and b is not None
    ]
    assert len(differences) == 1200
    # Points within a rounding of each other may change places.
    assert float(np.mean(differences)) < 1e-3
