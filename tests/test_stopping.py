"""When the rounds of a run end early."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from asft import recipe, stopping
from asft.errors import RecipeError
from asft.recipe import PlateauOptions, StopOptions
from asft.report import read_facts
from asft.rundir import read_json, read_jsonl
from tests.test_adapting import BASE, line, write_round
from tests.test_loop import run


def why(accuracies: Sequence[float], **stop: Any) -> str | None:
    return stopping.why(StopOptions(**stop), accuracies)


def test_without_a_section_nothing_stops() -> None:
    assert why([1.0, 1.0, 1.0, 1.0]) is None
    assert not recipe.read(BASE).stop.reads_accuracy


def test_the_target_is_reached_at_it_and_not_below() -> None:
    assert why([0.5, 0.89], target=0.9) is None
    assert why([0.5, 0.9], target=0.9) == (
        "the target is reached: accuracy 0.9 on what is held out, at least 0.9"
    )


def test_only_the_last_round_counts_for_the_target() -> None:
    assert why([0.95, 0.5], target=0.9) is None


def test_a_base_that_is_at_the_target_needs_no_round() -> None:
    assert why([0.95], target=0.9) is not None


def test_a_plateau_compares_the_best_of_the_last_rounds_with_the_best_before() -> None:
    flat = PlateauOptions(rounds=2, least=0.01)
    # The best of the last two is 0.702, and 0.7 before: 0.002 more, and 0.01 was wanted.
    assert why([0.5, 0.7, 0.702, 0.66], plateau=flat) == (
        "a plateau: the best accuracy of the last 2 rounds on what is held out is 0.702, 0.7 before; "
        "a gain of 0.01 was wanted"
    )
    assert why([0.5, 0.7, 0.66, 0.71], plateau=flat) is None
    assert why([0.5, 0.7, 0.71, 0.66], plateau=flat) is None, "one of the two has gained enough"


def test_a_gain_of_just_so_much_is_enough_however_it_is_rounded() -> None:
    assert 0.905 - 0.9 != 0.005
    assert why([0.9, 0.905], plateau=PlateauOptions(rounds=1, least=0.005)) is None
    assert 0.6 - 0.5 < 0.1
    assert why([0.5, 0.6], plateau=PlateauOptions(rounds=1, least=0.1)) is None


def test_there_is_no_plateau_before_there_are_so_many_rounds() -> None:
    flat = PlateauOptions(rounds=2)
    assert why([0.5, 0.5], plateau=flat) is None
    assert why([0.5, 0.5, 0.5], plateau=flat) is not None


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        ({"target": 0.9}, "stop: it goes by the accuracy on what is held out of the pool, and nothing is"),
        ({"target": 90}, "stop: option 'target' = 90: .*less than or equal to 1"),
        ({"plateau": {"round": 2}}, "stop: option 'plateau.round' = 2"),
        ({"plateu": {}}, "stop: unknown option 'plateu', did you mean 'plateau'"),
    ],
)
def test_what_cannot_be_meant_is_refused(stop: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        recipe.read({**BASE, "stop": stop})


def test_a_run_ends_where_it_says_goes_on_with_a_higher_target_and_tells_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    section: dict[str, Any] = {
        "data": {"validation": {"examples": 4, "patience": None}},
        "rounds": 1,
        "per_round": 2,
    }
    done = run(out, **section, stop={"target": 0.01})
    assert [figures["round"] for figures in done] == [0]
    assert len(read_jsonl(out / "round-00" / "validate.jsonl")) == 4
    tested = {row["example_id"] for row in read_jsonl(out / "round-00" / "evaluate.jsonl")}
    assert not tested & {row["example_id"] for row in read_jsonl(out / "round-00" / "validate.jsonl")}
    said = read_json(out / "round-00" / "stopped.json")["why"]
    assert said.startswith("the target is reached: ")
    assert f"The run ends after round 0: {said}." in (tmp_path / "progress.txt").read_text()
    assert f"The run ended after round 0: {said}." in read_facts(out).changes
    done = run(out, **section, stop={"plateau": {"rounds": 1}})
    assert [figures["round"] for figures in done] == [0, 1]
    assert not (out / "round-00" / "stopped.json").exists()
    trained = done[1]["train"]["validation"]
    for figures in done:
        rows = read_jsonl(out / f"round-0{figures['round']}" / "validate.jsonl")
        right = sum(row["grade"] == 1.0 for row in rows)
        told = figures["validation"]
        assert (told["items"], told["right"], told["accuracy"]) == (4, right, right / 4)
        assert told["low"] < told["accuracy"] < told["high"] or right in (0, 4)
    assert "loss" not in done[0]["validation"], "the base was not trained"
    assert [trained["kept_step"], done[1]["validation"]["loss"]] in trained["losses"]
    [mark] = read_json(out / "run.json")["changes"]
    assert mark["extended"] == [
        "stop.plateau was None, now {'rounds': 1, 'least': 0.005}",
        "stop.target was 0.01, now None",
    ]
    assert "The run is extended: stop.plateau was None" in (tmp_path / "progress.txt").read_text()


def test_accuracy_is_right_answers_among_all_that_are_held_out(tmp_path: Path) -> None:
    write_round(tmp_path, 0, grades=[1.0, 0.0, None, 1.0])
    with line(tmp_path, stop={"target": 0.9}) as made:
        assert made.accuracy(0) == 0.5
