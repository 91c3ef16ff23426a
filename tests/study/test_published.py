"""The studies that ship: each is right as it is written, and those for larger machines can be planned."""

import json
from pathlib import Path

import pytest

from asft import cli, study
from asft.rundir import read_json
from asft.study import pace, results

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "studies"
FILES = sorted(FOLDER.glob("*.yaml"))
OFFLINE = ("pocket", "pocket-dev", "prontoqa", "game24", "noise")
REPORTED = [name for name in OFFLINE if (FOLDER / "results" / name / "report.json").exists()]
README = (FOLDER / "README.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def _few_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast this machine is, is not what is tested here."""
    monkeypatch.setattr(pace, "ANSWERS", 8)
    monkeypatch.setattr(pace, "STEPS", (1, 2))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_reads_and_says_with_which_command_it_runs(file: Path) -> None:
    found = study.load(file)
    assert found.name == file.stem
    assert f"asft study benchmarks/studies/{file.name}" in file.read_text("utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_arms_differ_in_method_alone(file: Path) -> None:
    found = study.load(file)
    given = [found.given(arm, found.seeds[0]) for arm in found.arms]
    for key in ("task", "student", "train", "lora", "budget", "rounds", "per_round"):
        assert all(one.get(key) == given[0].get(key) for one in given), key


@pytest.mark.parametrize("name", OFFLINE)
def test_it_asks_nobody_elsewhere(name: str) -> None:
    found = study.load(FOLDER / f"{name}.yaml")
    for arm in found.arms:
        given = found.given(arm, found.seeds[0])
        assert given["teacher"]["use"] == "rules"
        assert given["student"]["base"] in ("pocket", "puzzles")


@pytest.mark.parametrize("name", REPORTED)
def test_its_report_says_what_its_results_say(name: str) -> None:
    design = study.load(FOLDER / f"{name}.yaml")
    folder = FOLDER / "results" / name
    told = {one["arm"]: one["end"] for one in read_json(folder / "report.json")["compared"]}
    assert list(told) == [arm.name for arm in design.arms]
    for arm in design.arms:
        shares = []
        for seed in design.seeds:
            found = results.read(results.path_of(folder, arm.name, seed))
            assert found.points[-1]["examples"] == design.amount
            shares.append(found.points[-1]["grades"].count("1") / len(found.items))
        assert told[arm.name]["by_seed"] == pytest.approx(shares)
        assert told[arm.name]["value"] == pytest.approx(sum(shares) / len(shares))


@pytest.mark.parametrize("name", REPORTED)
def test_the_table_that_people_read_is_that_of_its_report(name: str) -> None:
    section = README.partition(f"\n### {name}\n")[2].partition("\n#")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    report = (FOLDER / "results" / name / "report.md").read_text("utf-8").splitlines()
    assert len(rows) > len(study.load(FOLDER / f"{name}.yaml").arms)
    assert set(rows) <= set(report)


def planned(name: str, source: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """With the student that is here in place of the one that is downloaded."""
    here = [f"set.task.source={source}", "set.student={base: pocket, max_new_tokens: 32}"]
    options = [one for override in here for one in ("--set", override)]
    assert cli.main(["study", str(FOLDER / f"{name}.yaml"), "--plan", *options]) == 0
    return capsys.readouterr().out


def test_the_setting_of_the_paper_is_planned_on_gsm8k(
    gsm8k: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = planned("gsm8k", gsm8k, capsys)
    assert "7 arms x 5 seeds = 35 runs, 35 to do; all against static" in told
    assert told.count("10 x 1000") == 7


def test_the_setting_of_the_paper_is_planned_on_math(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "test"):
        rows = [
            {
                "problem": f"What is {number} + {number} in the {split}ing set?",
                "level": f"Level {number % 5 + 1}",
                "type": "Algebra",
                "solution": f"It is $\\boxed{{{2 * number}}}$.",
            }
            for number in range(20)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    told = planned("math", tmp_path, capsys)
    assert "5 arms x 5 seeds = 25 runs, 25 to do; all against static" in told
    assert told.count("10 x 1000") == 5
