"""The game of 24: its checker, its puzzles, and the published table."""

import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from asft.errors import DataError, PluginError
from asft.registry import make
from asft.tasks.game24 import language
from asft.tasks.game24.solving import class_of
from asft.tasks.game24.task import BUCKETS, SALTS, SHARES, TRAINING_BUCKETS, Game24, bucket, puzzles
from asft.types import Example

# (4 + 8) * (6 - 4) = 12 * 2 = 24, and 4 * (8 - 6 + 4) = 4 * 6.
PUZZLE = Example.make(
    task="game24",
    prompt="Use each of the numbers 4, 4, 6 and 8 once to make 24.",
    answer="(4 + 8) * (6 - 4)",
)
STEPS = "4 + 8 = 12 (left: 4 6 12)\n6 - 4 = 2 (left: 2 12)\n12 * 2 = 24 (left: 24)\n"


@cache
def loaded(salt: str = "A", split: str = "seed") -> tuple[Example, ...]:
    return tuple(make("task", "game24", {"salt": salt}).load(split))


def numbers_of(example: Example) -> tuple[int, ...]:
    numbers = language.read(example.prompt)
    assert numbers is not None
    return numbers


# The checker


@pytest.mark.parametrize(
    "text",
    [
        "(4 + 8) * (6 - 4)",
        "(4+8)*(6-4) = 24",
        "24 = (4+8)*(6-4)",
        "#### (4 + 8) * (6 - 4)",
        "#### 4*(8-6+4)",
        "(4 + 8) × (6 − 4)",
        "(4 + 8) x (6 - 4)",
        "(6–4)·[8+4]",
        "(4+8)(6-4)",
        r"$\left(4+8\right)\times\left(6-4\right)=24$",
        r"\[ \boxed{(4+8)\cdot(6-4)} \]",
        "(4+8)*(6-4) = 12*2 = 24",
        "The answer is **(4+8)*(6-4)**.",
        "So we get ((4+8)*(6-4) = 24).",
        "(4+8)*(6-4) = 24. The answer is 24.",
        f"{STEPS}Answer: (4 + 8) * (6 - 4) = 24",
        f"{STEPS}#### (4 + 8) * (6 - 4)",
        "First I tried 4 + 6 * 8 / 4 = 16.\nBut (8 + 4) * (6 - 4) is it: it uses 4, 4, 6 and 8.",
        "-(4 - 6) * (4 + 8)",
    ],
)
def test_any_spelling_of_a_solution_is_right(text: str) -> None:
    assert Game24().grade(PUZZLE, text).value == 1.0, Game24().grade(PUZZLE, text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(8 + 4) / (6 - 4)", "it is 6"),
        ("4 * 6 + 8 - 8", "it uses 4 6 8 8, not 4 4 6 8"),
        ("4 * 6", "it uses 4 6, not 4 4 6 8"),
        ("4 + 4 + 4 * 6 - 8", "it uses 4 4 4 6 8, not 4 4 6 8"),
        ("44 - 8 - 6", "it uses 6 8 44, not 4 4 6 8"),
        ("8 / (4 - 4) + 6", "it divides by zero"),
        ("(4 + 8) * (6 - 4) = 25", "it is said to be 25"),
        ("#### 24", "no calculation"),
        ("#### 6 * 4 = 24", "it uses 4 6, not 4 4 6 8"),
        ("8 / (4 - 4 + 6)", "it is 4/3"),
    ],
)
def test_what_is_no_solution_is_wrong_and_it_says_why(text: str, why: str) -> None:
    grade = Game24().grade(PUZZLE, text)
    assert grade.value == 0.0
    assert grade.note.endswith(why)


@pytest.mark.parametrize(
    "text", ["", "I do not know.", "four times six", "4 4 6 8", "The answer is nothing."]
)
def test_a_text_without_a_calculation_has_no_grade(text: str) -> None:
    assert Game24().grade(PUZZLE, text).value is None


def test_a_value_is_exact_where_a_float_is_not() -> None:
    assert 8 / (3 - 8 / 3) != 24
    puzzle = Example.make(task="game24", prompt=language.question((3, 3, 8, 8)), answer="8 / (3 - 8 / 3)")
    assert Game24().grade(puzzle, "8 / (3 - 8 / 3)").value == 1.0


def test_the_extracted_answer_is_the_expression_alone() -> None:
    for text in (f"{STEPS}#### (4 + 8) * (6 - 4)", "It is (4 + 8) * (6 - 4) = 24.", PUZZLE.answer):
        assert Game24().grade(PUZZLE, text).extracted == PUZZLE.answer
    assert Game24().grade(PUZZLE, "(4 + 8) * (6 - 4) = 25").extracted == "(4 + 8) * (6 - 4) = 25"


def test_the_numbers_are_those_of_the_question_and_else_those_of_the_reference() -> None:
    lying = replace(PUZZLE, answer="1 + 1")
    assert Game24().grade(lying, "(4 + 8) * (6 - 4)").value == 1.0
    unread = replace(PUZZLE, prompt="What can be done with two fours, a six and an eight?")
    assert Game24().grade(unread, "4 * (8 - 6 + 4)").value == 1.0
    assert Game24().grade(unread, "4 * 6 * (8 - 7)").value == 0.0
    unknown = replace(unread, answer="")
    grade = Game24().grade(unknown, "4 * 6")
    assert (grade.value, grade.note) == (None, "last expression; the question names no four numbers")


@pytest.mark.parametrize(
    "question",
    [
        "Use each of the numbers 8, 4, 6 and 4 once to make 24.",
        "Input: 4 4 6 8\nMake 24.",
        "Given the numbers: 4,4,6,8 - get to 24!",
        "With the four numbers (4, 4, 6, 8), how do you make 24?",
        "Target 24. Numbers 4 and 4 and 6 and 8.",
    ],
)
def test_a_puzzle_is_read_in_other_words(question: str) -> None:
    assert language.read(question) == (4, 4, 6, 8)


@pytest.mark.parametrize(
    "question",
    [
        "Use the numbers 4, 4, 6 and 8 to make 25.",
        "Use the numbers 4, 4, 6, 7 and 8 to make 24.",
        "Use the numbers 4, 4 and 6 to make 24.",
        "He sold 4, 4, 6 and 8 boxes in 24 days.",
        "Use the numbers 4, 4, 6 and 8 to make 24, then the numbers 1, 2, 3 and 4 to make 24.",
    ],
)
def test_what_is_not_one_puzzle_is_not_read(question: str) -> None:
    assert language.read(question) is None


# The task


def test_an_example_holds_its_puzzle_a_solution_and_its_work() -> None:
    for example in loaded()[:60]:
        numbers = numbers_of(example)
        assert example.prompt == language.question(numbers)
        assert example.completion == language.work(numbers)
        assert example.completion.endswith(f"#### {example.answer}")
        assert Game24().grade(example, example.answer).value == 1.0
        assert Game24().solve(example.prompt) == example.answer
        assert set(example.tags) == {"solutions", "fractions", "split"}
        assert example.tags["solutions"] == class_of(numbers)
        # A fraction stands in brackets among the numbers that are left.
        assert (example.tags["fractions"] == "yes") == (
            re.search(r"left:[^)]*\(", example.completion) is not None
        )


def test_salts_and_splits_share_no_puzzle_and_leave_some_for_a_student() -> None:
    owned = [{numbers_of(e) for e in loaded(salt, split)} for salt in SALTS for split in SHARES]
    together = set().union(*owned)
    assert sum(map(len, owned)) == len(together)
    assert {bucket(numbers) for numbers in together} | TRAINING_BUCKETS == set(range(BUCKETS))
    assert {bucket(numbers) for numbers in together}.isdisjoint(TRAINING_BUCKETS)
    assert [len(loaded("A", split)) for split in SHARES] == [261, 86, 183]


def test_there_are_as_many_puzzles_as_were_published() -> None:
    # 1362 in the published table.
    assert sum(1 for _ in puzzles(frozenset(range(BUCKETS)))) == 1362


def test_a_larger_split_starts_with_the_smaller_one() -> None:
    assert tuple(Game24(seeds=7).load("seed")) == loaded()[:7]
    assert list(Game24(tests=0).load("test")) == []


def test_more_than_there_are_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(
        DataError, match=r"game24 has 261 puzzles for 'seed', not 5000; .* raise largest = 13"
    ):
        Game24(seeds=5000).load("seed")


def test_larger_numbers_make_more_puzzles_and_keep_those_there_are() -> None:
    few = {numbers_of(e) for e in Game24(largest=5).load("validation")}
    more = {numbers_of(e) for e in Game24(largest=7).load("validation")}
    assert few < more
    assert all(max(numbers) <= 7 for numbers in more)


@pytest.mark.parametrize("options", [{"salt": "C"}, {"seeds": -1}, {"largest": 3}, {"largest": 21}])
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(PluginError, match=next(iter(options))):
        make("task", "game24", options)


def test_two_puzzles_share_few_runs_of_words() -> None:
    # not_in_test drops from half of the runs on; two puzzles that differ in one number stay apart.
    from asft.filters.words import runs_of, words_of

    for other in ((4, 4, 6, 9), (3, 4, 6, 8), (4, 4, 5, 8), (4, 5, 6, 8)):
        one, two = (set(runs_of(words_of(language.question(n)))) for n in ((4, 4, 6, 8), other))
        assert len(one & two) < len(one) / 2


def test_what_is_no_puzzle_or_has_no_solution_is_not_solved() -> None:
    assert Game24().solve("How many apples are there?") is None
    assert Game24().solve("Use each of the numbers 1, 1, 1 and 1 once to make 24.") is None
    assert Game24().solve("Use each of the numbers 8, 6, 4 and 4 once to make 24.") == "(4 + (8 - 6)) * 4"


# The published table


@pytest.fixture(scope="module")
def published(asft_data: Path) -> Game24:
    folder = asft_data / "game24"
    if not (folder / "24.csv").is_file():
        pytest.skip("ASFT_DATA has no game24/24.csv")
    return Game24(source=str(folder))


def test_the_published_puzzles_are_read_and_solved(published: Game24) -> None:
    test, seeds = published.load("test"), published.load("seed")
    assert (len(test), len(seeds)) == (100, 1262)
    assert [example.tags["rank"] for example in test] == [str(rank) for rank in range(901, 1001)]
    assert {example.tags["split"] for example in seeds} == {"seed"}
    for example in (*test, *seeds):
        assert published.grade(example, example.completion or "").value == 1.0
    with pytest.raises(DataError, match="no split 'validation'; splits: seed, test"):
        published.load("validation")


def table(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "24.csv"
    path.write_text("\n".join(["Rank,Puzzles,Solved rate", *lines, ""]), encoding="utf-8")
    return str(path)


def test_a_row_becomes_an_example(tmp_path: Path) -> None:
    source = table(tmp_path, "1,1 1 4 6,99.20%", "901,8 3 8 3,10%")
    [seed] = Game24(source=source).load("seed")
    assert seed.prompt == "Use each of the numbers 1, 1, 4 and 6 once to make 24."
    assert seed.tags == {"solutions": "3 to 4", "fractions": "no", "split": "seed", "rank": "1"}
    [test] = Game24(source=source).load("test")
    assert test.prompt == "Use each of the numbers 8, 3, 8 and 3 once to make 24."
    assert test.answer == "8 / (3 - (8 / 3))"
    assert Game24(source=source, tests=0).load("test") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,1 1 1 1,1%", "line 2: (1, 1, 1, 1) cannot make 24; mend"),
        ("1,1 1 4,1%", "line 2: 'Puzzles' must be 4 whole numbers, not '1 1 4'"),
        ("1,a b c d,1%", "line 2: 'Puzzles' must be 4 whole numbers"),
        ("first,1 1 4 6,1%", "line 2: 'Rank' must be a whole number, not 'first'"),
        ("901,1 1 4 6,1%", "there are no puzzles for 'seed'"),
    ],
)
def test_a_bad_row_is_told_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DataError) as raised:
        Game24(source=table(tmp_path, line)).load("seed")
    assert said in str(raised.value)


def test_another_table_is_told_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "24.csv"
    path.write_text("question,answer\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column 'Rank'; columns: question, answer"):
        Game24(source=str(path)).load("seed")
    with pytest.raises(DataError, match="there is no file"):
        Game24(source=str(tmp_path / "none.csv")).load("seed")


def test_the_check_at_length_runs_and_finds_nothing() -> None:
    script = Path(__file__).parents[2] / "scripts" / "check_reasoning.py"
    done = subprocess.run(
        [sys.executable, str(script), "--problems", "40", "--data", ""],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert [line.split(" read back")[0] for line in said] == ["game24: 40", "prontoqa: 40"]
