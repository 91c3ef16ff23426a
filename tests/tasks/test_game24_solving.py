"""The game of 24: calculations read exactly, all solutions found, and worked answers written."""

import random
from fractions import Fraction
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.tasks.game24 import arithmetic, language
from asft.tasks.game24.search import search
from asft.tasks.game24.solving import CLASSES, class_of, draw, solutions, value_of, walk

SIGNS = st.sampled_from("+-*/")


def trees(leaves: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    return st.recursive(
        leaves.map(str),
        lambda inner: st.builds(lambda a, sign, b: f"({a} {sign} {b})", inner, SIGNS, inner),
        max_leaves=8,
    )


@given(trees(st.integers(min_value=1, max_value=13)))
def test_a_calculation_has_the_value_that_exact_arithmetic_gives_it(text: str) -> None:
    # Python's own parser, on text made here of digits, signs and brackets alone.
    import ast

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, int)
            return Fraction(node.value)
        assert isinstance(node, ast.BinOp)
        left, right = value(node.left), value(node.right)
        if isinstance(node.op, ast.Div):
            return left / right
        if isinstance(node.op, ast.Mult):
            return left * right
        return left + right if isinstance(node.op, ast.Add) else left - right

    read = arithmetic.parse(text)
    assert read is not None
    try:
        assert read.value == value(ast.parse(text, mode="eval").body)
    except ZeroDivisionError:
        assert read.value is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8 - 4 - 2", 2),
        ("8 / 4 / 2", 1),
        ("2 + 3 * 4", 14),
        ("2(3 + 4)", 14),
        ("-2 * -3", 6),
        ("-(2 + 3) + 6", 1),
        (r"\frac{1}{2} + \frac{1}{2}", 1),
        (r"2\frac{6}{4}", 3),
        ("1.5 * 2", 3),
        ("[{(2)}]", 2),
    ],
)
def test_precedence_is_as_in_school(text: str, value: int) -> None:
    read = arithmetic.parse(text)
    assert read is not None
    assert read.value == value


@pytest.mark.parametrize(
    "text",
    ["", "4 4", "4 +", "(4", "4)", "* 4", "2 ** 3", "2 ^ 3", "4 = 4", r"\frac{1}", "4 a", "4!", "1e3", "()"],
)
def test_what_is_no_calculation_is_not_read(text: str) -> None:
    assert arithmetic.parse(text) is None


def test_too_deep_or_too_long_a_text_is_not_read() -> None:
    assert arithmetic.parse("(" * 20 + "1" + ")" * 20) is not None
    assert arithmetic.parse("(" * 60 + "1" + ")" * 60) is None
    assert arithmetic.parse("1+" * 200 + "1") is None


# The solver


def test_a_puzzle_has_the_solutions_that_can_be_found_by_hand() -> None:
    # 1 1 1 8: (1 + 1 + 1) * 8. 1 1 1 1: at most (1 + 1) * (1 + 1) = 4.
    assert [language.expression(tree) for tree in solutions((1, 1, 1, 8))] == ["8 * (1 + 1 + 1)"]
    assert solutions((1, 1, 1, 1)) == ()
    # 3 3 8 8 and 1 5 5 5 are known to need a fraction.
    assert [language.expression(tree) for tree in solutions((3, 3, 8, 8))] == ["8 / (3 - (8 / 3))"]
    assert [language.expression(tree) for tree in solutions((1, 5, 5, 5))] == ["5 * (5 - (1 / 5))"]


def test_order_and_grouping_make_no_other_solution() -> None:
    # 6 6 6 6: only 6 + 6 + 6 + 6 and 6 * 6 - 6 - 6.
    assert len(solutions((6, 6, 6, 6))) == 2
    # 1 1 4 6: 4 * 6 * 1 * 1 in whichever order, 4 * 6 + 1 - 1, 4 * (6 + 1 - 1) and 6 * (4 + 1 - 1),
    # (5 - 1) * 6 with 5 = 4 + 1 being the last of these.
    assert len(solutions((1, 1, 4, 6))) == 4


def test_every_solution_uses_the_numbers_once_and_is_24() -> None:
    rng = random.Random(1)
    for _ in range(40):
        numbers = tuple(sorted(rng.randint(1, 13) for _ in range(4)))
        for tree in solutions(numbers):
            read = arithmetic.parse(language.expression(tree))
            assert read is not None
            assert read.value == value_of(tree) == 24
            assert tuple(sorted(read.numbers)) == numbers


def test_a_search_without_any_shortcut_finds_the_same_puzzles_solvable() -> None:
    def reachable(values: tuple[Fraction, ...]) -> set[Fraction]:
        if len(values) == 1:
            return {values[0]}
        found: set[Fraction] = set()
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                if i != j:
                    rest = tuple(v for k, v in enumerate(values) if k not in (i, j))
                    for made in [a + b, a - b, a * b, *([a / b] if b else [])]:
                        found |= reachable((*rest, made))
        return found

    rng = random.Random(2)
    every = list(combinations_with_replacement(range(1, 14), 4))
    for numbers in rng.sample(every, 12):
        assert (24 in reachable(tuple(map(Fraction, numbers)))) == bool(solutions(numbers))


def test_a_puzzle_is_drawn_of_the_class_that_is_wanted() -> None:
    rng = random.Random(3)
    for wanted in CLASSES:
        numbers = draw(rng, wanted)
        assert class_of(numbers) == wanted
        assert numbers == tuple(sorted(numbers))
    assert class_of((1, 1, 1, 1)) is None


# The search


def test_the_search_finds_a_solution_wherever_there_is_one() -> None:
    rng = random.Random(4)
    every = list(combinations_with_replacement(range(1, 14), 4))
    large = [tuple(sorted(rng.randint(1, 99) for _ in range(4))) for _ in range(100)]
    for numbers in (*rng.sample(every, 200), *large):
        found = search(numbers)
        assert (found is not None) == bool(solutions(numbers))
        if found is not None:
            read = arithmetic.parse(language.expression(found.steps[-1]))
            assert read is not None
            assert read.value == 24
            assert tuple(sorted(read.numbers)) == numbers
            fractions = any(step.value.denominator > 1 for step in found.steps)
            assert fractions == all(
                any(step.value.denominator > 1 for step in walk(tree)) for tree in solutions(numbers)
            )


def test_a_step_is_given_up_only_where_three_numbers_are_left_that_do_not_make_24() -> None:
    def makes(values: tuple[Fraction, ...]) -> bool:
        if len(values) == 1:
            return values[0] == 24
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                rest = tuple(v for k, v in enumerate(values) if k not in (i, j))
                made = [a + b, a - b, a * b, *([a / b] if b else [])] if i != j else []
                if any(value.denominator == 1 and makes((*rest, value)) for value in made):
                    return True
        return False

    rng = random.Random(5)
    for wanted in CLASSES:
        numbers = draw(rng, wanted)
        found = search(numbers)
        assert found is not None
        for at, step in enumerate((*found.given_up, found.steps[0])):
            rest = [Fraction(number) for number in numbers]
            rest.remove(value_of(step.left))
            rest.remove(value_of(step.right))
            assert makes((*rest, step.value)) == (at == len(found.given_up))


def test_the_worked_answer_is_one_calculation_a_line_and_says_what_was_given_up() -> None:
    # 8 is made of 1 1 1 8 in no other way than by 1 + 1 + 1 = 3. The pairs are tried from the largest down:
    # 8 and 1 give 7, 9 and 8 (8 / 1 leaves what 8 * 1 leaves), and 1 and 1 give 0 and 2.
    assert language.work((1, 1, 1, 8)) == (
        "8 - 1 = 7 (left: 1 1 7): no\n8 + 1 = 9 (left: 1 1 9): no\n8 * 1 = 8 (left: 1 1 8): no\n"
        "1 - 1 = 0 (left: 0 1 8): no\n1 + 1 = 2 (left: 1 2 8)\n2 + 1 = 3 (left: 3 8)\n8 * 3 = 24 (left: 24)\n"
        "#### 8 * (1 + 1 + 1)"
    )
    # The numbers of a puzzle may stand in any order.
    assert language.work((8, 1, 1, 1)) == language.work((1, 1, 1, 8))
    assert language.work((3, 3, 8, 8)).endswith(
        "\n8 / 3 = (8/3) (left: (8/3) 3 8)\n3 - (8/3) = (1/3) (left: (1/3) 8)\n"
        "8 / (1/3) = 24 (left: 24)\n#### 8 / (3 - (8 / 3))"
    )
    with pytest.raises(ValueError, match="cannot make 24"):
        language.work((1, 1, 1, 1))
