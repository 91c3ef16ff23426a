"""A judge's reply is read whatever its dress, and never where it does not say it clearly."""

import pytest

from asft.grades import read_grade, read_grades, read_ranking, read_text
from asft.types import Finish, Reply

SCALE = (1.0, 10.0)


def reply(text: str, finish: Finish = "stop") -> Reply:
    return Reply(text=text, finish=finish, input_tokens=1, output_tokens=1)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("The steps are right.\n\nScore: 7", 7.0),
        ("Score: 7.5", 7.5),
        ("Score: 7,5", 7.5),
        ("**Score:** 8/10", 8.0),
        ("**Final Score: 8 out of 10**", 8.0),
        ("### Rating: [[9]]", 9.0),
        ("overall grade = 3.", 3.0),
        ("Score: 10\nscore: 2", 2.0),
        ('The answer ends in "Score: 10".\nScore: 1', 1.0),
        ("<think>\nScore: 9\n</think>\nScore: 4\n", 4.0),
        # Nothing that is a grade on this scale.
        ("", None),
        ("Score: high", None),
        ("Score: 10\nScore: high", None),
        ("Score: 11", None),
        ("Score: 0", None),
        ("Score: -3", None),
        ("Score: 4/5", None),
        ("Score: 7 or 8", None),
        ("It is worth 7 points.", None),
        ("Score A: 7\nScore B: 3", None),
        ("the score: see above; 7", None),
    ],
)
def test_a_grade_is_what_the_last_line_of_its_form_says(text: str, grade: float | None) -> None:
    assert read_grade(reply(text), SCALE) == grade


def test_a_scale_may_begin_anywhere() -> None:
    assert read_grade(reply("Score: 0"), (0.0, 1.0)) == 0.0
    assert read_grade(reply("Score: -1"), (-2.0, 2.0)) == -1.0


@pytest.mark.parametrize(
    ("text", "grades"),
    [
        ("Score A: 8\nScore B: 3", (8.0, 3.0)),
        ("Score B: 3\nScore A: 8", (8.0, 3.0)),
        ("**Score A:** 8/10\n**Score B:** 3/10", (8.0, 3.0)),
        ("Score A: 1\nScore B: 1\nSo:\nscore a: 8\nscore_b: 3", (8.0, 3.0)),
        ("Score A: 8", None),
        ("Score: 8\nScore: 3", None),
        ("Score A: 8\nScore B: none", None),
        ("Score A: 8, Score B: 3", None),
    ],
)
def test_a_pair_of_grades_needs_both(text: str, grades: tuple[float, float] | None) -> None:
    assert read_grades(reply(text), SCALE) == grades


@pytest.mark.parametrize(
    ("text", "ranking"),
    [
        ("Ranking: 3, 1, 2", [2, 0, 1]),
        ("They differ.\n**Ranking:** 3 > 1 > 2", [2, 0, 1]),
        ("Ranking: [3], [1], [2].", [2, 0, 1]),
        ("Ranking: 1, 2, 3\nFinal ranking: 3, 1, 2", [2, 0, 1]),
        ("Ranking: 3, 1", None),
        ("Ranking: 3, 1, 1", None),
        ("Ranking: 3, 1, 2, 4", None),
        ("Ranking: 0, 1, 2", None),
        ("Ranking: the first", None),
        ("3, 1, 2", None),
        ("", None),
    ],
)
def test_a_ranking_names_every_number_once(text: str, ranking: list[int] | None) -> None:
    assert read_ranking(reply(text), 3) == ranking


def test_a_reply_that_was_cut_off_says_nothing() -> None:
    assert read_grade(reply("Score: 7", "length"), SCALE) is None
    assert read_grades(reply("Score A: 7\nScore B: 1", "length"), SCALE) is None
    assert read_ranking(reply("Ranking: 1, 2", "length"), 2) is None
    assert read_text(reply("#### 7", "length")) is None


def test_a_text_is_a_reply_with_words() -> None:
    assert read_text(reply("<think>so</think>\n#### 7\n")) == "#### 7"
    assert read_text(reply("  \n")) is None


@pytest.mark.parametrize("text", ["Score" * 40_000, "*" * 200_000, "Score:" + " " * 200_000, "\n" * 200_000])
def test_hostile_replies_are_read_to_their_end(text: str) -> None:
    # A pattern whose time grows with the square of the length would take minutes.
    assert read_grade(reply(text), SCALE) is None
    assert read_grades(reply(text), SCALE) is None
    assert read_ranking(reply(text), 3) is None
