"""Several criteria at once, by hand."""

from typing import Any

import pytest

from asft.errors import PluginError
from asft.types import Answer, Example, Measurements, Observation, TokenStats
from tests.criteria.contract import make


def mixture(*parts: tuple[Any, float]) -> Any:
    return make("mixture", {"parts": [{"criterion": one, "weight": weight} for one, weight in parts]})


def pool(*seeds: tuple[float | None, float | None]) -> Measurements:
    """Seeds by the loss on the reference (None: they have none) and the grade of the own answer."""
    examples = tuple(Example(id=f"{i}", task="t", prompt="?", answer="1") for i in range(len(seeds)))

    def stats(nll: float) -> TokenStats:
        return TokenStats(tokens=1, nll=nll, nll_sum=nll, entropy=nll)

    return Measurements(
        round=1,
        examples=examples,
        observations=tuple(
            Observation(
                example_id=example.id,
                gold=None if loss is None else stats(loss),
                own=Answer(text="1", token_ids=(1,), finish="stop", grade=grade, final="1", stats=stats(1.0)),
            )
            for example, (loss, grade) in zip(examples, seeds, strict=True)
        ),
    )


GOLD = {"use": "loss", "of": "gold"}
WRONG = {"use": "incorrect", "ungradable": "none"}


def test_the_score_is_the_weighted_mean_of_ranks_and_ties_share_theirs() -> None:
    # Loss 3.0, 0.1, 0.2 nats: ranks 1, 0, 0.5. Wrong: no, yes, yes; ranks 0, 0.75, 0.75.
    seen = pool((3.0, 1.0), (0.1, 0.0), (0.2, 0.0))
    # Weights 1 and 0.5 of 1.5: (1 + 0)/1.5, (0 + 0.375)/1.5, (0.5 + 0.375)/1.5.
    found = mixture((GOLD, 1.0), (WRONG, 0.5)).score(seen)
    assert found == pytest.approx([2 / 3, 0.25, 0.875 / 1.5], abs=1e-15)


def test_only_the_proportions_of_the_weights_count() -> None:
    seen = pool((3.0, 1.0), (0.1, 0.0), (0.2, 0.0))
    assert mixture((GOLD, 4.0), (WRONG, 2.0)).score(seen) == mixture((GOLD, 1.0), (WRONG, 0.5)).score(seen)


def test_a_seed_that_lacks_a_part_has_no_score_and_the_others_are_ranked_in_that_part_without_it() -> None:
    seen = pool((None, 0.0), (0.1, 0.0), (0.2, 1.0))
    # Loss: ranks -, 0, 1. Wrong: 0.75, 0.75, 0.
    assert mixture((GOLD, 1.0), (WRONG, 1.0)).score(seen) == [None, 0.375, 0.5]


def test_a_part_without_weight_is_not_measured_and_takes_no_score_away() -> None:
    one = mixture((GOLD, 1.0), (WRONG, 0.0))
    assert [need.name for need in one.needs] == ["gold"]
    assert one.score(pool((0.1, None), (0.2, None))) == [0.0, 1.0]


def test_what_two_parts_need_is_needed_once() -> None:
    assert [need.name for need in mixture(("loss", 1.0), ("entropy", 1.0), (GOLD, 1.0)).needs] == [
        "gold",
        "own",
    ]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "at least 1 item"),
        ([{"criterion": "loss", "weight": 0.0}], "all weights are 0"),
        ([{"criterion": "loss", "weight": -1.0}], r"parts\.0\.weight.*greater than or equal to 0"),
        ([{"criterion": "los"}], "there is no criterion 'los'; did you mean 'loss'"),
        ([{"criterion": "loss", "wieght": 1.0}], r"parts\.0\.wieght"),
        (
            [{"criterion": {"use": "incorrect", "k": 4}}, {"criterion": {"use": "disagreement", "k": 8}}],
            "need 'samples'.*give both the same",
        ),
    ],
)
def test_parts_that_cannot_be_meant_are_refused(parts: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(PluginError, match=said):
        make("mixture", {"parts": parts})
