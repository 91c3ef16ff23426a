from dataclasses import replace
from statistics import mean
from typing import Any

import pytest

from asft.errors import RunError
from asft.study import sentences, tables
from asft.study.facts import Facts
from asft.study.gather import gather
from asft.study.results import Result
from tests.study.results_of import Shares, marks, point, result, row, study


def found(results: list[Result], **more: Any) -> Facts:
    arms = dict.fromkeys(one.arm for one in results)
    seeds = sorted({one.seed for one in results})
    given: dict[str, Any] = {"presets": arms, "seeds": seeds, **more}
    return gather("try", given["presets"], given["seeds"], "static", "examples", 20, results)


SPREAD = (0, 1, -1, 2, -2)
ARMS: dict[str, Shares] = {
    "static": lambda seed: (60, 64 + SPREAD[seed - 1], 70 + SPREAD[seed - 1]),
    "active": lambda seed: (60, 70 + SPREAD[seed - 1], 80 + SPREAD[seed - 1]),
}


def test_an_arm_is_compared_with_the_reference_at_the_end_seed_by_seed_and_item_by_item() -> None:
    static, active = found(study(ARMS)).compared
    assert static.difference is None
    assert active.difference is not None
    assert active.difference.value == pytest.approx(0.10)
    assert active.difference.by_seed == pytest.approx([0.10] * 5)
    # Ten items more of a hundred, the same ten for every seed but for where they begin.
    assert active.by_seed[0][:3] == (1, 10, 0)
    assert active.end.value == pytest.approx(0.80)


def test_the_reference_takes_as_many_times_as_much_to_its_own_accuracy_as_is_read_off_the_lines() -> None:
    active = found(study(ARMS)).compared[1]
    assert active.reach is not None
    # static ends at 70% after 20 examples; active is at 70% after 10.
    assert [active.reach.first, active.reach.second] == pytest.approx([20, 10])
    assert active.reach.ratio == pytest.approx(2.0)
    assert tables.ratio(active.reach).startswith("2.00 times (")


def test_an_arm_that_has_not_come_as_far_is_compared_as_far_as_both_have_come() -> None:
    results = study(ARMS)
    results[5:] = [replace(one, points=one.points[:2]) for one in results[5:]]
    active = found(results).compared[1]
    assert active.difference is not None
    # After ten examples: 70% against 64%.
    assert active.difference.value == pytest.approx(0.06)
    assert active.by_seed[0][:3] == (1, 6, 0)


def test_an_accuracy_that_is_not_reached_has_no_ratio() -> None:
    worse = {**ARMS, "active": lambda seed: (60, 61, 62)}
    active = found(study(worse)).compared[1]
    assert active.reach is not None
    assert active.reach.ratio is None
    assert tables.ratio(active.reach) == "not reached"


def test_every_arm_has_a_curve_against_what_its_run_used_up() -> None:
    charts = {chart.key: chart for chart in found(study(ARMS)).charts}
    assert charts["examples"].lines[0].spent == (0.0, 10.0, 20.0)
    assert charts["tokens"].lines[0].spent == (0.0, 1000.0, 2000.0)
    assert charts["usd"].lines[1].spent == pytest.approx((0.0, 0.1, 0.2))
    assert [one.value for one in charts["examples"].lines[1].accuracy] == pytest.approx([0.6, 0.7, 0.8])


def test_a_round_that_accepts_nothing_leaves_the_budget_as_the_axis() -> None:
    results = study(ARMS)
    results[5:] = [
        replace(one, points=[*one.points[:2], {**one.points[2], "examples": 10}]) for one in results[5:]
    ]
    shown = found(results)
    assert [chart.key for chart in shown.charts] == ["examples", "tokens", "usd"]
    assert shown.charts[0].lines[1].spent == (0.0, 10.0, 10.0)
    active = shown.compared[1]
    assert active.difference is not None
    # As far as both have come: the later student of ten examples, 80%, against 64%.
    assert active.difference.value == pytest.approx(0.16)


def test_an_axis_that_is_not_known_has_no_chart() -> None:
    results = study(ARMS)
    free = [{**row, "cost_usd": None} for row in results[0].points[1]["ledger"]]
    points = [results[0].points[0], {**results[0].points[1], "ledger": free}, results[0].points[2]]
    results[0] = replace(results[0], points=points)
    keys = [chart.key for chart in found(results).charts]
    assert keys == ["examples", "tokens"]


def computing(one: Result, *, measured: str = "previous", **steps: float) -> Result:
    """The same run with a student whose steps take so many FLOPs in each round; evaluating takes 1000."""
    steps = {"evaluate": 1000.0, **steps}
    points = []
    for at in one.points:
        done = steps if at["round"] else ["evaluate"]
        ledger = [row(step, "student", round=at["round"], flops=steps[step]) for step in done]
        points.append({**at, "ledger": ledger})
    points = [{**at, "flops": sum(part["flops"] for part in at["ledger"])} for at in points]
    settings = {**one.settings, "data": {**one.settings["data"], "measured": measured}}
    return replace(one, points=points, settings=settings)


def test_what_all_else_takes_to_the_same_accuracy_is_told_too() -> None:
    results = study(ARMS)
    [tokens, usd] = found(results).reached
    assert [(axis.key, [arm for arm, _ in axis.arms]) for axis in (tokens, usd)] == [
        ("tokens", ["active"]),
        ("usd", ["active"]),
    ]
    assert tokens.arms[0][1].ratio == pytest.approx(2.0)
    # As many examples, with three times the tokens.
    asked = row("write", "teacher", input_tokens=3000, cost_usd=0.1, flops=None)
    dear = [
        replace(one, points=[{**at, "ledger": [asked] if at["round"] else []} for at in one.points])
        for one in results[5:]
    ]
    one = found([*results[:5], *dear])
    assert one.compared[1].reach is not None
    assert one.compared[1].reach.ratio == pytest.approx(2.0)
    assert one.reached[0].arms[0][1].ratio == pytest.approx(2 / 3)
    said = " ".join(sentences.told(one))
    assert "For that, static takes 0.67 times (" in said
    assert ") the tokens of teacher and judge, and 2.00 times (" in said


def test_a_student_that_nobody_looked_at_need_not_have_been_trained() -> None:
    static, active, once = "static", "active", "looks at the base"
    results = [computing(one, train=100.0) for one in study({static: ARMS["static"]})]
    results += [computing(one, train=100.0, measure=50.0) for one in study({active: ARMS["active"]})]
    results += [
        computing(one, train=100.0, measure=50.0, measured="base") for one in study({once: ARMS["active"]})
    ]
    shown = found(results)
    [flops] = [chart for chart in shown.charts if chart.key == "flops"]
    assert {line.arm: line.spent for line in flops.lines} == {
        static: (0.0, 100.0, 100.0),
        active: (0.0, 150.0, 300.0),
        once: (0.0, 150.0, 150.0),
    }
    ratios = dict(next(axis for axis in shown.reached if axis.key == "flops").arms)
    # static ends where the others are after one round.
    assert ratios[active].ratio == pytest.approx(100 / 150)
    assert [one.flops for one in shown.costs] == [2200.0, 2300.0, 2300.0]
    assert "the training of earlier rounds only where the method looks" in " ".join(sentences.method(shown))


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({}, 100.0),
        ({"adapt": [{"key": "per_round", "to": 5, "when": {"round": 2}}]}, 100.0),
        ({"adapt": [{"key": "per_round", "to": 5, "when": {"gain_below": 0.1}}]}, 200.0),
        ({"stop": {"target": 0.9, "plateau": None}}, 200.0),
    ],
)
def test_a_rule_that_reads_accuracy_looks_at_the_students(more: dict[str, Any], end: float) -> None:
    results = [computing(replace(one, settings={**one.settings, **more}), train=100.0) for one in study(ARMS)]
    [flops] = [chart for chart in found(results).charts if chart.key == "flops"]
    assert {line.spent[-1] for line in flops.lines} == {end}


def test_a_run_that_accepted_nothing_is_named() -> None:
    [one] = study({"active": ARMS["active"]}, seeds=1)
    empty = replace(one, points=[{**at, "examples": 0} for at in one.points])
    with pytest.raises(RunError, match="active 1: nothing was accepted"):
        found([*study({"static": ARMS["static"]}), empty])


def test_with_few_seeds_no_p_is_stated() -> None:
    few, enough = found(study(ARMS, seeds=4)), found(study(ARMS))
    assert [tables.compared(shown).rows[1].cells[3] for shown in (few, enough)] == ["\N{EN DASH}", "< 0.001"]


def test_a_student_that_goes_on_needs_all_that_it_was_trained_with() -> None:
    results = []
    for one in study(ARMS):
        data = {**one.settings["data"], "start_from": "previous"}
        results.append(computing(replace(one, settings={**one.settings, "data": data}), train=100.0))
    [flops] = [chart for chart in found(results).charts if chart.key == "flops"]
    assert {line.spent for line in flops.lines} == {(0.0, 100.0, 200.0)}


def test_a_budget_of_flops_counts_all_that_was_computed() -> None:
    results = [computing(one, train=100.0) for one in study(ARMS)]
    arms = dict.fromkeys(ARMS)
    shown = gather("try", arms, range(1, 6), "static", "flops", 2200, results)
    [flops] = [chart for chart in shown.charts if chart.key == "flops"]
    assert {line.spent for line in flops.lines} == {(0.0, 1100.0, 2200.0)}
    assert "as the budget counts them" in " ".join(sentences.method(shown))


def test_p_values_are_adjusted_over_all_arms_that_are_compared() -> None:
    arms = {**ARMS, "other": lambda seed: (60, 66, 71 + SPREAD[-seed])}
    one = found(study(arms)).compared
    assert one[0].p_holm is None
    ps = sorted(c.difference.p for c in one if c.difference)
    assert sorted(c.p_holm for c in one if c.p_holm is not None) == pytest.approx(
        [min(1.0, 2 * ps[0]), min(1.0, max(2 * ps[0], ps[1]))]
    )


def test_costs_are_means_over_runs_and_count_what_was_rejected() -> None:
    active = found(study(ARMS)).costs[1]
    assert (active.drafts, active.kept, active.steps) == (24, 20, 40)
    assert (active.teacher_in, active.teacher_out, active.judge_tokens) == (1200, 600, 200)
    assert active.usd == pytest.approx(0.2)
    assert (active.measured_s, active.trained_s, active.evaluated_s) == (4.0, 10.0, 3.0)
    assert active.flops is None


def test_one_run_on_a_busy_machine_does_not_tell_the_time_of_its_arm() -> None:
    results = study(ARMS)
    late = [{**point, "seconds": {"train": 1e4, "evaluate": 1e4}} for point in results[0].points]
    static = found([replace(results[0], points=late), *results[1:]]).costs[0]
    assert (static.measured_s, static.trained_s, static.evaluated_s) == (4.0, 10.0, 3.0)


def test_runs_without_a_result_are_named() -> None:
    one = found(study(ARMS)[:-1], seeds=[1, 2, 3, 4, 5])
    assert one.missing == ("active 5",)
    assert "Not finished: 1 of 10 runs have no result yet" in " ".join(sentences.told(one))


def test_arms_that_ask_about_the_same_seeds_overlap_wholly() -> None:
    results = study(ARMS)
    other = [f"seed {at}" for at in range(12, 24)]
    results[5:] = [
        replace(one, points=[one.points[0], *({**at, "asked": other} for at in one.points[1:])])
        for one in results[5:]
    ]
    one = found(results)
    assert one.overlap.jaccard[0][0] == 1.0
    assert one.overlap.jaccard[0][1] == 0.0
    assert one.staying["static"] is not None
    assert one.staying["static"][0] == 1.0
    # Two sets of 12 of 50 share 12 * 12 / 50 on average.
    assert one.staying["static"][1] == pytest.approx(0.14, abs=0.02)


def test_seeds_whose_score_tells_that_of_what_was_written_have_fidelity_1() -> None:
    pairs = [(f"seed {at}", at / 10, at / 5) for at in range(10)]
    results = [
        result("static", 1, (60, 64, 70), fidelity=pairs),
        result("active", 1, (60, 70, 80), fidelity=[[seed, asked, 1 - got] for seed, asked, got in pairs]),
    ]
    static, active = found(results).fidelity
    assert static.fidelity.points.rho == pytest.approx(1.0)
    assert active.fidelity.points.rho == pytest.approx(-1.0)


def test_how_well_scores_tell_wrong_from_right_is_the_mean_over_seeds() -> None:
    results = [
        result("static", 1, (60, 64, 70), separation=None),
        *(result("active", seed, (60, 70, 80), separation=share) for seed, share in ((1, 0.9), (2, 0.7))),
    ]
    wrong = result("wrong", 1, (60, 70, 80), separation=1.0)
    # That criterion asks for nothing else.
    results.append(replace(wrong, settings={**wrong.settings, "criterion": {"use": "incorrect"}}))
    shown = found(results)
    [active] = shown.separation
    assert active.arm == "active"
    assert active.rounds == pytest.approx((0.8, 0.8))
    assert tables.separation(shown).rows[0].cells == ("active", "0.80", "0.80")


def test_the_gap_between_groups_is_followed_from_round_to_round() -> None:
    # Of the first 50 items ("low") all are right throughout; of the others 10, 20, then 30.
    [static, _] = found(study({"static": lambda _: (60, 70, 80), "b": lambda _: (60, 70, 80)})).groups
    assert [gap.gap.value for gap in static.gaps] == pytest.approx([0.8, 0.6, 0.4])
    assert {gap.worst for gap in static.gaps} == {"high"}


def test_the_gap_recovered_is_the_share_of_what_real_data_teaches() -> None:
    arms = {**ARMS, "real": lambda seed: (60, 80, 90 + SPREAD[seed - 1])}
    presets = {"static": "static", "active": None, "real": "real-only"}
    one = found(study(arms), presets=presets)
    shares = {closed.arm: closed.recovered.value for closed in one.recovered}
    assert shares == pytest.approx({"static": 1 / 3, "active": 2 / 3})
    [_, active] = one.recovered
    assert active.per_usd is not None
    assert active.per_usd.value == pytest.approx(2 / 3 / 0.2)


def test_what_is_shown_is_said_in_plain_words() -> None:
    said = " ".join(sentences.told(found(study(ARMS))))
    assert "More than chance better than static at the end of the budget, in points: active +10.0" in said
    assert "that it is above 1 is shown" in said


def test_a_score_that_misses_what_is_wrong_and_a_hardness_that_is_lost_are_named() -> None:
    lost = [(f"seed {at}", at / 10, abs(at - 199.5)) for at in range(400)]
    kept = [(f"seed {at}", at / 10, at / 5 + at % 7) for at in range(400)]
    for pairs, separation, count in ((lost, 0.53, 2), (kept, 0.9, 0), (lost, 0.9, 1), (kept, 0.53, 1)):
        results = [
            result("static", 1, (60, 64, 70)),
            result("active", 1, (60, 64, 70), fidelity=pairs, separation=separation),
        ]
        said = " ".join(sentences.told(found(results)))
        assert said.count(" hardly ") == count
        assert ("wrong one first in 53.0% of pairs" in said) == (separation == 0.53)
        assert ("Among the seeds that active chose, the score of one hardly tells" in said) == (pairs is lost)


def test_with_few_seeds_nothing_is_said_to_be_shown_about_others() -> None:
    said = " ".join(sentences.told(found(study(ARMS, seeds=2))))
    assert "With 2 seeds nothing is shown about other seeds" in said
    assert "Points above static at the end of the budget: active +10.0" in said
    assert "chance" not in said
    assert "that it is above 1 is not shown" in said


def test_where_most_seeds_are_still_to_be_run_those_that_are_there_are_few() -> None:
    said = " ".join(sentences.told(found(study(ARMS, seeds=2), seeds=[1, 2, 3, 4, 5])))
    assert "With 2 seeds nothing is shown about other seeds" in said
    assert "that it is above 1 is not shown" in said


def test_an_arm_that_is_as_good_is_not_told_apart() -> None:
    noise = (3, -4, 1, 2, -2)
    arms = {**ARMS, "active": lambda seed: (60, 64, 70 + noise[seed - 1])}
    said = " ".join(sentences.told(found(study(arms))))
    assert "Not told apart from static: active" in said
    assert "More than chance" not in said


def test_an_ungradable_answer_counts_as_not_right() -> None:
    one = result("static", 1, (60, 64, 70))
    last = point(2, "-" * 30 + marks(70)[:70])
    assert mean(c.end.value for c in found([replace(one, points=[*one.points[:2], last])]).compared) == 0.7


def test_the_same_results_give_the_same_facts() -> None:
    assert repr(found(study(ARMS))) == repr(found(study(ARMS)))
