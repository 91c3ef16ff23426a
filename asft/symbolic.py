"""Equality of answers that are LaTeX mathematics, by math-verify and sympy: x^2-1 is (x-1)(x+1).

Both can take for ever on a small text (a tower of powers), so only what has a safe shape reaches them;
and only through their LaTeX reader, since the other one evaluates its text as code.
"""

import logging
import re
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)

_COMMANDS = frozenset(
    re.findall(
        r"\\(?:[a-z]+|.)",
        r"\frac\sqrt\pi\cdot\times\pm\infty\sin\cos\tan\cot\sec\csc\arcsin\arccos\arctan\log\ln\cup\cap"
        r"\le\leq\ge\geq\lt\gt\in\emptyset\theta\alpha\beta\{\}",
    )
)
_SMALL_WORDS = frozenset(["to", "or", "by", "of", "is", "in", "at", "no", "an", "as", "if", "it", "on"])
_PIECE = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]+|[0-9]+|\s+|.", re.DOTALL)


def mathematical(latex: str) -> bool:
    """More than bare letters and finished: neither the word "ab" nor the unfinished sum "5-10"."""
    return bool(re.search(r"[\\^A-Za-z]", latex) and re.search(r"[\\^+*/=<>0-9-]", latex)) and shape_is_safe(
        latex
    )


def shape_is_safe(latex: str, *, size: int = 120, powers: int = 5, limit: int = 100) -> bool:
    """Whether math-verify ends soon on it: short, shallow, small exponents, known commands, no words.

    A time limit would need a signal, which works in the main thread alone; the shape works everywhere.
    """
    if not latex or len(latex) > size or not latex.isascii() or "!" in latex:
        return False
    depth = digits = 0
    exponents = 1
    pieces = _PIECE.findall(latex)
    for position, piece in enumerate(pieces):
        if (piece[0] == "\\" and piece not in _COMMANDS) or piece in _SMALL_WORDS:
            return False
        if piece.isalpha() and len(piece) > 2:
            return False
        depth += (piece in "({[") - (piece in ")}]")
        digits += len(piece) * piece.isdigit()
        if depth > 6 or digits > 40:
            return False
        if piece == "^":
            powers -= 1
            for inner in _exponent(pieces[position + 1 :]):
                exponents *= int(inner) if inner.isdigit() and len(inner) < 4 else 1 + limit * (inner in "^")
                exponents *= 1 + limit * (inner.isdigit() and len(inner) > 3)
    return powers >= 0 and exponents <= limit


def _exponent(pieces: list[str]) -> Iterator[str]:
    """The pieces of the exponent that follows a "^", to the closing brace where it has one."""
    depth = 0
    for piece in pieces:
        depth += (piece in "({[") - (piece in ")}]")
        yield piece
        if depth <= 0 and not piece.isspace():
            return


def equal(answer: str, reference: str) -> bool:
    """Whether two answers, as LaTeX without dollar signs, mean the same; False where that cannot be told."""
    sides = reference, answer
    if not all(shape_is_safe(side) for side in sides) or not any(mathematical(side) for side in sides):
        return False
    import math_verify
    import math_verify.grader
    import math_verify.parser
    from sympy import Expr

    # math-verify warns once that its time limit is off; the shape above takes its place.
    math_verify.parser.TIMEOUT_WARNING_SHOWN = math_verify.grader.TIMEOUT_WARNING_SHOWN = True
    # Only the LaTeX reader: the one for plain expressions hands text to sympy's parse_expr, which evaluates.
    # Its own reading of units takes the variable t for one.
    form = math_verify.parser.NormalizationConfig(malformed_operators=True, nits=True, boxed="none")
    reader = [math_verify.LatexExtractionConfig(normalization_config=form)]
    try:
        gold, given = (
            math_verify.parse(f"${side}$", reader, fallback_mode="no_fallback", parsing_timeout=None)
            for side in sides
        )
        if not gold or not given:
            return False
        if isinstance(gold[0], Expr) and isinstance(given[0], Expr):
            return _same_values(gold[0], given[0])
        # Relations, sets and tuples: math-verify may simplify and solve them, so they must be smaller.
        small = all(shape_is_safe(side, size=60, powers=2, limit=4) for side in sides)
        return small and bool(math_verify.verify(gold, given, timeout_seconds=None))
    except Exception as error:  # noqa: BLE001 foreign code: what it cannot compare is not equal
        logger.debug("math-verify cannot compare %r with %r: %s", answer, reference, error)
        return False


def _same_values(a: Any, b: Any) -> bool:
    """Equality of two sympy expressions by their values at three points; simplifying may take hours."""
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    for point in (0.7548776662466927, 1.3247179572447460, 2.2360679774997897):
        at = {symbol: point + 0.6180339887498949 * i for i, symbol in enumerate(symbols)}
        values = [complex(side.evalf(20, subs=at)) for side in (a, b)]
        if not abs(values[0] - values[1]) <= 1e-12 * max(abs(values[0]), abs(values[1]), 1e-12):
            return False
    return True
