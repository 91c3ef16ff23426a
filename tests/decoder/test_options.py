"""What a recipe says about the student's answers, and what a run makes of it."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asft import decoder, recipe, steps, student
from asft.errors import RecipeError
from asft.journal import Journal
from asft.progress import Progress
from asft.rundir import RunDir, read_json, read_jsonl
from tests.decoder import fake_vllm

NANO: dict[str, Any] = {
    "seed": 1,
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 4, "tests": 3},
    "student": {"base": "pocket"},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
}


@contextmanager
def line(folder: Path, told: io.StringIO | None = None, **of_student: Any) -> Iterator[steps.Line]:
    given = recipe.read({**NANO, "student": {**NANO["student"], **of_student}})
    with RunDir(folder) as where, Journal(folder / "journal.sqlite") as journal:
        yield steps.Line(
            recipe=given,
            dir=where,
            journal=journal,
            progress=Progress(told or io.StringIO()),
            begin=lambda: None,
        )


def test_where_the_recipe_is_silent_all_steps_cut_off_at_what_the_references_say(
    tmp_path: Path, pocket: student.Loaded
) -> None:
    told = io.StringIO()
    with line(tmp_path, told) as made:
        expected = decoder.limit(pocket.tokenizer, [seed.completion or "" for seed in made.seeds])
        steps.evaluate(made, 0)
        steps.measure(made, 1)
    assert f"cut off after {expected} tokens" in told.getvalue()
    for manifest in ("round-00/evaluate", "round-01/measure"):
        kept = read_json(tmp_path / f"{manifest}.manifest.json")
        assert kept["settings"]["max_new_tokens"] == expected


def test_a_limit_that_was_found_is_found_again_without_the_student(tmp_path: Path) -> None:
    with line(tmp_path) as made:
        steps.evaluate(made, 0)
    told = io.StringIO()
    with line(tmp_path, told) as made:
        steps.evaluate(made, 0)
        assert not made.base_is_loaded
    assert told.getvalue() == ""


def test_a_limit_in_the_recipe_is_the_limit(tmp_path: Path) -> None:
    with line(tmp_path, max_new_tokens=3) as made:
        steps.evaluate(made, 0)
    assert {row["finish"] for row in read_jsonl(tmp_path / "round-00" / "evaluate.jsonl")} == {"length"}
    assert read_json(tmp_path / "round-00" / "evaluate.manifest.json")["settings"]["max_new_tokens"] == 3
    assert not (tmp_path / "answers.json").exists()


def test_a_recipe_with_vllm_gives_the_answers_of_transformers_and_ends_it_after_the_step(
    tmp_path: Path, pocket: student.Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = fake_vllm.install(monkeypatch, pocket.model)
    with line(tmp_path / "hf", max_new_tokens=30) as made:
        steps.evaluate(made, 0)
    settings: dict[str, Any] = {"decoder": "vllm", "vllm": {"args": ["--max-num-seqs", "4"]}}
    with line(tmp_path / "vllm", max_new_tokens=30, **settings) as made:
        steps.evaluate(made, 0)
    rows = [read_jsonl(tmp_path / name / "round-00" / "evaluate.jsonl") for name in ("hf", "vllm")]
    assert rows[0] == rows[1]
    [engine] = engines
    assert engine.options.max_num_seqs == "4"
    assert not engine.running
    assert (tmp_path / "vllm" / "logs" / "student-vllm.log").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"vllm": {}}, "the section vllm has no effect without `decoder: vllm`"),
        ({"decoder": "vlm"}, "option 'decoder' = 'vlm'"),
        ({"decoder": "vllm", "vllm": {"base_ur": "x"}}, "base_ur"),
        (
            {"decoder": "vllm", "vllm": {"model": "m"}},
            "are for a server; give its base_url",
        ),
        (
            {"decoder": "vllm", "vllm": {"base_url": "http://127.0.0.1:8000", "args": ["--enforce-eager"]}},
            "leave out base_url",
        ),
        (
            {"decoder": "vllm", "vllm": {"base_url": "http://127.0.0.1:8000", "python": "env/bin/python"}},
            "leave out base_url",
        ),
        ({"decoder": "vllm", "vllm": {"args": ["--dtype=half"]}}, "args must not hold --dtype"),
        ({"decoder": "vllm", "vllm": {"args": ["--port", "80"]}}, "args must not hold --port"),
        ({"decoder": "vllm", "vllm": {"args": ["--hf-token", "x"]}}, "export HF_TOKEN"),
    ],
)
def test_options_that_have_no_effect_or_no_place_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe.read({**NANO, "student": given})


def test_the_lock_holds_how_the_student_answers() -> None:
    kept = json.loads(json.dumps(recipe.read({**NANO, "student": {"decoder": "vllm"}}).settings["student"]))
    assert (kept["max_new_tokens"], kept["decoder"], kept["vllm"]) == (None, "vllm", None)
