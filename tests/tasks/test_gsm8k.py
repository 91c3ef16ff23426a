import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from asft.errors import DataError
from asft.tasks.gsm8k import GSM8K
from asft.types import Task

ROW = {
    "question": "Ann has 48 clips and half as many boxes. How many things has she?",
    "answer": "She has 48/2 = <<48/2=24>>24 boxes.\nThat is 48+24 = <<48+24=72>>72 things.\n#### 1,072",
}


def folder(tmp_path: Path, *lines: str) -> GSM8K:
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return GSM8K(source=str(tmp_path))


@pytest.fixture(scope="module")
def published() -> GSM8K:
    data = os.environ.get("ASFT_DATA")
    if not data or not (Path(data) / "gsm8k" / "train.jsonl").is_file():
        pytest.skip("set ASFT_DATA to a folder that holds gsm8k/train.jsonl and gsm8k/test.jsonl")
    return GSM8K(source=str(Path(data) / "gsm8k"))


def test_gold_grades_right_on_all_of_train_and_test(published: GSM8K) -> None:
    # 7473 in train and 1319 in test, as published.
    for split, count in (("seed", 7473), ("test", 1319)):
        examples = published.load(split)
        assert len(examples) == count
        assert len({example.id for example in examples}) == count
        wrong = [e for e in examples if published.grade(e, e.completion or "").value != 1.0]
        assert wrong == []


def test_the_bare_reference_grades_right_and_another_number_wrong(published: GSM8K) -> None:
    for example in published.load("test"):
        assert published.grade(example, example.answer).value == 1.0
        assert published.grade(example, f"The answer is {float(example.answer) + 1}.").value == 0.0


def test_gsm8k_is_a_task(tmp_path: Path) -> None:
    assert isinstance(folder(tmp_path), Task)


def test_a_row_becomes_an_example(tmp_path: Path) -> None:
    for split in ("seed", "test"):
        [example] = folder(tmp_path, json.dumps(ROW)).load(split)
        assert example.task == "gsm8k"
        assert example.prompt == ROW["question"]
        assert example.answer == "1072"
        assert example.completion == ROW["answer"]
        assert example.tags == {"split": split, "steps": "2"}


def test_the_answer_stands_after_the_last_mark(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "#### 5 is wrong\n#### -3"}
    assert folder(tmp_path, json.dumps(row)).load("seed")[0].answer == "-3"


def test_a_text_without_an_answer_is_ungradable(tmp_path: Path) -> None:
    task = folder(tmp_path, json.dumps(ROW))
    [example] = task.load("seed")
    for text in ("", "  \n", "I do not know.", "####", "\\boxed{}"):
        grade = task.grade(example, text)
        assert (grade.value, grade.extracted) == (None, None), text
        assert grade.note == "no final answer"


def test_blank_lines_are_passed_over_and_line_numbers_still_hold(tmp_path: Path) -> None:
    assert len(folder(tmp_path, json.dumps(ROW), "", json.dumps(ROW | {"question": "r"})).load("seed")) == 2
    with pytest.raises(DataError, match="line 3"):
        folder(tmp_path, json.dumps(ROW), "", "{").load("seed")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "a JSON object"),
        ('{"question": "q"}', "'answer' must be text"),
        ('{"question": "", "answer": "#### 1"}', "'question' must be text"),
        ('{"question": "q", "answer": 5}', "'answer' must be text, not 5"),
        ('{"question": "q", "answer": "5"}', "must end with '#### '"),
        ('{"question": "q", "answer": "#### five"}', "must end with '#### '"),
    ],
)
def test_a_malformed_row_is_told_with_file_and_line(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(DataError) as caught:
        folder(tmp_path, json.dumps(ROW), line).load("test")
    message = str(caught.value)
    assert "test.jsonl, line 2: " in message
    assert says in message


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    task = folder(tmp_path)
    (tmp_path / "train.jsonl").write_bytes(json.dumps(ROW).encode() + b"\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"train\.jsonl, line 2: this is not UTF-8"):
        task.load("seed")


def test_an_unknown_split_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'train'; splits: seed, test"):
        folder(tmp_path, json.dumps(ROW)).load("train")


def test_a_missing_folder_is_told_without_asking_the_hub(tmp_path: Path) -> None:
    for source in (str(tmp_path / "none"), "./none", "../none", "~/none-such"):
        with pytest.raises(DataError, match=r"there is no folder .*none.*; give one with train\.jsonl"):
            GSM8K(source=source).load("seed")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*train\.jsonl"):
        GSM8K(source=str(tmp_path)).load("seed")


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no rows"):
        folder(tmp_path).load("seed")


def test_a_hub_that_cannot_be_reached_is_told_with_the_next_step(tmp_path: Path) -> None:
    code = (
        "from asft.tasks.gsm8k import GSM8K\nfrom asft.errors import DataError\n"
        "try: GSM8K().load('seed')\nexcept DataError as error: print(error)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=offline, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "'openai/gsm8k'" in done.stdout
    assert "set source to a folder with train.jsonl and test.jsonl" in done.stdout


def test_loading_a_folder_imports_no_heavy_package(tmp_path: Path) -> None:
    folder(tmp_path, json.dumps(ROW))
    code = (
        "import sys\nfrom asft.tasks.gsm8k import GSM8K\n"
        f"task = GSM8K(source={str(tmp_path)!r})\n[example] = task.load('seed')\n"
        "assert task.grade(example, '#### 1072').value == 1.0\n"
        "assert not {'torch', 'datasets', 'math_verify', 'sympy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
