"""What README.md shows is what works: its examples are taken out of it and run."""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import cli, recipe, registry
from asft.starter import recipes
from asft.types import Answer, Measurements, Observation

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")

NANO: dict[str, Any] = {
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 4, "tests": 4},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def example(of: str) -> str:
    """The Python example with this class."""
    [found] = [block for block in blocks("python") if f"class {of}" in block]
    return found


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with the Python examples as files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hard.py").write_text(example("LongAnswers"), "utf-8")
    (tmp_path / "squares.py").write_text(example("Squares"), "utf-8")
    return tmp_path


def check(here: Path, **changed: Mapping[str, Any]) -> int:
    (here / "nano.yaml").write_text(yaml.safe_dump({**NANO, **changed}), "utf-8")
    return cli.main(["check", "nano.yaml"])


def test_the_endpoint_is_one_that_check_accepts_and_prices(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [section] = [block for block in blocks("yaml") if "teacher:" in block]
    monkeypatch.setenv("EXAMPLE_API_KEY", "sk-1")
    assert check(here, **yaml.safe_load(section)) == 0
    told = capsys.readouterr().out
    assert "some-large-model at https://api.example.com/v1, with the key in EXAMPLE_API_KEY" in told
    assert re.search(r"^  USD +\d+\.\d\d +\d+\.\d\d$", told, re.MULTILINE)


def test_the_criterion_is_used_by_the_name_that_is_given_and_scores_by_length(here: Path) -> None:
    [name] = re.findall(r"`use: (hard\.py:\w+)`", README)
    assert check(here, criterion={"use": name}) == 0
    measured = Measurements(
        round=1,
        examples=(),
        observations=(
            Observation(example_id="a", own=Answer(text="x y", token_ids=(5, 6), finish="stop")),
            Observation(example_id="b"),
        ),
    )
    criterion = registry.make("criterion", name)
    assert [need.name for need in criterion.needs] == ["own"]
    assert criterion.score(measured) == [2.0, None]


def test_the_sections_on_what_is_hard_are_ones_that_a_recipe_takes() -> None:
    [sections] = [block for block in blocks("yaml") if "criterion:" in block]
    made = recipe.read({**NANO, **yaml.safe_load(sections)})
    assert [need.name for need in made.needs] == ["embedding", "own", "judge_pair"]
    assert made.judge is not None


def test_the_section_on_numbers_is_one_that_a_recipe_takes_and_every_task_is_named() -> None:
    [section] = [block for block in blocks("yaml") if block.startswith("evaluate:")]
    assert recipe.read({**NANO, **yaml.safe_load(section)}).evaluate.shots == 4
    told = README.partition("\nTasks: ")[2].partition("\n\n")[0]
    assert all(f"`{name}`" in told for name in registry.BUILT_IN["task"])


def test_the_notebook_example_ranks(here: Path) -> None:
    [block] = [block for block in blocks("python") if "asft.score(" in block]
    found = "len(hardest), len(scored.measurements.examples), *scored.scores"
    program = f"{block}\nprint('HARDEST', {found}, sep='|')"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "HARDEST|3|20|loss|incorrect k=4" in done.stdout


def test_it_counts_criteria_selectors_and_filters_right() -> None:
    counts = {"criterion": "Seventeen criteria", "selector": "eleven selectors", "filter": "twelve filters"}
    numbers = {17: "seventeen", 11: "eleven", 12: "twelve"}
    told = " ".join(README.split())
    for kind, words in counts.items():
        assert words in told
        assert words.lower().startswith(numbers[len(registry.BUILT_IN[kind])])


def test_the_task_loads_grades_and_has_splits_apart(here: Path) -> None:
    assert check(here, task={"use": "squares.py:Squares"}) == 0
    task = registry.make("task", "squares.py:Squares", {"count": 3})
    seeds, test = task.load("seed"), task.load("test")
    assert [example.answer for example in (*seeds, *test)] == ["0", "1", "4", "9", "16", "25"]
    for one in (*seeds, *test):
        assert task.grade(one, one.completion).value == 1.0
        assert task.grade(one, "").value is None


def test_every_command_is_one_that_the_command_line_takes() -> None:
    shown = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("asft ")]
    assert len(shown) >= 6
    for line in shown:
        arguments = shlex.split(line, comments=True)[1:]
        assert cli._parser().parse_args(arguments).call


def test_the_table_of_recipes_has_every_recipe_with_its_student_and_teacher() -> None:
    rows = dict(re.findall(r"^\| `(.*?\.yaml)` \| (.*)$", README, re.MULTILINE))
    assert set(rows) == {path.name for path in recipes().glob("*.yaml")}
    for name, row in rows.items():
        made = yaml.safe_load((recipes() / name).read_text("utf-8"))
        assert made["student"]["base"].rpartition("/")[2] in row
        assert {"rules": "rules", "openai": "OpenAI-compatible"}[made["teacher"]["use"]] in row


def test_links_to_files_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / target).exists(), target
