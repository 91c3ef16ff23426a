"""`asft.score` and `asft score`: every example ranked by how hard a student finds it."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import asft
from asft import scoring
from asft.cli import main
from asft.errors import RecipeError, RunError
from asft.progress import Progress
from asft.rundir import read_jsonl
from asft.tasks.pocket.task import Pocket
from asft.types import Answer, Example, Measurements, Observation, TokenStats

SEEDS = ["--set", "task.seeds=12", "--set", "student.max_new_tokens=48"]
OVERRIDES = [text for text in SEEDS if text != "--set"]


def quiet() -> Progress:
    return Progress(io.StringIO())


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored") / "out"
    criteria = ["--criterion", "loss", "--criterion", "{use: loss, of: gold}", "--criterion", "incorrect"]
    assert main(["score", "pocket", *criteria, *SEEDS, "--out", str(out)]) == 0
    return out


def test_rows_are_ranked_by_the_first_criterion_and_hold_all_scores(ranked: Path) -> None:
    rows = read_jsonl(ranked / "scores.jsonl")
    assert [row["rank"] for row in rows] == list(range(1, 13))
    assert {row["example_id"] for row in rows} == {e.id for e in Pocket(seeds=12).load("seed")}
    losses = [row["scores"]["loss"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    for row in rows:
        assert row["scores"]["loss"] == row["own"]["stats"]["nll"]
        assert row["scores"]["loss of=gold"] == row["gold"]["nll"]
        assert row["scores"]["incorrect"] == (1.0 if row["own"]["grade"] is None else 1 - row["own"]["grade"])


def test_rows_hold_every_token_as_it_was_measured(ranked: Path) -> None:
    for row in read_jsonl(ranked / "scores.jsonl"):
        for name, stats in (("gold", row["gold"]), ("own", row["own"]["stats"])):
            tokens = row["tokens"][name]
            assert len(tokens["nll"]) == len(tokens["margin"]) == stats["tokens"]
            assert sum(tokens["nll"]) == pytest.approx(stats["nll_sum"], rel=1e-5)
            assert sum(tokens["entropy"]) / stats["tokens"] == pytest.approx(stats["entropy"], rel=1e-5)


def test_the_page_compares_the_criteria_and_shows_the_hardest(ranked: Path) -> None:
    page = (ranked / "report.html").read_text("utf-8")
    assert "loss and loss of=gold" in page
    assert "<script" not in page
    hardest = read_jsonl(ranked / "scores.jsonl")[0]
    assert hardest["example_id"] in page


def test_what_was_measured_is_not_measured_again(ranked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (ranked / "scores.jsonl").read_bytes()
    stamp = (ranked / "round-01" / "measure.jsonl").stat().st_mtime_ns
    criteria = ["--criterion", "loss", "--criterion", "{use: loss, of: gold}", "--criterion", "incorrect"]
    assert main(["score", "pocket", *criteria, *SEEDS, "--out", str(ranked)]) == 0
    assert (ranked / "scores.jsonl").read_bytes() == before
    assert (ranked / "round-01" / "measure.jsonl").stat().st_mtime_ns == stamp
    assert "measure" not in capsys.readouterr().err


def test_other_settings_are_told_and_redo_measures_anew(
    ranked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["score", "pocket", *SEEDS, "--limit", "3", "--out", out]) == 0
    assert main(["score", "pocket", *SEEDS, "--limit", "4", "--out", out]) == 1
    assert "seeds was '3 examples" in capsys.readouterr().err
    assert main(["score", "pocket", *SEEDS, "--limit", "4", "--redo", "measure", "--out", out]) == 0
    assert len(read_jsonl(tmp_path / "out" / "scores.jsonl")) == 4


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    import datasets

    out = tmp_path / "out"
    assert main(["score", "pocket", *SEEDS, "--limit", "3", "--out", str(out)]) == 0
    lines = read_jsonl(out / "scores.jsonl")
    assert main(["score", "pocket", *SEEDS, "--limit", "3", "--parquet", "--out", str(out)]) == 0
    assert not (out / "scores.jsonl").exists()
    found = datasets.Dataset.from_parquet(str(out / "scores.parquet"), cache_dir=str(tmp_path / "cache"))
    assert [row["example_id"] for row in found] == [row["example_id"] for row in lines]
    assert [row["own"]["stats"] for row in found] == [row["own"]["stats"] for row in lines]


def test_the_same_from_python_without_leaving_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = asft.score(
        "pocket", criteria=["entropy", {"use": "loss", "of": "gold"}], overrides=OVERRIDES, progress=quiet()
    )
    assert list(found.scores) == ["entropy", "loss of=gold"]
    hardest = found.measurements.observations[found.ranking()[0]]
    assert hardest.own is not None
    assert hardest.own.stats is not None
    assert max(score for score in found.scores["entropy"] if score is not None) == hardest.own.stats.entropy
    [[one, _], [_, other]] = found.correlations()
    assert one == other == pytest.approx(1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_student_with_an_adapter_is_measured_with_it_on(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from asft import student

    base = student.load(student.Student(), "cpu")
    torch.manual_seed(5)
    wide = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    dressed = get_peft_model(base.model, wide)
    dressed.peft_config["default"].base_model_name_or_path = str(student.POCKET)
    dressed.save_pretrained(str(tmp_path / "adapter"))

    def gold(name: str) -> list[float | None]:
        found = asft.score(
            name,
            criteria=[{"use": "loss", "of": "gold"}],
            limit=3,
            out=tmp_path / "out",
            overrides=[*OVERRIDES],
            progress=quiet(),
        )
        return list(found.scores["loss of=gold"])

    changed = gold(str(tmp_path / "adapter"))
    assert changed == gold(str(tmp_path / "adapter"))
    with pytest.raises(RunError, match="scores of a student with an adapter"):
        gold(str(student.POCKET))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--criterion", "los"], "criterion: .*did you mean 'loss'"),
        (["--criterion", "{use: loss, of: silver}"], "criterion: option 'of' = 'silver'"),
        (["--criterion", "{loss"], "--criterion {loss: no YAML"),
        (["--criterion", "loss", "--criterion", "loss"], "loss is asked for twice"),
        (["--task", "gsm"], "task: .*gsm8k"),
        (["--limit", "0"], "--limit 0: a number of at least 1"),
        (["--set", "task.sedes=3"], "task: .*did you mean 'seeds'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_loaded(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["score", "pocket", *arguments, "--out", str(out)]) == 1
    assert re.search(told, capsys.readouterr().err)
    assert not out.exists()


def test_a_folder_with_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["score", "pocket", *SEEDS, "--out", str(tmp_path)]) == 1
    assert "holds other files (notes.txt)" in capsys.readouterr().err


def test_a_kill_in_the_middle_loses_nothing_of_the_result(ranked: Path, tmp_path: Path) -> None:
    program = (
        "import os, signal\n"
        "from asft.measure import answers, MEASURES\n"
        "import asft.measure as m\n"
        "def dies(*given):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "m.MEASURES = {**MEASURES, 'own': dies}\n"
        "from asft.cli import main\n"
        "main(['score', 'pocket', *__import__('sys').argv[1:]])\n"
    )
    criteria = ["--criterion", "loss", "--criterion", "{use: loss, of: gold}", "--criterion", "incorrect"]
    arguments = [*criteria, *SEEDS, "--out", str(tmp_path / "out")]
    killed = subprocess.run([sys.executable, "-c", program, *arguments], check=False, capture_output=True)
    assert killed.returncode == -9
    assert main(["score", "pocket", *arguments]) == 0
    assert (tmp_path / "out/scores.jsonl").read_bytes() == (ranked / "scores.jsonl").read_bytes()


def answered(number: int, nll: float | None) -> Observation:
    stats = None if nll is None else TokenStats(tokens=1, nll=nll, nll_sum=nll, entropy=0.0)
    return Observation(example_id=f"{number}", own=Answer(text="", token_ids=(), finish="stop", stats=stats))


def test_what_has_no_score_comes_last_and_ties_stand_by_id() -> None:
    examples = tuple(Example(id=i, task="t", prompt=i, answer="1") for i in ("d", "c", "b", "a"))
    found = scoring.Scored(
        measurements=Measurements(
            round=1, examples=examples, observations=tuple(answered(i, 0.1) for i in range(4))
        ),
        scores={"x": (None, 0.5, 0.5, 0.9), "y": (1.0, None, 2.0, None)},
        seconds={},
        charged=(),
    )
    assert found.ranking() == [3, 2, 1, 0]
    assert found.ranking("y") == [2, 0, 3, 1]
    assert [row["example_id"] for row in found.rows()] == ["a", "b", "c", "d"]


def test_a_criterion_that_asks_wants_somebody_to_ask() -> None:
    with pytest.raises(RecipeError, match="judge asks a teacher or judge, and none is named"):
        scoring.plan("pocket", "pocket", ["judge"])


def test_a_row_is_plain_json(ranked: Path) -> None:
    [first, *_] = (ranked / "scores.jsonl").read_text("utf-8").splitlines()
    row: dict[str, Any] = json.loads(first)
    assert set(row) == {
        *("rank", "example_id", "scores", "prompt", "answer", "tags"),
        *("gold", "own", "samples", "signals", "tokens"),
    }
