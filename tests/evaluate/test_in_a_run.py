"""What a recipe says about evaluating, and what a run makes of it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asft import recipe, steps
from asft.errors import RecipeError, RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.rundir import RunDir, read_json, read_jsonl

NANO: dict[str, Any] = {
    "seed": 1,
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 4, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 40},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
}


@contextmanager
def line(folder: Path, **evaluate: Any) -> Iterator[steps.Line]:
    given = recipe.read({**NANO, "evaluate": evaluate})
    with RunDir(folder) as where, Journal(folder / "journal.sqlite") as journal:
        yield steps.Line(
            recipe=given,
            dir=where,
            journal=journal,
            progress=Progress(io.StringIO()),
            begin=lambda: None,
        )


def test_rows_and_summary_hold_samples_groups_and_the_prompt(tmp_path: Path) -> None:
    section = {"samples": {"k": 2}, "shots": 1, "system": "Add.", "stop": ["####"], "least_group": 1}
    with line(tmp_path, **section) as made:
        steps.evaluate(made, 0)
        told = steps.summarise(made, 0)["evaluate"]
        shot, tested = made.recipe.task.load("seed"), made.test[0]
    rows = read_jsonl(tmp_path / "round-00" / "evaluate.jsonl")
    assert {len(row["samples"]) for row in rows} == {2}
    assert all("####" not in row["text"] for row in rows)
    assert told == read_json(tmp_path / "round-00" / "summary.json")["evaluate"]
    assert (told["samples"]["k"], told["least_group"]) == (2, 1)
    asked = told["asked"]
    [shown] = [one for one in shot if one.id in asked["shots"]]
    assert asked["prompt"] == (
        f"<|system|>Add.<|user|>{shown.prompt}<|assistant|>{shown.completion}<|end|>"
        f"<|user|>{tested.prompt}<|assistant|>"
    )
    assert asked["samples"] == {"k": 2, "temperature": 0.7, "top_p": 1.0}


def test_a_finished_step_is_reused_under_the_same_section_and_refused_under_another(tmp_path: Path) -> None:
    with line(tmp_path) as made:
        steps.evaluate(made, 0)
    with line(tmp_path, least_group=1) as made:
        steps.evaluate(made, 0)
        assert not made.base_is_loaded
        assert steps.summarise(made, 0)["evaluate"]["least_group"] == 1
    with (
        line(tmp_path, samples={"k": 2}) as made,
        pytest.raises(RunError, match=r"evaluate\.samples was None"),
    ):
        steps.evaluate(made, 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"samples": {"temperature": 0.5}}, "evaluate: option 'samples'"),
        ({"samples": {"k": 2, "temperature": 0}}, "samples.temperature' = 0"),
        ({"by": "likelihood", "stop": ["x"]}, "samples and stop have no effect"),
        ({"by": "likelihood"}, "evaluate: option 'by' = 'likelihood': the task lists no choices"),
        ({"stop": [""]}, "evaluate: option 'stop"),
        ({"shot": 3}, "evaluate: unknown option 'shot', did you mean 'shots'"),
    ],
)
def test_what_has_no_effect_or_no_sense_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe.read({**NANO, "evaluate": given})
    assert told in str(caught.value)


def test_the_lock_has_every_default_of_the_section() -> None:
    kept = recipe.read({**NANO, "evaluate": {"samples": {"k": 4}}}).settings["evaluate"]
    assert kept == {
        "by": "answers",
        "samples": {"k": 4, "temperature": 0.7, "top_p": 1.0},
        "system": None,
        "shots": 0,
        "stop": [],
        "least_group": 20,
    }
