"""A whole study with real runs: real students, training and teacher, in processes of their own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import cli
from asft.rundir import read_json, read_jsonl
from asft.study import results

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = yaml.safe_load((ROOT / "benchmarks" / "studies" / "pocket.yaml").read_text("utf-8"))
GIVEN: dict[str, Any] = PUBLISHED | {
    "name": "nano",
    "recipe": str(ROOT / "recipes" / "quickstart.yaml"),
    "set": PUBLISHED["set"]
    | {
        "task": PUBLISHED["set"]["task"] | {"seeds": 16, "tests": 16},
        "student.max_new_tokens": 60,
        "rounds": 2,
        "per_round": 4,
        "train": {"max_steps": 2},
    },
    "seeds": [1, 2],
    "budget": {"examples": 8},
    "arms": {"static": PUBLISHED["arms"]["static"], "loss": PUBLISHED["arms"]["active-loss"]},
}
"""The study that we publish, in miniature: two of its arms, two seeds, two rounds of four examples."""


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**GIVEN, **changes}, sort_keys=False), encoding="utf-8")
    return path


def figures(folder: Path) -> dict[str, Any]:
    """The results without what is timed."""
    found = {}
    for path in sorted((folder / "results").glob("*/*.json")):
        kept = asdict(results.read(path))
        for point in kept["points"]:
            del point["seconds"]
            for row in point["ledger"]:
                del row["seconds"]
        found[str(path.relative_to(folder))] = kept
    return found


def reported(folder: Path) -> dict[str, Any]:
    """The report without what is timed."""
    told = read_json(folder / "report.json")
    for cost in told["costs"]:
        for timed in ("measured_s", "trained_s", "evaluated_s"):
            del cost[timed]
    return told


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    out = folder / "out"
    assert cli.main(["study", str(written(folder)), "--out", str(out), "--at-once", "2"]) == 0
    return out


def test_every_arm_and_seed_has_a_result_with_a_point_for_each_round(finished: Path) -> None:
    found = figures(finished)
    assert sorted(found) == [
        f"results/{arm}/seed-{seed}.json" for arm in ("loss", "static") for seed in (1, 2)
    ]
    for one in found.values():
        assert [point["examples"] for point in one["points"]] == [0, 4, 8]
        assert all(len(point["grades"]) == len(one["items"]) == 16 for point in one["points"])
        assert all(len(point["asked"]) == point["drafts"] > 0 for point in one["points"][1:])
        assert all(len(point["fidelity"]) == 4 for point in one["points"][1:])
        assert all(point["diversity"]["texts"] == 4 for point in one["points"][1:])


def test_a_score_of_own_answers_is_compared_with_what_they_were(finished: Path) -> None:
    for seed in (1, 2):
        folder = finished / "runs" / "loss" / f"seed-{seed}" / "round-02"
        grades = {row["example_id"]: row["own"]["grade"] for row in read_jsonl(folder / "measure.jsonl")}
        scored = [(grades[row["example_id"]], row["score"]) for row in read_jsonl(folder / "score.jsonl")]
        pairs = [(a, b) for grade, a in scored if grade != 1.0 for other, b in scored if other == 1.0]
        assert pairs
        told = results.read(results.path_of(finished, "loss", seed)).points[2]["separation"]
        assert told == pytest.approx(sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))
        assert results.read(results.path_of(finished, "static", seed)).points[2]["separation"] is None


def test_runs_with_the_same_test_split_put_its_items_down_once(finished: Path) -> None:
    [items] = (finished / "results").glob("*.json")
    assert len(read_json(items)["items"]) == 16
    assert all(path.stat().st_size < 12_000 for path in (finished / "results").glob("*/*.json"))


def test_a_result_without_its_test_items_is_named(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished / "results", tmp_path / "results")
    [items] = (tmp_path / "results").glob("*.json")
    items.unlink()
    study = finished.parent / "study.yaml"
    assert cli.main(["study", str(study), "--out", str(tmp_path), "--report"]) == 1
    assert str(items) in capsys.readouterr().err


def test_the_budget_of_every_arm_is_the_same_and_kept(finished: Path) -> None:
    for one in figures(finished).values():
        assert one["settings"]["budget"]["examples"] == 8
        assert one["points"][-1]["examples"] == 8


def test_what_two_arms_have_in_common_is_made_once(finished: Path) -> None:
    evaluations = [path.name for path in (finished / "shared").glob("evaluate-*") if path.is_dir()]
    # The base once for each pool, and two rounds of two arms with two seeds.
    assert len(evaluations) == 2 + 8


def test_the_report_says_what_the_results_say_and_has_every_figure_as_png_and_csv(finished: Path) -> None:
    facts = read_json(finished / "report.json")
    assert [one["arm"] for one in facts["compared"]] == ["static", "loss"]
    right = [
        one["points"][-1]["grades"].count("1") / 16
        for name, one in figures(finished).items()
        if "loss" in name
    ]
    assert facts["compared"][1]["end"]["value"] == pytest.approx(sum(right) / 2)
    for name in ("accuracy-examples", "accuracy-tokens", "differences"):
        assert (finished / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert len((finished / "figures" / f"{name}.csv").read_text("utf-8").splitlines()) > 1
    assert "With 2 seeds nothing is shown" in (finished / "report.md").read_text("utf-8")


def test_the_same_command_again_runs_nothing_and_reports_the_same(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "report.json").read_bytes()
    logs = {path.name: path.stat().st_size for path in (finished / "logs").iterdir()}
    study = finished.parent / "study.yaml"
    assert cli.main(["study", str(study), "--out", str(finished)]) == 0
    assert (finished / "report.json").read_bytes() == before
    assert {path.name: path.stat().st_size for path in (finished / "logs").iterdir()} == logs
    assert "loss" in capsys.readouterr().out


def test_results_alone_give_the_report_on_another_machine(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (finished / "results").rename(tmp_path / "out" / "results")
    try:
        study = finished.parent / "study.yaml"
        assert cli.main(["study", str(study), "--out", str(tmp_path / "out")]) == 0
        assert (tmp_path / "out" / "report.json").read_bytes() == (finished / "report.json").read_bytes()
    finally:
        (tmp_path / "out" / "results").rename(finished / "results")


def test_another_setting_is_refused_and_named(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = written(tmp_path, set={**GIVEN["set"], "train": {"max_steps": 3}})
    assert cli.main(["study", str(changed), "--out", str(finished)]) == 1
    said = capsys.readouterr().err
    assert "4 results were made under other settings" in said
    assert "train.max_steps was 2, now 3" in said


def test_the_plan_tells_what_is_done_and_what_is_to_do(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = finished.parent / "study.yaml"
    assert cli.main(["study", str(study), "--out", str(finished), "--plan", "--set", "seeds=[1,2,3]"]) == 0
    said = capsys.readouterr().out
    assert "2 arms x 3 seeds = 6 runs, 2 to do" in said
    assert "8 examples for each run" in said


def processes(needle: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if needle.encode() in command:
            found.append(int(folder.name))
    return found


def test_a_study_that_is_killed_leaves_no_process_and_ends_in_the_same_report(
    finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    study = written(tmp_path, seeds=[1])
    command = [sys.executable, "-m", "asft", "study", str(study), "--out", str(out)]
    with subprocess.Popen(
        [*command, "--at-once", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        until = time.monotonic() + 120
        while not list((out).rglob("round-01/write.manifest.json")) and time.monotonic() < until:
            time.sleep(0.1)
        os.kill(running.pid, signal.SIGKILL)
    assert list(out.rglob("round-01/write.manifest.json"))
    until = time.monotonic() + 60
    while processes(str(out)) and time.monotonic() < until:
        time.sleep(0.2)
    assert processes(str(out)) == []
    assert cli.main(["study", str(study), "--out", str(out), "--at-once", "2"]) == 0
    left_alone = {name: one for name, one in figures(finished).items() if name.endswith("seed-1.json")}
    assert figures(out) == left_alone
    alone = tmp_path / "alone"
    shutil.copytree(finished / "results", alone / "results", ignore=shutil.ignore_patterns("seed-2.json"))
    assert cli.main(["study", str(study), "--out", str(alone), "--report"]) == 0
    assert reported(out) == reported(alone)


def test_a_run_that_fails_is_named_with_its_reason_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {
        "none": {"set": {"filters": [{"use": "length", "max_question": 1}]}},
        "loss": {},
    }
    study = written(tmp_path, arms=arms, seeds=[1], compare_to="loss", fidelity=False)
    assert cli.main(["study", str(study), "--out", str(tmp_path / "out"), "--at-once", "2"]) == 1
    said = capsys.readouterr().err
    assert "1 runs failed" in said or "1 run failed" in said
    assert "round 1 accepted nothing" in said
    assert (tmp_path / "out" / "results" / "loss" / "seed-1.json").exists()
