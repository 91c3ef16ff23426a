"""`asft eval`: any model, or a run's last student on the run's own task."""

import json
from pathlib import Path

import pytest

from asft import cli, evaluate, recipe, registry, student
from asft.recipe import EvaluateOptions, SampleOptions
from asft.rundir import read_jsonl, write_json

ONE = ["--set", "tests=5", "--max-new-tokens", "40"]


def test_a_model_is_evaluated_and_its_items_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "items.jsonl"
    assert cli.main(["eval", "pocket", *ONE, "--limit", "3", "--k", "2", "--out", str(out)]) == 0
    rows = read_jsonl(out)
    test = registry.make("task", "pocket", {"tests": 5}).load("test")
    assert [row["example_id"] for row in rows] == [example.id for example in test[:3]]
    assert {len(row["samples"]) for row in rows} == {2}
    found = evaluate.summarise(rows)
    said = capsys.readouterr().out
    assert f"{found['right']} of 3" in said
    assert "pass@2" in said
    assert "maj@2" in said
    assert test[0].prompt in said
    assert str(out) in said


def test_other_splits_shots_and_stop_strings_are_taken(tmp_path: Path) -> None:
    out = tmp_path / "items.jsonl"
    asked = ["--split", "validation", "--limit", "2", "--shots", "1", "--stop", "####", "--out", str(out)]
    assert cli.main(["eval", "pocket", "--set", "seeds=3", *ONE, *asked]) == 0
    rows = read_jsonl(out)
    task = registry.make("task", "pocket", {"tests": 5, "seeds": 3})
    assert [row["example_id"] for row in rows] == [one.id for one in task.load("validation")[:2]]
    assert all("####" not in row["text"] for row in rows)
    made = EvaluateOptions(shots=1, stop=["####"])
    expected = evaluate.evaluate(
        student.load(student.Student()),
        task,
        task.load("validation")[:2],
        asking=evaluate.asking_by(made, task.load("seed"), task.load("test"), 0),
        max_new_tokens=40,
        batch_size=64,
    )
    assert [row["text"] for row in rows] == [row["text"] for row in expected]


def test_a_shot_is_in_no_test_item_be_it_beyond_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, questions in (("seed", ("1+1?", "2+2?")), ("test", ("3+3?", "2+2?"))):
        rows = [{"question": question, "answer": "6"} for question in questions]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    files = [f"--set={split}={tmp_path / split}.jsonl" for split in ("seed", "test")]
    assert cli.main(["eval", "pocket", "--task", "qa", *files, "--limit", "1", "--shots", "2"]) == 1
    assert "the pool has 1 seeds that are not in the test split" in capsys.readouterr().err


def run_of(folder: Path, **sections: object) -> Path:
    """A run's settings, and a base in place of its student."""
    made = recipe.read(
        {
            "per_round": 2,
            "seed": 3,
            "task": {"use": "pocket", "tests": 4, "salt": "B"},
            "teacher": {"use": "rules"},
            "criterion": {"use": "loss"},
            "selector": {"use": "top"},
            "writer": {"use": "question_then_answer"},
            **sections,
        }
    )
    folder.mkdir()
    write_json(folder / "recipe.lock.json", made.settings)
    write_json(folder / "run.json", {})
    return folder


def test_of_a_run_task_limit_and_section_count_and_the_command_line_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path / "run", evaluate={"samples": {"k": 2, "temperature": 0.5}, "least_group": 2})
    write_json(run / "answers.json", {"max_new_tokens": 5})
    # A run without a trained student is no student; this one stands for it.
    monkeypatch.setattr(student, "of", lambda _: student.Student())
    out = tmp_path / "items.jsonl"
    given = ["--task", "pocket", "--k", "3", "--limit", "2", "--out", str(out)]
    assert cli.main(["eval", str(run), *given]) == 0
    rows = read_jsonl(out)
    task = registry.make("task", "pocket", {"tests": 4, "salt": "B"})
    assert [row["example_id"] for row in rows] == [one.id for one in task.load("test")[:2]]
    assert {row["finish"] for row in rows} == {"length"}
    made = EvaluateOptions(samples=SampleOptions(k=3, temperature=0.5))
    expected = evaluate.evaluate(
        student.load(student.Student()),
        task,
        task.load("test")[:2],
        made,
        seed=3,
        max_new_tokens=5,
        batch_size=128,
    )
    assert json.loads(json.dumps(expected)) == rows


def test_of_a_run_that_draws_samples_the_likelihood_of_choices_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": f"text {n}", "label": label} for n, label in enumerate(("good", "bad"))]
    path = tmp_path / "reviews.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    task = {"use": "classification", "seed": str(path), "test": str(path)}
    run = run_of(tmp_path / "run", task=task, evaluate={"samples": {"k": 2}, "stop": ["x"]})
    monkeypatch.setattr(student, "of", lambda _: student.Student())
    out = tmp_path / "items.jsonl"
    assert cli.main(["eval", str(run), "--by", "mean_likelihood", "--out", str(out)]) == 0
    assert [[one["text"] for one in row["choices"]] for row in read_jsonl(out)] == [["bad", "good"]] * 2
    assert "Macro F1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--limit", "0"], "--limit 0: a number of at least 1"),
        (["--max-new-tokens", "0"], "--max-new-tokens 0: a number of at least 1"),
        (["--temperature", "0.5"], "--temperature is about answers that are drawn; give --k, too"),
        (["--k", "2", "--temperature", "0"], "'samples.temperature' = 0.0"),
        (["--by", "chance"], "'by' = 'chance'"),
        (["--by", "likelihood"], "the task Pocket lists no choices"),
        (["--by", "likelihood", "--stop", "x"], "samples and stop have no effect"),
        (["--split", "train"], "pocket has no split 'train'"),
        (["--shots", "9", "--set", "seeds=2"], "evaluate.shots = 9: the pool has 2 seeds"),
    ],
)
def test_what_cannot_be_done_is_told(given: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["eval", "pocket", *ONE, *given]) == 1
    assert told in capsys.readouterr().err
