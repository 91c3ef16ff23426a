"""Selectors inside selectors, as a recipe names them, and one after the other."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from asft import recipe
from asft.errors import PluginError
from asft.selectors.nested import part
from asft.types import Measurements, Selector, TokenArrays
from tests.selectors.pools import make, order, pool

LINE = {name: [float(at)] for at, name in enumerate("abcdefgh")}
"""a at 0, b at 1, ..."""
HARD = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
FAR = {"use": "kcenter"}


def test_the_second_orders_what_the_first_finds_pool_by_pool() -> None:
    # Pools a-d and e-h. From the hardest of each, the farthest first; then the lower id.
    selector = make("composition", {"first": "top", "pool": 4, "then": FAR})
    assert order(selector, "abcdefgh", HARD, places=LINE) == "adbc" + "ehfg"


@pytest.mark.parametrize(
    ("size", "n", "expected"),
    [
        ("2x", 2, "adbc" + "ehfg"),
        ("1.5x", 2, "acb" + "dfe" + "gh"),
        ("0.1x", 1, "abcdefgh"),
        (0.5, 1, "adbc" + "ehfg"),
        # A third of 8, rounded up, is 3.
        (0.3, 1, "acb" + "dfe" + "gh"),
        # All 8: the ends, then d before e; f is 2 from d and from h, the others are 1 from the nearest.
        (100, 1, "ahdfbceg"),
    ],
)
def test_the_pool_is_a_multiple_or_a_number_or_a_share(size: object, n: int, expected: str) -> None:
    selector = make("composition", {"first": "top", "pool": size, "then": FAR})
    assert order(selector, "abcdefgh", HARD, places=LINE, n=n) == expected


@pytest.mark.parametrize("size", ["5", "x", "0x", "-1x", 0, -3, 0.0, 1.5, True, "five"])
def test_a_pool_of_no_size_is_refused(size: object) -> None:
    with pytest.raises(PluginError, match="pool"):
        make("composition", {"first": "top", "pool": size, "then": "random"})


def test_the_order_does_not_end_where_the_first_pool_does() -> None:
    selector = make("composition", {"first": "top", "pool": "1x", "then": "random"})
    found = order(selector, "abcdefgh", HARD, n=2)
    assert [set(found[at : at + 2]) for at in range(0, 8, 2)] == [set("ab"), set("cd"), set("ef"), set("gh")]


def test_what_was_accepted_before_is_seen_by_the_second() -> None:
    # Something accepted stands at 0: of the pool a, b, c the farthest from it is c.
    selector = make("composition", {"first": "top", "pool": 3, "then": FAR})
    assert order(selector, "abcdefgh", HARD, places=LINE, accepted=[[0.0]])[:3] == "cba"


def test_a_name_alone_stands_for_its_defaults_and_all_are_written_out() -> None:
    short = make("composition", {"first": "top", "then": {"use": "stratified", "by": "family"}})
    assert short == make(
        "composition",
        {
            "first": {"use": "top", "max_draws": None},
            "then": {"use": "stratified", "by": "family", "within": {"use": "top"}, "floor": 0.0},
        },
    )
    assert json.loads(json.dumps(short.then))["within"] == {"use": "top", "max_draws": None}  # type: ignore[attr-defined]


def test_the_needs_are_those_of_both() -> None:
    selector = make(
        "composition", {"first": "badge", "then": {"use": "stratified", "by": "x", "within": FAR}}
    )
    assert [need.name for need in selector.needs] == ["embedding", "own", "gradient"]


def test_needs_that_contradict_each_other_are_told() -> None:
    with pytest.raises(PluginError, match="need 'embedding', one with"):
        make("composition", {"first": "sparse", "then": {"use": "kcenter", "model": "m"}})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"then": "top"}, "option 'first' is missing"),
        ({"first": "top", "then": "kcentre"}, r"option 'then' = 'kcentre': .*did you mean 'kcenter'"),
        (
            {"first": "top", "then": {"use": "softmax", "temperature": -1}},
            "option 'then'.*'temperature' = -1",
        ),
        ({"first": {"usr": "top"}, "then": "top"}, "option 'first'.*a section with `use`, is wanted"),
        ({"first": ["top"], "then": "top"}, "option 'first'.*is wanted; known: badge, balanced"),
        (
            {"first": "top", "then": {"use": "stratified", "by": "x", "within": "tip"}},
            "option 'then'.*option 'within' = 'tip'.*did you mean 'top'",
        ),
    ],
)
def test_what_is_wrong_within_is_told_under_its_key(options: dict[str, object], problem: str) -> None:
    with pytest.raises(PluginError, match=problem):
        make("composition", options)


def test_a_recipe_keeps_the_names_of_the_selectors_inside() -> None:
    quickstart = Path(__file__).parents[2] / "recipes" / "quickstart.yaml"
    said = "selector={use: composition, first: top, pool: 5x, then: random}"
    reading = recipe.look(quickstart, [said])
    assert reading.problems == ()
    assert reading.parts["settings"]["selector"] == {
        "use": "composition",
        "first": {"use": "top", "max_draws": None},
        "then": {"use": "random", "over": None, "max_draws": None},
        "pool": "5x",
        "max_draws": None,
    }


def test_a_selector_from_a_file_can_stand_inside(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from asft.registry import plugin\n"
        "@plugin\n"
        "class Last:\n"
        '    """By id, from the end."""\n'
        "    needs = ()\n"
        "    def select(self, measurements, scores, n, rng):\n"
        "        return iter(sorted(measurements.examples, key=lambda e: e.id, reverse=True))\n",
        "utf-8",
    )
    selector = make("composition", {"first": f"{path}:Last", "pool": 2, "then": "top"})
    assert order(selector, "abcd", [3.0, 2.0, 1.0, 0.0]) == "cdab"


# The part of the measurements that a selector inside sees


@pytest.fixture
def whole() -> Measurements:
    seen = pool("abc", history={"a": 1}, accepted=[[1.0] * 5, [2.0] * 5, [3.0] * 5])
    values = np.arange(6, dtype=np.float32)
    # a has 2 tokens, b none, c 4.
    ragged = TokenArrays(offsets=np.array([0, 2, 2, 6]), nll=values, entropy=values + 10, margin=values + 20)
    return Measurements(
        round=3,
        examples=seen.examples,
        observations=seen.observations,
        arrays=seen.arrays,
        tokens={"own": ragged},
        history=seen.history,
    )


def test_a_part_holds_what_was_measured_of_its_seeds(whole: Measurements) -> None:
    seen = part(whole, [2, 0])
    assert [example.id for example in seen.examples] == ["c", "a"]
    assert [observation.example_id for observation in seen.observations] == ["c", "a"]
    assert (seen.round, seen.history) == (3, {"a": 1})
    np.testing.assert_array_equal(seen.arrays["embedding"], whole.arrays["embedding"][[2, 0]])
    own = seen.tokens["own"]
    assert own.offsets.tolist() == [0, 4, 6]
    assert own.nll.tolist() == [2.0, 3.0, 4.0, 5.0, 0.0, 1.0]
    assert own.entropy.tolist() == [12.0, 13.0, 14.0, 15.0, 10.0, 11.0]
    assert own.margin[own.of(1)].tolist() == [20.0, 21.0]


def test_arrays_about_something_else_stay_whole(whole: Measurements) -> None:
    # Three accepted and three seeds: the number of rows does not tell which is which.
    assert part(whole, [1]).arrays["accepted_embedding"] is whole.arrays["accepted_embedding"]
    assert list(part(whole, [1]).arrays) == list(whole.arrays)


def test_a_part_without_seeds_has_no_rows(whole: Measurements) -> None:
    seen = part(whole, [])
    assert (len(seen.examples), len(seen.arrays["embedding"])) == (0, 0)
    assert seen.tokens["own"].offsets.tolist() == [0]


def test_an_array_is_not_read_for_a_selector_that_does_not_read_it() -> None:
    class Watched(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            raise AssertionError(f"{name} was read")

    seen = pool("abcd")
    bare = Measurements(
        round=1,
        examples=seen.examples,
        observations=seen.observations,
        arrays=Watched(seen.arrays),  # type: ignore[arg-type]
    )
    selector: Selector = make("composition", {"first": "top", "pool": 2, "then": "random"})
    assert len(list(selector.select(bare, [1.0, 2.0, 3.0, 4.0], 1, random.Random(0)))) == 4
