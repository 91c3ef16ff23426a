"""What rules of a recipe change from round to round."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asft import adapting, check, origin, recipe, steps
from asft.adapting import Change, Figures
from asft.errors import RecipeError
from asft.journal import Journal
from asft.progress import Progress
from asft.recipe import When
from asft.report import read_facts
from asft.rundir import RunDir, read_json, read_jsonl, write_jsonl
from tests.test_loop import NANO, run

HELD_OUT: dict[str, Any] = {"data": {"validation": {"examples": 4, "patience": None}}}
BASE: dict[str, Any] = {
    **NANO,
    "criterion": {
        "use": "mixture",
        "parts": [{"criterion": "loss"}, {"criterion": {"use": "incorrect"}, "weight": 0.5}],
    },
    "selector": {"use": "softmax", "temperature": 1.0},
    "filters": [{"use": "well_formed"}, {"use": "rouge_l", "threshold": 0.9}],
}


def of(*rules: dict[str, Any], **changed: Any) -> recipe.Recipe:
    return recipe.read({**BASE, **HELD_OUT, "adapt": list(rules), **changed})


def past(*accuracies: float | None, kept: Sequence[float | None] = ()) -> list[Figures]:
    """Rounds by their accuracy; what was kept, of the last ones."""
    shares = [*[None] * (len(accuracies) - len(kept)), *kept]
    return [Figures(accuracy=a, kept=k) for a, k in zip(accuracies, shares, strict=True)]


def refused(rule: Any, **changed: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        recipe.read({**BASE, "adapt": [rule], **changed})
    return str(caught.value)


@contextmanager
def line(folder: Path, **changed: Any) -> Iterator[steps.Line]:
    with RunDir(folder) as where, Journal(folder / "journal.sqlite") as journal:
        yield steps.Line(
            recipe=recipe.read({**BASE, **HELD_OUT, **changed}),
            dir=where,
            journal=journal,
            progress=Progress(io.StringIO()),
            begin=lambda: None,
        )


def write_round(
    run: Path, number: int, *, grades: Sequence[float | None] = (), decisions: Sequence[str] = ()
) -> None:
    """What rules read of a round."""
    folder = run / f"round-{number:02d}"
    folder.mkdir(parents=True)
    write_jsonl(folder / "validate.jsonl", ({"grade": grade} for grade in grades))
    write_jsonl(folder / "filter.jsonl", ({"decision": decision} for decision in decisions))


# What a rule does


def test_a_value_changes_in_its_round_and_stays() -> None:
    rule = {"key": "filters.1.threshold", "to": 0.8, "when": {"round": 2}}
    given = of(rule)
    thresholds = []
    for rounds in (1, 2, 3):
        made, changes = adapting.adapted(given, past(*[0.5] * rounds))
        thresholds.append(made.filters[1].threshold)  # type: ignore[attr-defined]
        assert made.settings["filters"][1]["threshold"] == thresholds[-1]
        assert [change.after for change in changes] == ([0.8] if rounds == 2 else [])
    assert thresholds == [0.9, 0.8, 0.8]


def test_the_recipe_itself_stays_as_it_was() -> None:
    given = of({"key": "filters.1.threshold", "to": 0.8, "when": {"round": 1}})
    adapting.adapted(given, past(0.5))
    assert given.settings["filters"][1]["threshold"] == 0.9


def test_a_change_says_its_key_both_values_its_rule_and_its_cause() -> None:
    given = of(
        {"key": "filters.1.threshold", "to": 0.8, "when": {"round": 9}},
        {"key": "selector.temperature", "times": 0.7, "when": {"gain_below": 0.01}},
    )
    _, [change] = adapting.adapted(given, past(0.5, 0.505))
    assert change == Change(
        key="selector.temperature",
        before=1.0,
        after=0.7,
        rule=1,
        cause="the gain of round 1 was 0.005, below 0.01",
    )
    assert str(change) == (
        "selector.temperature is 0.7, was 1.0, as the gain of round 1 was 0.005, below 0.01 (adapt.1)"
    )


def test_times_and_add_go_on_from_the_value_of_the_round_before_within_their_bounds() -> None:
    given = of(
        {"key": "selector.temperature", "times": 0.7, "least": 0.3, "when": {"after": 1}},
        {"key": "criterion.parts.1.weight", "add": 0.25, "most": 0.8, "when": {"after": 1}},
    )
    found = []
    for rounds in range(1, 6):
        made = adapting.adapted(given, past(*[0.5] * rounds))[0].settings
        found.append((made["selector"]["temperature"], made["criterion"]["parts"][1]["weight"]))
    assert found == [(1.0, 0.5), (0.7, 0.75), (0.49, 0.8), (0.343, 0.8), (0.3, 0.8)]


def test_a_whole_number_stays_one() -> None:
    given = of(
        {"key": "criterion.k", "times": 1.5, "when": {"after": 1}}, criterion={"use": "disagreement", "k": 3}
    )
    made = [adapting.adapted(given, past(*[0.5] * n))[0].settings["criterion"]["k"] for n in (1, 2, 3)]
    # 4.5 and 6: Python rounds a half to the even number.
    assert made == [3, 4, 6]


def test_rules_are_gone_through_in_their_order() -> None:
    given = of(
        {"key": "selector.temperature", "to": 0.5, "when": {"round": 1}},
        {"key": "selector.temperature", "times": 2.0, "when": {"round": 1}},
    )
    made, changes = adapting.adapted(given, past(0.5))
    assert made.settings["selector"]["temperature"] == 1.0
    assert [(change.before, change.after) for change in changes] == [(1.0, 0.5), (0.5, 1.0)]


def test_what_is_as_it_was_is_no_change() -> None:
    given = of({"key": "selector.temperature", "to": 1.0, "when": {"round": 1}})
    assert adapting.adapted(given, past(0.5))[1] == ()


def test_a_whole_section_changes_with_what_has_to_be_measured_for_it() -> None:
    given = of({"key": "criterion", "to": {"use": "loss", "of": "gold"}, "when": {"round": 1}})
    made, [change] = adapting.adapted(given, past(0.5))
    assert [need.name for need in given.needs] == ["own"]
    assert [need.name for need in made.needs] == ["gold"]
    assert change.after == {"use": "loss", "of": "gold", "reduce": "mean"}


def test_the_difficulty_that_prompts_ask_for_changes_and_goes_again() -> None:
    given = of(
        {"key": "writer.difficulty", "to": "one step longer", "when": {"round": 2}},
        {"key": "writer.difficulty", "to": None, "when": {"round": 3}},
    )
    made = [adapting.adapted(given, past(*[0.5] * n))[0].settings["writer"]["difficulty"] for n in (1, 2, 3)]
    assert made == [None, "one step longer", None]


def test_a_value_that_a_rule_comes_to_and_that_cannot_be_is_told_with_the_round() -> None:
    given = of({"key": "filters.1.threshold", "add": 0.08, "when": {"after": 1}})
    adapting.adapted(given, past(0.5, 0.5))
    with pytest.raises(RecipeError, match=r"round 3: adapt\.0, as round 1 is over: filters\.1: .*1\.06"):
        adapting.adapted(given, past(0.5, 0.5, 0.5))


# When it holds


@pytest.mark.parametrize(
    ("when", "rounds", "cause"),
    [
        ({"round": 2}, past(0.5), None),
        ({"round": 1}, past(0.5), "it is round 1"),
        ({"after": 1}, past(0.5), None),
        ({"after": 1}, past(0.5, 0.5, 0.5), "round 1 is over"),
        ({"gain_below": 1.0}, past(0.5), None),
        ({"gain_below": 0.1}, past(0.5, 0.6), None),
        ({"gain_above": 0.09}, past(0.5, 0.6), "the gain of round 1 was 0.1, above 0.09"),
        ({"gain_below": 0.0}, past(0.2, 0.6, 0.5), "the gain of round 2 was -0.1, below 0"),
        ({"gain_below": 1.0}, past(None, None), None),
        ({"accuracy_above": 0.4}, past(0.5), "the accuracy of round 0 was 0.5, above 0.4"),
        ({"accuracy_below": 0.5}, past(0.5), None),
        ({"kept_below": 0.5}, past(0.5, 0.5, kept=[0.25]), "the share kept of round 1 was 0.25, below 0.5"),
        ({"kept_above": 0.2}, past(0.5, 0.5, kept=[0.25]), "the share kept of round 1 was 0.25, above 0.2"),
        ({"kept_below": 0.5}, past(0.5), None),
        ({"kept_below": 0.5}, past(0.5, 0.5, kept=[None]), None),
        ({"after": 1, "kept_above": 0.5}, past(0.5, 0.5, kept=[0.25]), None),
        (
            {"after": 1, "kept_below": 0.5},
            past(0.5, 0.5, kept=[0.25]),
            "round 1 is over and the share kept of round 1 was 0.25, below 0.5",
        ),
    ],
)
def test_a_rule_holds_where_all_its_conditions_do_and_none_is_unknown(
    when: dict[str, Any], rounds: list[Figures], cause: str | None
) -> None:
    assert adapting.holds(When(**when), len(rounds), rounds) == cause


# What cannot be meant


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("selector", "adapt.0 = 'selector': a rule with `key` and `when` is wanted"),
        ({"key": "selector.temperature", "to": 0.5}, "adapt.0: option 'when' is missing"),
        (
            {"key": "selector.temperature", "to": 0.5, "when": {}},
            "adapt.0: option 'when' = {}: a condition is",
        ),
        ({"key": "selector.temperature", "to": 0.5, "when": {"rond": 1}}, "adapt.0: option 'when.rond' = 1"),
        ({"key": "selector.temperature", "when": {"round": 1}}, "adapt.0: what it changes to is missing"),
        (
            {"key": "selector.temperature", "to": 1, "times": 2, "when": {"round": 1}},
            "adapt.0: give one of `to`, `times` and `add`",
        ),
        (
            {"key": "selector.temperature", "to": 1, "least": 2, "when": {"round": 1}},
            "`least` and `most` are for `times` and `add`",
        ),
        (
            {"key": "selector.temprature", "to": 1, "when": {"round": 1}},
            "adapt.0: key = 'selector.temprature': selector has no 'temprature'; did you mean 'temperature'?",
        ),
        (
            {"key": "filters.2.threshold", "to": 1, "when": {"round": 1}},
            "adapt.0: key = 'filters.2.threshold': filters has no '2'; there is 0, 1",
        ),
        (
            {"key": "train.learning_rate", "to": 1, "when": {"round": 1}},
            "adapt.0: key = 'train.learning_rate': a rule changes something within criterion",
        ),
        (
            {"key": "selector.use", "to": "top", "when": {"round": 1}},
            "give the whole section, {key: selector, to: {use: ...}}",
        ),
        (
            {"key": "filters.1.threshold", "to": 7, "when": {"round": 3}},
            "adapt.0: filters.1: option 'threshold' = 7",
        ),
        (
            {"key": "writer.question_prompt", "times": 2, "when": {"round": 3}},
            "adapt.0: writer.question_prompt = 'question' is no number",
        ),
        (
            {"key": "selector.temperature", "times": 2, "when": {"gain_below": 0.1}},
            "adapt.0: it goes by the accuracy on what is held out of the pool, and nothing is",
        ),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_before_the_run(rule: Any, said: str) -> None:
    assert said in refused(rule)


def test_rules_are_a_list() -> None:
    with pytest.raises(RecipeError, match=r"adapt = \{'key': 'a'\}: a list of rules is wanted"):
        recipe.read({**BASE, "adapt": {"key": "a"}})


def test_settings_that_were_put_down_read_as_the_same_rules() -> None:
    given = of(
        {"key": "writer.difficulty", "to": None, "when": {"round": 2}},
        {"key": "selector.temperature", "times": 0.7, "least": 0.1, "when": {"gain_below": 0.01}},
        stop={"target": 0.9, "plateau": {"rounds": 3}},
    )
    again = recipe.read(given.settings)
    assert (again.adapt, again.stop, again.settings) == (given.adapt, given.stop, given.settings)


def test_asft_check_says_what_stops_the_run_and_what_rules_change() -> None:
    given = {
        **BASE,
        **HELD_OUT,
        "stop": {"target": 0.9, "plateau": {}},
        "adapt": [{"key": "selector.temperature", "times": 0.7, "when": {"gain_below": 0.01}}],
    }
    told = check.check(recipe.look_at(given)).splitlines()
    assert "stops     at accuracy 0.9, or at rounds without a gain of 0.005: 2; on what is held out" in told
    assert "adapts    selector.temperature: times 0.7; when gain_below 0.01  (adapt.0)" in told
    assert any(line.startswith("About, ") and "before rules change anything" in line for line in told)


# In a run


def test_figures_come_from_the_files_of_a_round(tmp_path: Path) -> None:
    write_round(tmp_path, 0, grades=[1.0, 0.0])
    write_round(tmp_path, 1, grades=[1.0, None], decisions=["keep", "drop", "undecided", "keep"])
    write_round(tmp_path, 2, grades=[1.0, 1.0], decisions=[])
    with line(tmp_path, stop={"target": 1.0}) as made:
        assert [made.figures(number) for number in range(3)] == past(0.5, 0.5, 1.0, kept=[None, 0.5, None])
    with line(tmp_path) as made:
        assert [made.figures(number).accuracy for number in range(3)] == [None] * 3


def test_lines_of_all_rounds_share_what_is_loaded(tmp_path: Path) -> None:
    write_round(tmp_path, 0)
    with line(tmp_path, adapt=[{"key": "selector.temperature", "to": 0.5, "when": {"round": 1}}]) as made:
        first = made.at(1)
        assert first.recipe.settings["selector"]["temperature"] == 0.5
        assert first.seeds is made.seeds
        assert not made.base_is_loaded
        assert first.base is made.base
        assert made.base_is_loaded


def test_workers_make_a_step_under_the_settings_of_its_round(tmp_path: Path) -> None:
    write_round(tmp_path, 0)
    seen = []
    with line(tmp_path, adapt=[{"key": "selector.temperature", "to": 0.5, "when": {"round": 1}}]) as made:
        heavy = {"measure": lambda line, number: seen.append(line.recipe.settings["selector"]["temperature"])}
        steps.Work(made, heavy).do({"do": "measure", "round": 1})
    assert seen == [0.5]


def test_a_run_that_goes_on_under_other_rules_is_marked_and_tells_it() -> None:
    before, after = (of({"key": "filters.1.threshold", "to": to, "when": {"round": 2}}) for to in (0.8, 0.7))
    about = origin.origin(before, [])
    assert origin.changed(about, before.settings, before) == (None, [])
    mark, [told] = origin.changed(about, before.settings, after)
    assert mark is not None
    assert mark["extended"] == []
    [what] = mark["other"]
    assert what.startswith("adapt was [{'key': 'filters.1.threshold', 'to': 0.8")
    assert told.startswith("The run goes on under other rules (adapt was ")
    assert origin.changed({**about, "changes": [mark]}, after.settings, after) == (None, [])


def test_a_run_puts_changes_down_with_their_causes_and_comes_to_the_same_when_it_goes_on(
    tmp_path: Path,
) -> None:
    rules = [
        {"key": "criterion", "to": {"use": "loss", "of": "gold"}, "when": {"round": 2}},
        {"key": "writer.difficulty", "to": "one step longer", "when": {"accuracy_below": 1.0, "after": 1}},
    ]
    changed = {**HELD_OUT, "adapt": rules, "per_round": 2}
    whole = tmp_path / "whole"
    run(whole, **changed)
    assert not (whole / "round-01" / "adapted.json").exists()
    first, second = read_json(whole / "round-02" / "adapted.json")["changes"]
    assert (first["key"], first["cause"]) == ("criterion", "it is round 2")
    assert second["after"] == "one step longer"
    settings = read_json(whole / "round-02" / "select.manifest.json")["settings"]
    assert settings["criterion"] == {"use": "loss", "of": "gold", "reduce": "mean"}
    measured = {row["example_id"]: row for row in read_jsonl(whole / "round-02" / "measure.jsonl")}
    for row in read_jsonl(whole / "round-02" / "select.jsonl"):
        assert row["score"] == measured[row["example_id"]]["gold"]["nll"]
    assert any(told.startswith("Round 2: writer.difficulty is ") for told in read_facts(whole).changes)

    before = {path: path.stat().st_mtime_ns for path in whole.glob("round-*/*.json*")}
    run(whole, **changed)
    again = {path: path.stat().st_mtime_ns for path in whole.glob("round-*/*.json*")}
    assert {p for p in again if again[p] != before[p]} <= set(whole.glob("round-*/summary.json"))
