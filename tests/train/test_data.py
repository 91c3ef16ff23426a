"""What a round is trained on: rows worked out by hand from the files of three small rounds."""

import io
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asft import loop, recipe, steps
from asft.errors import RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.recipe import WeightOptions
from asft.rundir import RunDir, digest, read_json, read_jsonl, write_json, write_jsonl
from asft.steps import data
from asft.types import Draft, Example, Verdict
from tests.test_loop import in_process

PICKED: Mapping[int, Mapping[str, float | None]] = {
    1: {"a": 3.0, "b": 1.0, "c": None},
    2: {"d": 2.0, "a": 0.5},
    3: {"e": 1.0, "b": 4.0, "f": 2.5},
}
"""Round -> the seeds that were drafted from, with their scores."""
DROPPED = {"c1", "f3"}
"""Drafts that no filter keeps; a draft is named by its seed and its round."""
POOL = "abcdefgh"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three rounds up to where they are trained; seed h has no worked answer."""
    lines = [
        {
            "question": f"seed {name}",
            "answer": str(at),
            "worked": None if name == "h" else f"{at} it is.\n#### {at}",
        }
        for at, name in enumerate(POOL)
    ]
    (tmp_path / "seed.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "test.jsonl").write_text('{"question": "A test", "answer": "1", "worked": ""}\n')
    general = [
        {"question": "What is up?", "answer": "1", "worked": "Much.\n#### 1"},
        {"question": "a  TEST", "answer": "1", "worked": "As tested.\n#### 1"},
        {"question": "What is down?", "answer": "2", "worked": "Little.\n#### 2"},
        {"question": "What is aside?", "answer": "3", "worked": ""},
    ]
    (tmp_path / "general.jsonl").write_text("".join(json.dumps(line) + "\n" for line in general))
    seeds = {one.prompt[-1]: one for one in made(tmp_path).task.load("seed")}
    for number, picked in PICKED.items():
        where = tmp_path / "run" / f"round-{number:02d}"
        where.mkdir(parents=True)
        names = [*picked, *(name for name in POOL if name not in picked)]
        scores = {name: picked.get(name, POOL.index(name) / 10) for name in POOL}
        write_jsonl(
            where / "select.jsonl",
            (
                {"number": at, "example_id": seeds[name].id, "score": scores[name]}
                for at, name in enumerate(names)
            ),
        )
        write_jsonl(
            where / "score.jsonl",
            ({"example_id": seeds[name].id, "score": scores[name]} for name in POOL),
        )
        drafts = [
            Draft(number=at, example=written(name, number, seeds[name])) for at, name in enumerate(picked)
        ]
        write_jsonl(where / "write.jsonl", drafts)
        write_jsonl(where / "filter.jsonl", (verdict(draft) for draft in drafts))
        write_json(where / "write.json", {"ending": "done", "filters": []})
    return tmp_path


def written(name: str, number: int, seed: Example) -> Example:
    return Example.make(
        task="qa",
        prompt=f"{name}{number}",
        answer="1",
        completion="One.\n#### 1",
        parents=(seed.id,),
        round=number,
    )


def verdict(draft: Draft) -> Verdict:
    assert draft.example is not None
    keep = draft.example.prompt not in DROPPED
    return Verdict(number=draft.number, decision="keep" if keep else "drop", filter="")


def made(folder: Path, **options: Any) -> recipe.Recipe:
    return recipe.read(
        {
            "seed": 7,
            "per_round": 3,
            "task": {
                "use": "qa",
                "seed": str(folder / "seed.jsonl"),
                "test": str(folder / "test.jsonl"),
                "completion": "worked",
            },
            "teacher": {"use": "rules"},
            "criterion": {"use": "loss"},
            "selector": {"use": "top"},
            "writer": {"use": "question_with_answer"},
            "data": options,
        }
    )


def rows(folder: Path, number: int, **options: Any) -> list[data.Row]:
    with Journal(folder / "journal.sqlite") as journal:
        line = steps.Line(
            recipe=made(folder, **options),
            dir=RunDir(folder / "run"),
            journal=journal,
            progress=Progress(io.StringIO()),
            begin=lambda: None,
        )
        return data.training_set(line, number)


def names(found: list[data.Row]) -> list[str]:
    return [row.example.prompt.removeprefix("seed ") for row in found]


def of(found: list[data.Row], origin: str) -> list[str]:
    return [name for name, row in zip(names(found), found, strict=True) if row.origin == origin]


@pytest.mark.parametrize(
    ("train_on", "trained"),
    [
        ("all", ["a1", "b1", "d2", "a2", "e3", "b3"]),
        ("new", ["e3", "b3"]),
        ("window(1)", ["e3", "b3"]),
        ("window(2)", ["d2", "a2", "e3", "b3"]),
        ("window(9)", ["a1", "b1", "d2", "a2", "e3", "b3"]),
    ],
)
def test_a_window_is_the_last_rounds_this_one_included(
    folder: Path, train_on: str, trained: list[str]
) -> None:
    assert names(rows(folder, 3, train_on=train_on)) == trained


def test_easy_to_hard_is_the_same_set_by_the_score_of_the_seed_when_it_was_picked(folder: Path) -> None:
    shuffled = rows(folder, 3)
    ordered = rows(folder, 3, order="easy_to_hard")
    assert names(ordered) == ["a2", "b1", "e3", "d2", "a1", "b3"]
    assert [row.score for row in ordered] == [0.5, 1.0, 1.0, 2.0, 3.0, 4.0]
    assert sorted(names(ordered)) == sorted(names(shuffled))


def test_what_has_no_score_is_spread_evenly_in_its_own_order(folder: Path) -> None:
    example = Example.make(task="t", prompt="p", answer="1")
    scores = [None, 4.0, 1.0, None, 3.0, 2.0]
    given = [data.Row(example=example, origin="written", score=score) for score in scores]
    # Known at 1/8, 3/8, 5/8 and 7/8 of the way, unknown at 1/4 and 3/4.
    assert [row.score for row in data.easy_to_hard(given)] == [1.0, None, 2.0, 3.0, None, 4.0]


def test_seeds_that_were_picked_have_their_latest_score(folder: Path) -> None:
    found = [row for row in rows(folder, 2, include_seeds=True) if row.origin == "seed"]
    assert names(found) == ["a", "b", "c", "d"]
    assert [row.score for row in found] == [0.5, 1.0, None, 2.0]


def test_replay_makes_up_its_share_of_the_whole_set(folder: Path) -> None:
    # 6 written; a quarter of the whole is 2 of 8.
    found = rows(folder, 3, replay={"share": 0.25})
    assert len(of(found, "replay")) == 2
    assert set(of(found, "replay")) <= set("abcdefg"), "h has no worked answer"
    assert names(found) == names(rows(folder, 3, replay={"share": 0.25}))


def test_replay_of_seeds_leaves_out_those_that_are_there_already(folder: Path) -> None:
    found = rows(folder, 2, include_seeds=True, replay={"share": 0.9})
    assert sorted(of(found, "replay")) == ["e", "f", "g"], "as many as there are"
    scores = {name: row.score for name, row in zip(names(found), found, strict=True)}
    assert [scores[name] for name in "efg"] == [0.4, 0.5, 0.6], "of this round"


def test_replay_of_earlier_draws_from_the_rounds_that_the_window_leaves_out(folder: Path) -> None:
    found = rows(folder, 3, train_on="new", replay={"share": 0.9, "of": "earlier"})
    assert of(found, "written") == ["e3", "b3"]
    assert sorted(of(found, "replay")) == ["a1", "a2", "b1", "d2"]
    scores = {name: row.score for name, row in zip(names(found), found, strict=True)}
    assert scores["a1"] == 3.0
    assert rows(folder, 1, train_on="new", replay={"share": 0.9, "of": "earlier"}) == rows(folder, 1)


def test_replay_of_a_task_draws_its_worked_examples_but_for_what_is_tested_on(folder: Path) -> None:
    task = {"use": "qa", "seed": str(folder / "general.jsonl"), "completion": "worked"}
    found = rows(folder, 3, replay={"share": 0.9, "of": task})
    assert sorted(of(found, "replay")) == ["What is down?", "What is up?"]
    assert {row.score for row in found if row.origin == "replay"} == {None}


def test_the_next_round_replays_others(folder: Path) -> None:
    options: dict[str, Any] = {"train_on": "new", "replay": {"share": 0.5}}
    assert of(rows(folder, 2, **options), "replay") != of(rows(folder, 3, **options), "replay")


def weights(given: Mapping[str, Any], *about: tuple[data.Origin, float | None]) -> list[float]:
    example = Example.make(task="t", prompt="p", answer="1")
    found = [data.Row(example=example, origin=origin, score=score) for origin, score in about]
    return [row.weight for row in data.weighted(found, WeightOptions(**given))]


def test_each_origin_has_its_weight() -> None:
    given = {"written": 2.0, "replay": 0.5}
    assert weights(given, ("written", 1.0), ("seed", None), ("replay", 3.0)) == [2.0, 1.0, 0.5]


def test_weights_by_score_go_by_rank_from_a_half_to_one_and_a_half() -> None:
    scored: list[tuple[data.Origin, float | None]] = [
        ("written", score) for score in (9.0, -1.0, 100.0, None, 0.0, 2.0)
    ]
    assert weights({"by": "score"}, *scored) == [1.25, 0.5, 1.5, 1.0, 0.75, 1.0]
    # Equal scores share the mean of their ranks: 0, 1.5, 1.5, 3.
    tied: list[tuple[data.Origin, float | None]] = [("written", score) for score in (5.0, 1.0, 5.0, 7.0)]
    assert weights({"by": "score"}, *tied) == [1.0, 0.5, 1.0, 1.5]
    assert weights({"by": "score", "written": 3.0}, ("written", 1.0), ("replay", 1.0)) == [3.0, 1.0]
    assert weights({"by": "score"}, ("written", 1.0)) == [1.0]


# In a run


NANO: dict[str, Any] = {
    "seed": 1,
    "rounds": 2,
    "per_round": 4,
    "task": {"use": "pocket", "seeds": 12, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 40},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
    "train": {"max_steps": 1},
}


def run(out: Path, redo: str | None = None, **changed: Any) -> None:
    made = recipe.read({**NANO, **changed})
    loop.run(made, out, source="", command=["asft"], redo=redo, progress=Progress(io.StringIO()))


def test_order_weights_and_replay_in_a_run_are_in_the_data_set_as_they_were_trained(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "train_on": "window(1)",
        "order": "easy_to_hard",
        "weights": {"written": 2.0, "by": "score"},
        "replay": {"share": 0.5, "of": "seeds"},
    }
    run(tmp_path / "run", data=options)
    last = tmp_path / "run" / "round-02"
    trained = read_jsonl(last / "dataset.jsonl")
    scores = [row["score"] for row in trained]
    assert scores == sorted(scores)
    assert {row["round"] for row in trained if row["origin"] == "written"} == {2}
    assert read_json(last / "train.json")["origins"] == {"written": 4, "replay": 4}
    for row in trained:
        # A seed and what was written from it share their ranks, of 0 to 7.
        rank = scores.index(row["score"]) + (scores.count(row["score"]) - 1) / 2
        assert row["weight"] == pytest.approx((2.0 if row["origin"] == "written" else 1.0) * (0.5 + rank / 7))
    lock = read_json(tmp_path / "run" / "recipe.lock.json")
    assert lock["train"]["train_sampling_strategy"] == "sequential"


def test_other_data_are_refused_and_nothing_that_was_paid_for_is_made_again(tmp_path: Path) -> None:
    run(tmp_path / "run", rounds=1)
    with pytest.raises(RunError, match=r"data\.order was 'shuffled', now 'easy_to_hard'.*--redo train"):
        run(tmp_path / "run", rounds=1, data={"order": "easy_to_hard"})
    with pytest.raises(RunError, match=r"seeds was '12 examples .*', now '9 examples .*--redo measure"):
        run(tmp_path / "run", rounds=1, data={"validation": {"examples": 3}})


def run_and_die(out: Path, changed: dict[str, Any], opening: str) -> None:
    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(opening):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    run(out, **changed)


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_trains_trains_again_and_does_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "run"
    changed: dict[str, Any] = {
        "rounds": 1,
        "data": {"validation": {"examples": 3, "patience": 2}},
        "train": {"max_steps": 4, "learning_rate": 1e-2},
    }
    process = in_process(run_and_die, out, changed, ".checkpoints/checkpoint-1/adapter_config.json")
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    last = out / "round-01"
    assert (last / ".checkpoints" / "checkpoint-1").exists()
    before = {path: path.stat().st_mtime_ns for path in last.glob("*.jsonl") if path.name != "dataset.jsonl"}
    assert {path.name for path in before} >= {"measure.jsonl", "select.jsonl", "write.jsonl", "filter.jsonl"}
    run(out, **changed)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not (last / ".checkpoints").exists()
    kept = digest(last / "adapter"), read_json(last / "train.json")
    run(out, redo="train", **changed)
    assert (digest(last / "adapter"), read_json(last / "train.json")) == kept
    held = kept[1]["validation"]
    assert held["examples"] == 3
    assert len(read_jsonl(last / "measure.jsonl")) == 12 - 3
    assert [step for step, _ in held["losses"]] == list(range(1, len(held["losses"]) + 1))
