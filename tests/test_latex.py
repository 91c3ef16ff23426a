from collections.abc import Sequence

import pytest

from asft.latex import boxes, cells, compact, items, repeating, without_unit


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("So it is $\\boxed 5$.", ["5"]),
        ("So it is $\\boxed \\frac{1}{2}$.", ["\\frac{1}{2}"]),
        (
            "$\\boxed{1}$, no: $\\boxed{\\{1, \\sqrt{\\frac{2}{3}}\\}}$",
            ["\\{1, \\sqrt{\\frac{2}{3}}\\}", "1"],
        ),
        ("$\\fbox{7}$", ["7"]),
        ("Put it into a \\boxed answer.", []),
        ("$\\boxed{}$", []),
        ("$\\boxed{5", []),
        ("5", []),
    ],
)
def test_boxes_are_read_last_first(text: str, contents: Sequence[str]) -> None:
    assert list(boxes(text)) == contents


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("0.\\overline{3}", "1/3"),
        (".\\bar6", "2/3"),
        # 1.2727... = 126/99.
        ("1.\\overline{27}", "14/11"),
        # 0.1666... = 15/90.
        ("0.1\\overline{6}", "1/6"),
        ("-0.\\overline{9}", "-1/1"),
        ("\\overline{AB}", "\\overline{AB}"),
    ],
)
def test_a_repeating_decimal_is_its_fraction(text: str, fraction: str) -> None:
    assert repeating(text) == fraction


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("\\frac12", "\\frac{1}{2}"),
        ("\\dfrac {1} 2", "\\frac{1}{2}"),
        ("\\frac{\\sqrt3}{2}", "\\frac{\\sqrt{3}}{2}"),
        ("\\sqrt[3]4", "\\sqrt[3]{4}"),
        ("x _1 + 2345_7", "x_{1}+2345_{7}"),
        ("3 \\pm x", "3\\pm x"),
        ("1 2", "1 2"),
    ],
)
def test_one_spelling_stands_for_all(text: str, form: str) -> None:
    assert compact(text) == form


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("12\\pi square inches", "12\\pi"),
        ("3\\sqrt{13} cm", "3\\sqrt{13}"),
        ("2^{10} cubic feet", "2^{10}"),
        ("\\frac{\\pi}{2} cm^2", "\\frac{\\pi}{2}"),
        ("12\\pi thousand", "12\\pi thousand"),
        ("12\\pi xy", "12\\pi xy"),
        ("5 apples", "5 apples"),
    ],
)
def test_units_end_a_formula_and_scales_and_letters_do_not(text: str, bare: str) -> None:
    assert without_unit(text) == bare


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[0,\\infty)", ("[)", ["0", "\\infty"])),
        ("x \\in (-2, \\frac{1}{2}]", ("(]", ["-2", "\\frac{1}{2}"])),
        ("\\{1,2\\}", ("{", ["1", "2"])),
        ("(1,2), (3,4)", ("", ["(1,2)", "(3,4)"])),
        ("1, 2 and 3", ("", ["1", "2", "3"])),
        ("1,234, 5", ("", ["1,234", "5"])),
        ("(x+1)(x-2)", None),
        ("(1,2", None),
        ("(1,2]]", None),
        ("Paris, Ohio", None),
        ("5", None),
        ("(" * 9 + "1,2" + ")" * 9, None),
    ],
)
def test_a_list_is_taken_apart_at_its_own_commas(text: str, found: tuple[str, list[str]] | None) -> None:
    assert items(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", ("", [["1", "2"], ["3", "4"]])),
        ("$\\left(\\begin{array}{c}1\\\\[2pt]2\\\\\\end{array}\\right)$", ("", [["1"], ["2"]])),
        ("\\begin{vmatrix}1\\end{vmatrix}", ("v", [["1"]])),
        ("\\begin{pmatrix}1\\end{bmatrix}", None),
        ("2\\begin{pmatrix}1\\end{pmatrix}", None),
    ],
)
def test_a_matrix_is_taken_apart_by_rows(text: str, found: tuple[str, list[list[str]]] | None) -> None:
    read = cells(text)
    assert (read and (read[0], [[cell.strip() for cell in row] for row in read[1]])) == found
