import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import pytest

from asft import registry
from asft.errors import DataError, PluginError
from asft.tasks.math import MATH
from asft.types import Example, Task


def row(problem: str, solution: str, level: object = "Level 2", type: str = "Algebra") -> dict[str, Any]:
    return {"problem": problem, "level": level, "type": type, "solution": solution}


FIVE = [
    row("What is $2+3$?", "It is $\\boxed{5}$.", "Level 1", "Prealgebra"),
    row("What is half of $\\frac34$?", "It is $\\frac12\\cdot\\frac34 = \\boxed{\\dfrac{3}{8}}$.", "Level 2"),
    row("For which $x$ is $x^2<4$?", "Where $x\\in\\boxed{(-2,2)}$.", "Level 3"),
    row("How many ways?", "There are $\\boxed{10}$ ways.", "Level 4", "Counting & Probability"),
    row("How wide is it?", "It is $\\boxed{45^\\circ}$ wide.", "Level 5", "Geometry"),
]


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return str(path)


def parquet(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_list(rows).to_parquet(path)
    return str(path)


def published(folder: Path) -> str:
    """MATH as its authors publish it: a file for each problem, in a folder for each subject."""
    for split in ("train", "test"):
        for number, one in enumerate([*FIVE, *(row(f"Once {i}?", "$\\boxed{1}$") for i in range(6))]):
            place = folder / split / str(one["type"]).lower().replace(" & ", "_and_")
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.json").write_text(json.dumps(one), encoding="utf-8")
    return str(folder)


def only(tmp_path: Path, solution: str) -> tuple[Task, Example]:
    task = MATH(source=jsonl(tmp_path / "rows.jsonl", [row("q?", solution)]))
    [example] = task.load("seed")
    return task, example


def made(**options: object) -> Task:
    task: Task = registry.make("task", "math", options)
    return task


# Rows


def test_a_row_becomes_an_example(tmp_path: Path) -> None:
    example = MATH(source=jsonl(tmp_path / "rows.jsonl", FIVE)).load("seed")[3]
    assert (example.task, example.prompt, example.answer) == ("math", "How many ways?", "10")
    assert example.completion == "There are $\\boxed{10}$ ways."
    assert example.tags == {"split": "seed", "level": "4", "type": "Counting & Probability"}


def test_the_published_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    task = MATH(source=published(tmp_path))
    for split in ("seed", "test"):
        prompts = [example.prompt for example in task.load(split)]
        # Algebra has 1, 2 and 5 to 10, of which 10 comes last; then come the other subjects.
        assert prompts[:2] == [FIVE[1]["problem"], FIVE[2]["problem"]]
        assert prompts[2:8] == [f"Once {i}?" for i in range(6)]
        assert prompts[8:] == [FIVE[3]["problem"], FIVE[4]["problem"], FIVE[0]["problem"]]


def test_jsonl_and_parquet_hold_the_same_examples(tmp_path: Path) -> None:
    lines, table, subjects = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    lines.mkdir()
    for split in ("train", "test"):
        jsonl(lines / f"{split}.jsonl", FIVE)
        parquet(table / f"{split}-00000-of-00001.parquet", FIVE)
        parquet(subjects / "algebra" / f"{split}-00000-of-00001.parquet", FIVE[:3])
        parquet(subjects / "geometry" / f"{split}-00000-of-00001.parquet", FIVE[3:])
    one_file = parquet(tmp_path / "rows.parquet", FIVE)
    for split in ("seed", "test"):
        wanted = MATH(source=str(lines)).load(split)
        assert len(wanted) == 5
        assert MATH(source=str(table)).load(split) == wanted
        assert MATH(source=str(subjects)).load(split) == wanted
    assert MATH(source=one_file).load("seed") == MATH(source=str(lines)).load("seed")


def test_another_source_may_have_the_test_split_with_the_columns_of_math_500(tmp_path: Path) -> None:
    rows = [{"problem": "q?", "solution": "$\\boxed{1}$", "answer": "1", "subject": "Geometry", "level": 5}]
    task = MATH(source=published(tmp_path / "full"), test=jsonl(tmp_path / "500.jsonl", rows))
    [example] = task.load("test")
    assert example.tags == {"split": "test", "level": "5", "type": "Geometry"}
    assert len(task.load("seed")) == 11


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("First $\\boxed{1}$, but no: $\\boxed{2}$.", "2"),
        ("$\\boxed{\\frac{\\sqrt{3}}{\\sqrt[3]{2}}}$", "\\frac{\\sqrt{3}}{\\sqrt[3]{2}}"),
        ("$\\boxed{\\left\\{\\frac{1}{2}, 3\\right\\}}$", "\\left\\{\\frac{1}{2}, 3\\right\\}"),
        ("$\\boxed 7$ it is.", "7"),
        ("$\\fbox{7}$ it is.", "7"),
    ],
)
def test_the_reference_is_what_stands_in_the_last_box(tmp_path: Path, solution: str, answer: str) -> None:
    assert only(tmp_path, solution)[1].answer == answer


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"solution": "It is 5."}, "no closed \\boxed{...}"),
        ({"solution": "It is $\\boxed{}$."}, "no closed \\boxed{...}"),
        ({"solution": "It is $\\boxed{5."}, "no closed \\boxed{...}"),
        ({"solution": "It is $\\boxed{...}$."}, "'...' has nothing to compare"),
        ({"solution": None}, "column 'solution' is empty"),
        ({"problem": " "}, "column 'problem' is empty"),
        ({"problem": ["q"]}, "column 'problem' is no text: \"['q']\""),
        ({"level": "Level 6"}, "the level 'Level 6' is not 'Level 1' to 'Level 5'"),
        ({"level": None}, "column 'level' is empty"),
        ({"type": ""}, "column 'type' is empty"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(
    tmp_path: Path, changed: Mapping[str, object], says: str
) -> None:
    source = jsonl(tmp_path / "rows.jsonl", [FIVE[0], {**FIVE[1], **changed}])
    with pytest.raises(DataError) as caught:
        MATH(source=source).load("seed")
    assert "rows.jsonl, line 2: " in str(caught.value)
    assert says in str(caught.value)


def test_a_bad_row_of_a_folder_or_a_table_is_told_with_its_place(tmp_path: Path) -> None:
    folder = Path(published(tmp_path / "MATH"))
    (folder / "train" / "algebra" / "2.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"train/algebra/2\.json: this is not JSON .*one object a file"):
        MATH(source=str(folder)).load("seed")
    table = parquet(tmp_path / "rows.parquet", [FIVE[0], {**FIVE[1], "solution": "It is 5."}])
    with pytest.raises(DataError, match=r"rows\.parquet, row 2: the solution has no closed"):
        MATH(source=table).load("seed")


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"rows\.parquet cannot be read as Parquet"):
        MATH(source=str(tmp_path / "rows.parquet")).load("seed")
    with pytest.raises(DataError, match=r"there is no file .*none\.parquet"):
        MATH(source=str(tmp_path / "none.parquet")).load("seed")


def test_a_missing_column_is_told_with_the_likely_one(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", [{"problems": "q?", "solution": "$\\boxed{1}$"}])
    with pytest.raises(DataError, match="there is no column 'problem'; did you mean 'problems'"):
        MATH(source=source).load("seed")


def test_a_repeated_problem_is_left_out_or_told(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", [*FIVE, FIVE[0]])
    assert len(MATH(source=source).load("seed")) == 5
    with pytest.raises(DataError, match=r"line 6: the same prompt and answer as .*line 1"):
        MATH(source=source, duplicates="error").load("seed")


# Which rows


def test_levels_take_math1_3(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", [*FIVE, row("Unknown?", "$\\boxed{1}$", "Level ?")])
    taken = MATH(source=source, levels=(1, 2, 3)).load("seed")
    assert [example.tags["level"] for example in taken] == ["1", "2", "3"]
    assert [example.tags["level"] for example in MATH(source=source).load("seed")] == [*"12345?"]


def test_types_are_taken_by_their_titles_or_by_the_names_of_their_folders(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", FIVE)
    taken = MATH(source=source, types=("counting_and_probability", "Geometry")).load("seed")
    assert [example.tags["type"] for example in taken] == ["Counting & Probability", "Geometry"]
    with pytest.raises(DataError, match="no row is of type 'geometri'; types: Algebra, Counting & Prob"):
        MATH(source=source, types=("geometri",)).load("seed")


def test_nothing_left_is_told_with_what_was_asked_for(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", FIVE[:2])
    with pytest.raises(DataError, match=r"of 2 rows none is left for 'seed' \(levels: \(5,\)"):
        MATH(source=source, levels=(5,)).load("seed")
    with pytest.raises(DataError, match="there are no rows for 'seed'"):
        MATH(source=jsonl(tmp_path / "none.jsonl", [])).load("seed")


@pytest.mark.parametrize(
    "options",
    [{"levels": [0]}, {"levels": [6]}, {"levels": []}, {"types": []}, {"held_out": 0}, {"held_out": 1}],
)
def test_options_that_take_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(PluginError, match=next(iter(options))):
        made(**options)


def test_held_out_cuts_one_file_in_two(tmp_path: Path) -> None:
    rows = [row(f"What is ${i}+0$?", f"$\\boxed{{{i}}}$") for i in range(400)]
    source = jsonl(tmp_path / "rows.jsonl", rows)
    task = MATH(source=source, held_out=0.25)
    seeds, tests = task.load("seed"), task.load("test")
    assert {e.id for e in seeds} | {e.id for e in tests} == {e.id for e in MATH(source=source).load("seed")}
    assert len(seeds) + len(tests) == 400
    # 100 of 400 with a standard deviation of 9.
    assert 60 < len(tests) < 140
    assert {example.tags["split"] for example in tests} == {"test"}


def test_a_problem_is_held_out_whatever_stands_beside_it(tmp_path: Path) -> None:
    rows = [row(f"What is ${i}+0$?", f"$\\boxed{{{i}}}$") for i in range(60)]
    full = MATH(source=jsonl(tmp_path / "full.jsonl", rows), held_out=0.3).load("test")
    half = MATH(source=jsonl(tmp_path / "half.jsonl", rows[::-2]), held_out=0.3).load("test")
    more = MATH(source=jsonl(tmp_path / "full.jsonl", rows), held_out=0.6).load("test")
    assert {e.id for e in half} < {e.id for e in full} < {e.id for e in more}


def test_one_file_alone_has_no_test_split(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", FIVE)
    with pytest.raises(DataError, match="one file holds the seeds alone; set held_out"):
        MATH(source=source).load("test")
    with pytest.raises(PluginError, match="both test and held_out give a test split"):
        made(source=source, test=source, held_out=0.5)


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder test/, no test\.jsonl and no test\*\.parquet"):
        MATH(source=str(tmp_path)).load("test")


def test_a_hub_that_cannot_be_reached_is_told_with_the_next_step(tmp_path: Path) -> None:
    code = (
        "from asft.tasks.math import MATH\nfrom asft.errors import DataError\n"
        "try: MATH().load('seed')\nexcept DataError as error: print(error)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=offline, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "'EleutherAI/hendrycks_math' (configuration 'algebra', split 'train')" in done.stdout
    assert "set source to a folder with MATH's train and test" in done.stdout


# Grades


@pytest.mark.parametrize(
    ("boxed", "text"),
    [
        ("\\dfrac{3}{4}", "The answer is 0.75."),
        ("90^\\circ", "It is 90 degrees."),
        ("25\\%", "\\boxed{25}"),
        ("\\$18.90", "So we pay $18.90$ dollars."),
        ("(-\\infty, 2]", "$\\boxed{\\left(-\\infty,2\\right]}$"),
        ("\\left(3, \\frac{1}{2}\\right)", "The answer is (3, 1/2)."),
        ("1, -2", "\\boxed{-2, 1}"),
        ("\\text{Evelyn}", "Evelyn"),
        ("\\text{Evelyn}", "So the answer is Evelyn."),
        ("\\text{odd}", "#### Odd."),
        ("\\text{(B)}", "The answer is B."),
        ("12\\pi \\text{ square inches}", "$\\boxed{12\\pi}$"),
        ("(1,2),(3,4)", "$(3,4), (1,2)$"),
        ("2:3", "2:3"),
        ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"),
        ("\\frac{1+\\sqrt{5}}{2}", "\\boxed{\\frac{1}{2}+\\frac{\\sqrt5}{2}}"),
    ],
)
def test_the_same_answer_grades_right_however_it_is_written(tmp_path: Path, boxed: str, text: str) -> None:
    task, example = only(tmp_path, f"So $\\boxed{{{boxed}}}$.")
    assert task.grade(example, text).value == 1.0
    assert task.grade(example, example.completion or "").value == 1.0


@pytest.mark.parametrize(
    ("boxed", "text"),
    [
        ("(-\\infty, 2]", "\\boxed{(-\\infty, 2)}"),
        ("(3, 4)", "\\boxed{(4, 3)}"),
        ("\\text{Evelyn}", "The answer is Briana."),
        ("\\text{Evelyn}", "#### 5"),
        ("\\frac{3}{4}", "It is 4/3."),
        ("(1,2)", "First (1,2), then 3 more."),
    ],
)
def test_another_answer_grades_wrong(tmp_path: Path, boxed: str, text: str) -> None:
    task, example = only(tmp_path, f"So $\\boxed{{{boxed}}}$.")
    assert task.grade(example, text).value == 0.0


@pytest.mark.parametrize("boxed", ["5", "\\text{Evelyn}", "(1,2)"])
def test_a_text_without_an_answer_is_ungradable(tmp_path: Path, boxed: str) -> None:
    task, example = only(tmp_path, f"So $\\boxed{{{boxed}}}$.")
    for text in ("", "\n", "I do not know.", "\\boxed{}"):
        grade = task.grade(example, text)
        assert (grade.value, grade.extracted, grade.note) == (None, None, "no final answer"), text
