"""A report tells what the files of a run tell, whatever state the run is in."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asft.errors import DataError
from asft.report import as_json, read_facts, tables, terminal, write
from asft.report.html import page
from asft.report.markdown import markdown
from asft.report.read import read_run
from asft.report.sentences import comparison, curves, headline

Build = Callable[..., Path]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def change(path: Path, alter: Callable[[Any], object]) -> None:
    """Alter a JSON file in place."""
    value = json.loads(path.read_text("utf-8"))
    alter(value)
    path.write_text(json.dumps(value), "utf-8")


def change_rows(path: Path, alter: Callable[[Any], object]) -> None:
    lines = rows(path)
    for line in lines:
        alter(line)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")


# What the figures are


def test_the_headline_counts_what_the_answers_say(run: Path) -> None:
    facts = read_facts(run)
    grades = [[row["grade"] == 1.0 for row in rows(run / f"round-0{n}/evaluate.jsonl")] for n in (0, 3)]
    before, after = map(sum, grades)
    assert facts.before is not None
    assert facts.after is not None
    assert facts.change is not None
    assert (facts.before.right, facts.after.right, facts.after_round) == (before, after, 3)
    assert facts.change.gained == sum(new and not old for old, new in zip(*grades, strict=True))
    assert facts.change.lost == sum(old and not new for old, new in zip(*grades, strict=True))
    assert facts.change.mean == pytest.approx((after - before) / 300)
    assert facts.change.low < facts.change.mean < facts.change.high
    assert facts.notes == ()


def test_answers_are_paired_by_their_item_and_not_by_their_row(copy: Path) -> None:
    expected = read_facts(copy).change
    path = copy / "round-03/evaluate.jsonl"
    path.write_text("\n".join(reversed(path.read_text("utf-8").splitlines())), "utf-8")
    assert read_facts(copy).change == expected


def test_an_item_that_comes_twice_is_paired_in_order(copy: Path) -> None:
    for number in (0, 3):
        path = copy / f"round-0{number}/evaluate.jsonl"
        change_rows(path, lambda row: row.update(example_id="same"))
    found = read_facts(copy)
    assert found.change is not None
    assert found.change.items == 300


def test_test_items_that_only_one_round_has_are_told(copy: Path) -> None:
    path = copy / "round-03/evaluate.jsonl"
    path.write_text("\n".join(path.read_text("utf-8").splitlines()[:290]), "utf-8")
    facts = read_facts(copy)
    assert facts.change is not None
    assert facts.change.items == 290
    assert any("share 290 test items" in note for note in facts.notes)
    # The summary still tells of 300.
    assert any("evaluate.jsonl of" in note for note in facts.notes)


def test_every_draft_of_the_funnel_is_kept_or_lost_for_a_reason(run: Path) -> None:
    for found in read_facts(run).rounds[1:]:
        assert found.funnel is not None
        assert found.funnel.drafts is not None
        assert found.funnel.kept is not None
        assert sum(lost.drafts for lost in found.funnel.lost) == found.dropped
        assert found.funnel.kept + (found.dropped or 0) == found.funnel.drafts


def with_yields(copy: Path) -> None:
    """Two rounds of 100 drafts that came to two filters of one kind."""
    for number, kept in ((1, 60), (2, 50)):
        rest = {"undecided": 2, "dropped": 98 - kept}
        second = {"filter": "agrees", "place": 3, "seen": kept, "kept": kept, "dropped": 0, "undecided": 0}
        first = {"filter": "agrees", "place": 0, "seen": 100, "kept": kept, **rest}
        funnel = {"filters": [first, second], "undecided": {"agrees": {"no votes": 2}}}
        path = copy / f"round-0{number}/summary.json"
        summary = json.loads(path.read_text("utf-8"))
        summary["funnel"].update(funnel)
        path.write_text(json.dumps(summary), "utf-8")


def test_each_filter_tells_its_yield_by_round_and_in_all(copy: Path) -> None:
    with_yields(copy)
    facts = read_facts(copy)
    assert [row.cells for row in tables.yields(facts).rows] == [
        ("1", "agrees (filters.0)", "100", "60", "38", "2", "60.0%"),
        ("1", "agrees (filters.3)", "60", "60", "0", "0", "100.0%"),
        ("2", "agrees (filters.0)", "100", "50", "48", "2", "50.0%"),
        ("2", "agrees (filters.3)", "50", "50", "0", "0", "100.0%"),
    ]
    # 200 came to the first and 110 are kept; those are what came to the second.
    assert [row.cells for row in tables.all_yields(facts).rows] == [
        ("agrees (filters.0)", "200", "110", "86", "4", "55.0%"),
        ("agrees (filters.3)", "110", "110", "0", "0", "100.0%"),
    ]
    assert "Seen  Kept  Dropped  Undecided  Kept of seen\nagrees (filters.0)   200" in terminal(copy)
    assert "<h3>What each filter kept</h3>" in page(facts)
    assert "### What each filter kept" in markdown(facts)


def test_what_a_filter_could_not_tell_stands_apart_from_what_it_dropped(copy: Path) -> None:
    with_yields(copy)
    facts = read_facts(copy)
    assert "agrees, undecided: no votes" in [row.cells[0] for row in tables.funnel(facts).rows]
    funnel = facts.rounds[1].funnel
    assert funnel is not None
    assert [(one.cause, one.drafts) for one in funnel.lost if one.undecided] == [("agrees", 2)]


def test_a_run_that_tells_no_yields_has_no_table_of_them(run: Path) -> None:
    facts = read_facts(run)
    assert "What each filter kept" not in page(facts) + markdown(facts)
    assert "Undecided" not in terminal(run)


def test_every_seed_with_a_score_is_in_one_bin(run: Path) -> None:
    for scores in read_facts(run).scores:
        pool = rows(run / f"round-0{scores.round}/score.jsonl")
        drafts = rows(run / f"round-0{scores.round}/write.jsonl")
        assert scores.unscored == 1
        assert sum(scores.asked) + sum(scores.others) == len(pool) - 1
        assert sum(scores.asked) == len(drafts) - 1  # the seed without a score is among the first


def test_a_seed_that_the_round_came_back_to_counts_once(copy: Path) -> None:
    before = read_facts(copy).scores[0]
    for name in ("select", "write"):
        path = copy / f"round-01/{name}.jsonl"
        again = [row | {"number": row["number"] + 120} for row in rows(path)]
        with path.open("a") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in again)
    assert read_facts(copy).scores[0] == before


def test_a_score_on_an_edge_belongs_to_the_bin_above_and_the_highest_to_the_last(tmp_path: Path) -> None:
    (tmp_path / "round-01").mkdir()
    lines = [{"example_id": str(score), "score": score} for score in (0, 0, 0, 1, 1)]
    (tmp_path / "round-01/score.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    [scores] = read_facts(tmp_path).scores
    assert (scores.edges[0], scores.edges[-1]) == (0, 1)
    assert (scores.others[0], scores.others[-1], sum(scores.others)) == (3, 2, 5)


def test_the_hardest_seeds_are_those_with_the_highest_scores_of_the_last_round(run: Path) -> None:
    facts = read_facts(run)
    picks = rows(run / "round-03/select.jsonl")
    scores = sorted((row["score"] for row in picks if row["score"] is not None), reverse=True)
    assert facts.hard_round == 3
    assert [seed.score for seed in facts.hard_seeds] == scores[: len(facts.hard_seeds)]
    own = {row["example_id"]: row["own"]["text"] for row in rows(run / "round-03/measure.jsonl")}
    assert [seed.own for seed in facts.hard_seeds] == [own[seed.example_id] for seed in facts.hard_seeds]


def test_drafts_stand_beside_the_seed_that_they_were_written_from(run: Path) -> None:
    facts = read_facts(run)
    for draft in facts.samples:
        picks = {row["number"]: row for row in rows(run / f"round-0{draft.round}/select.jsonl")}
        assert draft.seed_prompt == picks[draft.number]["prompt"]
    assert {draft.outcome for draft in facts.samples} == {"kept", "dropped", "no draft"}
    assert all(draft.why for draft in facts.samples if draft.outcome != "kept")


def test_one_filter_that_drops_a_draft_is_enough(copy: Path) -> None:
    verdicts = [
        {"number": 0, "decision": "keep", "filter": "well_formed", "reason": ""},
        {"number": 0, "decision": "drop", "filter": "duplicate", "reason": "seen"},
        {"number": 1, "decision": "undecided", "filter": "agrees", "reason": "no vote"},
    ]
    (copy / "round-01/filter.jsonl").write_text("\n".join(map(json.dumps, verdicts)), "utf-8")
    drafts = [{"number": n, "example": {"prompt": "p", "answer": "1"}, "reason": ""} for n in range(3)]
    (copy / "round-01/write.jsonl").write_text("\n".join(map(json.dumps, drafts)), "utf-8")
    found = {
        draft.number: (draft.outcome, draft.why) for draft in read_facts(copy).samples if draft.round == 1
    }
    assert found == {
        0: ("dropped", "duplicate: seen"),
        1: ("undecided", "agrees: no vote"),
        2: ("no verdict", ""),
    }


def test_changes_by_tag_are_paired_and_corrected_for_the_number_of_values(tmp_path: Path) -> None:
    # Tag "kind": 6 gained of "a" (p = 2/64), 5 gained of "b" (p = 2/32), none of "c" (p = 1).
    # Holm: 3 x 1/32 = 0.09375, then 2 x 1/16 = 0.125, then 1.
    write_two_rounds(tmp_path, {"a": 6, "b": 5, "c": 0})
    [tag] = read_facts(tmp_path).tags
    assert [(one.value, one.p) for one in tag.values] == [("a", 0.09375), ("b", 0.125), ("c", 1.0)]
    first = tag.values[0]
    assert first.change.mean == pytest.approx(0.6)
    assert (first.change.gained, first.change.lost) == (6, 0)
    assert first.change.low < 0.6 < first.change.high
    assert (first.before.right, first.after.right) == (0, 6)


def test_a_tag_with_many_values_is_looked_through_for_those_that_moved(tmp_path: Path) -> None:
    # "up": 10 gained, p = 2/1024; "down": 10 lost, the same; "some": 3 gained, p = 1/4. Holm over 12 values:
    # 12 x 2/1024 = 0.023 for both (the second has 11 x 2/1024, and no less than the first), then 1.
    still = {f"still {n}": 0 for n in range(9)}
    write_two_rounds(tmp_path, {"some": 3, "up": 10, **still, "down": -10})
    facts = read_facts(tmp_path)
    [tag] = facts.tags
    assert {(one.value, one.moved) for one in tag.values[:2]} == {("up", "rose"), ("down", "fell")}
    assert [one.p for one in tag.values[:3]] == [12 * 2 / 1024, 12 * 2 / 1024, 1.0]
    assert tag.values[2].value == "some"
    assert "1 of 12 values of kind fell, 1 rose (Holm, 5%)" in terminal(tmp_path)
    for text in (markdown(facts), page(facts)):
        assert "1 of 12 values of kind fell, 1 rose (Holm, 5%). Shown: the 3 values" in text
        assert "still 8" not in text
    assert "still 8" in as_json(facts)


def test_a_tag_with_few_values_stands_above_all_items(tmp_path: Path) -> None:
    write_two_rounds(tmp_path, {"no": 8, "yes": -1})
    text = markdown(read_facts(tmp_path))
    # 8 of 20 gained and 1 lost: p = 2 x (1 + 9) / 512; of the two values 2 x 2/256 and 1.
    assert "| no | 10 | 0.0% | 80.0% | +80.0 (+50.0 to +100.0) | 8 | 0 | 0.016 | rose |" in text
    assert "| yes | 10 | 100.0% | 90.0% | −10.0 (−30.0 to +0.0) | 0 | 1 | 1.000 | no |" in text
    assert "| **all items** | 20 | 50.0% | 85.0% |" in text
    assert "| 8 | 1 | 0.039 | rose |" in text


def test_the_line_for_the_terminal_has_all_items_and_the_tags(run: Path, tmp_path: Path) -> None:
    write_two_rounds(tmp_path, {"no": 8, "yes": -1})
    assert terminal(tmp_path).splitlines()[-1] == (
        "Change in points since the base student: all items +35.0 (+10.0 to +60.0); "
        "kind no +80.0 (+50.0 to +100.0), yes -10.0 (-30.0 to +0.0)"
    )
    # Six families are neither few enough for a line nor many.
    assert comparison(read_facts(run)).startswith("Change in points since the base student: all items +28.7")
    assert "family" not in comparison(read_facts(run))


def write_two_rounds(path: Path, gained: dict[str, int]) -> None:
    """Ten items of each kind: none right, and so many in round 1; below 0 all right, and so many lost."""
    (path / "run.json").write_text("{}", "utf-8")
    for number in (0, 1):
        folder = path / f"round-0{number}"
        folder.mkdir()
        right = {kind: n * number + (10 if n < 0 else 0) for kind, n in gained.items()}
        lines = [
            {
                "example_id": f"{kind}{n}",
                "grade": float(n < right[kind]),
                "finish": "stop",
                "tags": {"kind": kind},
            }
            for kind in gained
            for n in range(10)
        ]
        (folder / "evaluate.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
        told = {"items": 10 * len(gained), "right": sum(right.values())}
        (folder / "summary.json").write_text(json.dumps({"evaluate": told}), "utf-8")


def test_a_change_that_may_be_chance_is_said_to_show_nothing(tmp_path: Path) -> None:
    write_two_rounds(tmp_path, {"a": 1, "b": 0})
    assert "does not show that training changed anything" in " ".join(headline(read_facts(tmp_path)))


# Cost


def test_cost_is_what_teacher_and_judge_were_paid(run: Path) -> None:
    facts = read_facts(run)
    assert facts.ledger_total is not None
    paid = [row["cost_usd"] for n in (1, 2, 3) for row in ledger(run, n) if row["role"] == "teacher"]
    assert facts.ledger_total.cost_usd == pytest.approx(sum(paid))
    assert facts.rounds[-1].cost_usd_so_far == pytest.approx(sum(paid))
    assert [curve.unit for curve in curves(facts)] == ["examples kept so far", "paid to teacher and judge"]


def ledger(path: Path, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((path / f"round-0{number}/summary.json").read_text())["ledger"]
    return found


def test_an_unknown_cost_is_unknown_in_every_format_and_never_0(build: Build, tmp_path: Path) -> None:
    path = build(tmp_path / "free", price=None)
    facts = read_facts(path)
    assert facts.ledger_total is not None
    assert facts.ledger_total.cost_usd is None
    assert [found.cost_usd_so_far for found in facts.rounds] == [0.0, None, None, None]
    assert curves(facts)[1].unit == "tokens of teacher and judge"
    for text in (terminal(path), markdown(facts), page(facts)):
        assert "unknown" in text
        # Round 0 asked nobody and cost nothing; nothing else has a price.
        assert len(re.findall(r"\$\d", text.replace("\\", ""))) == 1
    assert json.loads(as_json(facts))["rounds"][1]["spent"]["cost_usd"] is None


def test_a_cost_that_is_known_in_part_is_told_as_such(copy: Path) -> None:
    change(copy / "round-02/summary.json", lambda value: value["ledger"][0].update(cost_usd=None))
    facts = read_facts(copy)
    assert facts.ledger_total is not None
    assert facts.ledger_total.cost_usd is None
    assert facts.ledger_total.known_usd > 0
    assert "The part with a known price cost" in markdown(facts)


def test_the_table_for_the_terminal_has_a_line_per_round(run: Path) -> None:
    lines = terminal(run).splitlines()[:5]
    assert lines[0].split() == ["Round", "Kept", "Dropped", "Accuracy", "(95%)", "Tokens", "Cost"]
    assert lines[4].startswith("3 (short)")
    assert lines[1].split()[-4:] == ["to", "48.3)", "0", "$0.00"]
    assert terminal(run).isascii()


# Runs that are not whole


def test_a_run_that_has_only_begun_gives_a_report(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}", "utf-8")
    html = write(tmp_path).html.read_text("utf-8")
    assert "No round has started." in html
    assert "What is missing" in html
    assert terminal(tmp_path).splitlines() == ["Round  Kept  Dropped  Accuracy (95%)  Tokens  Cost"]


@pytest.mark.parametrize("keep", range(6))
def test_a_round_cut_off_after_any_step_is_told_and_shown(copy: Path, keep: int) -> None:
    names = [f"{name}.jsonl" for name in ("measure", "select", "write", "filter", "evaluate")]
    names.append("summary.json")
    for name in names[keep:]:
        (copy / "round-03" / name).unlink()
    facts = read_facts(copy)
    assert any("round 3 is not finished" in note for note in facts.notes)
    assert not facts.rounds[3].finished
    assert facts.after_round == (3 if keep > 4 else 2)
    assert facts.hard_round == (3 if keep > 1 else 2)
    assert "What is missing" in write(copy).html.read_text("utf-8")
    assert "3 (unfinished)" in terminal(copy)


def test_a_round_in_which_every_draft_was_dropped_shows_its_funnel(copy: Path) -> None:
    for number in (2, 3):
        shutil.rmtree(copy / f"round-0{number}")
    (copy / "round-01/evaluate.jsonl").unlink()

    def alter(summary: dict[str, Any]) -> None:
        summary.update(train=None, evaluate=None)
        summary["funnel"].update(kept=0, dropped={"agrees": {"2 of 3 answers differ": 81}}, no_draft={})

    change(copy / "round-01/summary.json", alter)
    html = page(read_facts(copy))
    assert "agrees: 2 of 3 answers differ" in html
    assert "Nothing has been trained yet." in html
    assert any("No round after round 0 is evaluated" in note for note in read_facts(copy).notes)


def test_a_missing_round_makes_what_adds_up_unknown(copy: Path) -> None:
    shutil.rmtree(copy / "round-01")
    facts = read_facts(copy)
    assert "There is no folder for round 1." in facts.notes
    assert [found.kept_so_far for found in facts.rounds] == [0, None, None]


def test_damaged_lines_and_files_are_told_and_the_rest_is_read(copy: Path) -> None:
    with (copy / "round-01/select.jsonl").open("ab") as file:
        file.write(b'{"number": 99, "exam\n[1]\n\xff\xfe\n\n')
    (copy / "recipe.lock.json").write_text('{"rounds": ', "utf-8")
    facts = read_facts(copy)
    assert len(read_run(copy).rounds[1].rows("select")) == 120
    assert any("3 lines (the first is 121)" in note for note in facts.notes)
    assert any("recipe.lock.json is damaged" in note for note in facts.notes)
    assert facts.settings == ()


def test_a_value_of_another_kind_is_as_good_as_none(copy: Path) -> None:
    change_rows(
        copy / "round-01/select.jsonl",
        lambda row: row.update(number=[], score={}, prompt=7, answer=None, example_id=[1]),
    )
    change_rows(copy / "round-01/write.jsonl", lambda row: row.update(number="x", example=3, reason=[]))
    change_rows(copy / "round-01/filter.jsonl", lambda row: row.update(number={}, decision=1, filter=2))
    change_rows(copy / "round-01/measure.jsonl", lambda row: row.update(own="none"))
    change_rows(copy / "round-03/evaluate.jsonl", lambda row: row.update(tags=[], grade=float("nan")))
    keys = ("funnel", "train", "evaluate", "ledger", "seconds")
    change(copy / "round-01/summary.json", lambda value: value.update({key: [3] for key in keys}))
    change(copy / "round-02/summary.json", lambda value: value["evaluate"].update(items=0, right=0))
    write(copy)
    assert any("0 right of 0 items is no accuracy" in note for note in read_facts(copy).notes)


@pytest.mark.parametrize("name", ["absent", "file", "empty"])
def test_a_path_that_is_no_run_is_refused_with_the_next_step(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=rf"{name}.*: give the (one|directory) that `asft run --out DIR` wrote to"
    ):
        write(tmp_path / name)


def test_a_long_text_is_cut_and_says_how_much_is_left_out(copy: Path) -> None:
    change_rows(copy / "round-03/select.jsonl", lambda row: row.update(prompt="a" * 5000))
    assert read_facts(copy).hard_seeds[0].prompt == "a" * 1500 + " … [3,500 more characters]"


def test_what_was_replayed_and_how_validation_went_stand_beside_the_training(copy: Path) -> None:
    assert "Validation loss" not in markdown(read_facts(copy)), "where nothing was held out"
    held = {
        "examples": 40,
        "losses": [[5, 0.9], [10, 0.7], [15, 0.8]],
        "best_step": 10,
        "kept_step": 10,
        "stopped_early": True,
    }
    origins = {"written": 100, "replay": 25}
    change(
        copy / "round-02/summary.json",
        lambda value: value["train"].update(validation=held, origins=origins, examples=125, steps=15),
    )
    facts = read_facts(copy)
    training = facts.rounds[2].training
    assert training is not None
    assert training.validation is not None
    assert training.validation.kept_loss == 0.7
    text = markdown(facts)
    assert "| First loss | Last loss | Validation loss | Kept after step | Ended early | Time |" in text
    assert "| 2 | 125 | 100 written, 25 replay | 15 |" in text
    assert "| 0.700 | 10 | yes |" in text
    shown = write(copy).html.read_text("utf-8")
    assert "100 written, 25 replay" in shown


def test_accuracy_on_what_is_held_out_stands_beside_that_on_the_test_split(copy: Path) -> None:
    assert "Held out" not in markdown(read_facts(copy)), "where the run does not go by it"
    held = {"items": 40, "right": 10, "accuracy": 0.25, "low": 0.1419, "high": 0.4019, "loss": 0.7}
    change(copy / "round-01/summary.json", lambda value: value.update(validation=held))
    change(copy / "round-02/summary.json", lambda value: value.update(validation={"items": 0, "right": 0}))
    facts = read_facts(copy)
    validated = [found.validated for found in facts.rounds]
    assert validated[0] is validated[2] is validated[3] is None
    text = markdown(facts)
    assert "| Cut off | Held out | Tokens | Cost |" in text
    assert "| 25.0% (14.2 to 40.2) |" in text, "Wilson's interval"
    assert "25.0% (14.2 to 40.2)" in write(copy).html.read_text("utf-8")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"losses": "low"},
        {"losses": [3, [1], ["x", 1.0], [2, None], [4, 0.5]], "kept_step": "last", "examples": -1},
        [1],
    ],
)
def test_a_validation_that_is_damaged_is_shown_as_far_as_it_goes(copy: Path, spoilt: Any) -> None:
    change(
        copy / "round-02/summary.json", lambda value: value["train"].update(validation=spoilt, origins=[3])
    )
    training = read_facts(copy).rounds[2].training
    assert training is not None
    assert training.origins == {}
    known = training.validation.losses if training.validation else ()
    assert known == (((4, 0.5),) if "examples" in spoilt else ())
    write(copy)


def test_many_reasons_share_a_row(copy: Path) -> None:
    reasons = {f"reason {n:02d}": 40 - n for n in range(20)}
    for number in (1, 2, 3):
        change(
            copy / f"round-0{number}/summary.json",
            lambda value: value["funnel"].update(dropped={"judge": reasons}, no_draft={}),
        )
    text = markdown(read_facts(copy))
    assert "judge: reason 11" in text
    assert "judge: reason 12" not in text
    # 28 + 27 + ... + 21 drafts are lost for the eight reasons that have no row of their own.
    assert "| judge: other reasons | −196 |" in text


def test_a_tag_with_hardly_an_item_per_value_is_left_out_and_named(copy: Path) -> None:
    for number in (0, 3):
        path = copy / f"round-0{number}/evaluate.jsonl"
        change_rows(path, lambda row: row["tags"].update(id=row["example_id"]))
    facts = read_facts(copy)
    assert [tag.name for tag in facts.tags] == ["family", "steps"]
    assert facts.tags_too_fine == ("id",)
    for text in (markdown(facts), page(facts)):
        assert "Left out, with hardly an item per value: id." in text


def test_a_tag_with_one_value_is_left_out_without_a_word(run: Path) -> None:
    facts = read_facts(run)
    assert "split" not in {*(tag.name for tag in facts.tags), *facts.tags_too_fine}


def test_the_header_names_task_and_student_and_their_sizes(copy: Path) -> None:
    sections = {
        "task": {"use": "pocket", "salt": "A", "seeds": 1},
        "student": {"base": "org/model", "revision": "v2", "batch_size": 250},
    }
    change(copy / "run.json", lambda value: value.update(sections))
    facts = read_facts(copy)
    assert facts.task == "pocket, 240 seeds, 300 test items"
    assert facts.student == "org/model, revision v2"


def test_one_round_alone_still_makes_a_figure(copy: Path) -> None:
    for number in (1, 2, 3):
        shutil.rmtree(copy / f"round-0{number}")
    facts = read_facts(copy)
    assert "whisker" in page(facts)
    assert headline(facts) == ["The base student answers 128 of 300 test items (42.7%) right."]
