"""What a recipe says about training, and what is told of it before anything is paid for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from asft import check, passed_on, recipe
from asft.errors import RecipeError
from asft.heldout import held_out
from asft.types import Example

NANO: dict[str, Any] = {
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 6, "tests": 2},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss"},
    "selector": {"use": "random"},
    "writer": {"use": "question_with_answer"},
}
SLICE = {"validation": {"examples": 2}}
WEIGHED = {"weights": {"replay": 0.5}}
ORDERED = {"order": "easy_to_hard"}


def problems(data: dict[str, Any], train: dict[str, Any] | None = None) -> tuple[str, ...]:
    return recipe.look_at({**NANO, "data": data, "train": train or {}}).problems


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"train_on": "window(0)"}, "option 'train_on' = 'window(0)': write all, new, or window(k)"),
        ({"train_on": "window"}, "option 'train_on' = 'window': write all, new, or window(k)"),
        (
            {"start_from": "scratch"},
            "'start_from' = 'scratch': Input should be 'base', 'previous' or 'merged'",
        ),
        ({"replay": {"share": 1.0}}, "'replay.share' = 1.0: Input should be less than 1"),
        (
            {"replay": {"share": 0.1, "of": "pool"}},
            "'replay.of' = 'pool': Input should be 'seeds' or 'earlier'",
        ),
        (
            {"replay": {"share": 0.1, "of": {"use": "pockte"}}},
            "there is no task 'pockte'; did you mean 'pocket'?",
        ),
        ({"replay": {"share": 0.1, "of": "earlier"}}, "replay of earlier has no effect where all rounds"),
        ({"weights": {"seeds": 2.0}}, "'weights.seeds' = 2.0: Unexpected keyword argument"),
        ({"weights": {"seed": 0}}, "'weights.seed' = 0: Input should be greater than 0"),
        ({"validation": {"examples": 0}}, "'validation.examples' = 0: Input should be greater than or equal"),
    ],
)
def test_what_data_does_not_take_is_told_under_its_key(data: dict[str, Any], told: str) -> None:
    [found] = problems(data)
    assert found.startswith("data: ")
    assert told in found


@pytest.mark.parametrize(
    ("data", "train", "told"),
    [
        (WEIGHED, {"packing": True}, r"data\.weights: train\.packing = True does not go with it"),
        (WEIGHED, {"loss_type": "dft"}, r"data\.weights: train\.loss_type = 'dft' takes no weights"),
        (WEIGHED, {"label_smoothing_factor": 0.1}, r"data\.weights: train\.label_smoothing_factor = 0\.1"),
        (ORDERED, {"packing": True}, r"easy_to_hard': train\.packing = True does not go with it"),
        (ORDERED, {"shuffle_dataset": True}, r"easy_to_hard': train\.shuffle_dataset = True"),
        (ORDERED, {"train_sampling_strategy": "group_by_length"}, "'group_by_length' is another"),
        ({}, {"eval_strategy": "steps"}, r"train\.eval_strategy = 'steps': there is nothing to evaluate on"),
        ({}, {"load_best_model_at_end": True}, r"train\.load_best_model_at_end = True: .*data\.validation"),
        ({}, {"save_strategy": "epoch"}, r"train\.save_strategy = 'epoch' has no effect"),
        (SLICE, {"eval_strategy": "no"}, r"train\.eval_strategy = 'no': data\.validation is there"),
        (SLICE, {"save_strategy": "epoch"}, r"train\.save_strategy = 'epoch': .*eval_strategy is 'steps'"),
        (
            SLICE,
            {"save_strategy": "steps", "save_steps": 15, "eval_steps": 10},
            r"train\.save_steps = 15 is no multiple of train\.eval_steps = 10",
        ),
    ],
)
def test_settings_of_trl_that_data_leaves_no_sense_are_told(
    data: dict[str, Any], train: dict[str, Any], told: str
) -> None:
    [found] = problems(data, train)
    assert re.search(told, found)


@pytest.mark.parametrize(
    ("data", "train"),
    [
        ({}, {"packing": True, "max_length": 64}),
        ({"weights": {"written": 2.0, "seed": 2.0, "replay": 2.0}}, {"packing": True, "max_length": 64}),
        ({}, {"eval_strategy": "no", "load_best_model_at_end": False, "save_strategy": "no"}),
        (SLICE, {"eval_strategy": "epoch"}),
        (SLICE, {"eval_steps": 20, "save_strategy": "steps", "save_steps": 40}),
        (SLICE, {"eval_steps": 0.1, "save_strategy": "steps", "save_steps": 0.3}),
        (SLICE, {"load_best_model_at_end": False, "save_strategy": "no"}),
        (ORDERED, {"train_sampling_strategy": "sequential"}),
    ],
)
def test_settings_of_trl_that_make_sense_are_taken(data: dict[str, Any], train: dict[str, Any]) -> None:
    assert problems(data, train) == ()


def test_what_data_implies_for_trl_is_in_the_settings_and_gives_way_to_the_users() -> None:
    given = {"eval_steps": 7, "max_steps": 70}
    train = recipe.read({**NANO, "data": {**SLICE, **ORDERED}, "train": given}).settings["train"]
    assert (train["eval_steps"], train["max_steps"], train["save_strategy"]) == (7, 70, "best")
    assert train["train_sampling_strategy"] == "sequential"
    assert recipe.read(NANO).settings["train"] == {}


# With the pool


def example(at: int, completion: str | None = "One.\n#### 1") -> Example:
    return Example.make(task="t", prompt=f"{at}?", answer="1", completion=completion)


def test_a_slice_is_drawn_by_the_seed_and_both_parts_keep_their_order() -> None:
    examples = [example(at, None if at % 3 == 0 else "One.\n#### 1") for at in range(30)]
    pool, held = held_out(examples, 5, 1)
    assert len(held) == 5
    assert all(one.completion for one in held)
    assert sorted((*pool, *held), key=examples.index) == examples
    assert [one for one in examples if one in held] == list(held)
    assert [one for one in examples if one in pool] == list(pool)
    assert held_out(examples, 5, 1) == (pool, held)
    assert held_out(examples, 5, 2) != (pool, held)


def task(folder: Path, worked: str) -> dict[str, Any]:
    rows = [{"question": f"What is {n}+1?", "answer": str(n + 1), "worked": worked} for n in range(4)]
    (folder / "seed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "test.jsonl").write_text('{"question": "What is 9+1?", "answer": "10", "worked": ""}\n')
    paths = {"seed": str(folder / "seed.jsonl"), "test": str(folder / "test.jsonl")}
    return {"use": "qa", "completion": "worked", **paths}


def shown(**changed: Any) -> str:
    return check.check(recipe.look_at({**NANO, **changed}))


def test_check_says_how_many_are_held_out() -> None:
    assert "4 seeds, 2 held out for validation, 2 test items" in shown(data=SLICE)
    assert "6 seeds, 2 test items" in shown()


@pytest.mark.parametrize(
    ("data", "criterion", "told"),
    [
        ({"validation": {"examples": 2}}, {}, "4 examples, 0 of them with worked answers, so at most 0 can"),
        ({"replay": {"share": 0.5}}, {}, r"data\.replay: none of the 4 seeds has a worked answer"),
        (ORDERED, {"of": "gold"}, r"data\.order = 'easy_to_hard': the criterion reads worked answers"),
        (
            {"weights": {"by": "score"}, **ORDERED},
            {"of": "gold"},
            r"data\.order = 'easy_to_hard' and data\.weights\.by = 'score': the criterion reads",
        ),
    ],
)
def test_what_needs_worked_answers_is_told_where_there_are_none(
    tmp_path: Path, data: dict[str, Any], criterion: dict[str, Any], told: str
) -> None:
    given = {"task": task(tmp_path, ""), "criterion": {"use": "loss", **criterion}, "data": data}
    with pytest.raises(RecipeError, match=told) as caught:
        shown(**given)
    assert len(str(caught.value).splitlines()) == 1


def test_a_slice_that_leaves_nothing_of_the_pool_is_told() -> None:
    with pytest.raises(RecipeError, match=r"data\.validation\.examples = 6: .* at most 5 can be held out"):
        shown(data={"validation": {"examples": 6}})


def test_replay_of_a_task_that_has_nothing_worked_or_is_not_there_is_told(tmp_path: Path) -> None:
    section = task(tmp_path, "")
    with pytest.raises(RecipeError, match=r"data\.replay\.of: of 4 examples .* none has a worked answer"):
        shown(data={"replay": {"share": 0.5, "of": section}})
    with pytest.raises(RecipeError, match=r"data\.replay\.of: .*gone\.jsonl"):
        shown(data={"replay": {"share": 0.5, "of": {**section, "seed": str(tmp_path / "gone.jsonl")}}})


# What training is reported to


@pytest.mark.parametrize("name", ["none", "all", None, []])
def test_reporting_to_nothing_or_to_what_there_is_is_taken(name: Any) -> None:
    assert passed_on.problems({"report_to": name}, {}) == []


def test_a_package_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passed_on, "find_spec", lambda name: None)
    assert passed_on.problems({"report_to": ["wandb", "tensorboard"]}, {}) == [
        "train.report_to: wandb is not installed; install it, or leave 'wandb' out",
        "train.report_to: tensorboard is not installed; install it, or leave 'tensorboard' out",
    ]
    monkeypatch.setattr(passed_on, "find_spec", lambda name: name == "tensorboardX")
    assert passed_on.problems({"report_to": "tensorboard"}, {}) == []


def test_what_nobody_reports_to_is_told_with_what_may_be_meant() -> None:
    [told] = passed_on.problems({"report_to": "wandbb"}, {})
    assert told == "train.report_to: nothing is called 'wandbb', did you mean 'wandb'?"
