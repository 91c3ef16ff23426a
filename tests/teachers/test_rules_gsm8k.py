"""The GSM8K half of the built-in teacher: numeric variants that make sense and are right."""

import ast
import json
import operator
import os
import random
import re
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft.teachers.rules import arithmetic
from asft.teachers.rules.gsm8k import Cannot, Variant, find, render, variant
from asft.teachers.rules.gsm8k import numbers as prose_numbers

# The first row of GSM8K train (MIT licence).
QUESTION = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
    "How many clips did Natalia sell altogether in April and May?"
)
SOLUTION = (
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
    "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n"
    "#### 72"
)

_SIGNS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def recompute(text: str) -> Fraction:
    """An arithmetic of the test's own, on Python's grammar, so that the code is not checked by itself."""

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.BinOp):
            return Fraction(_SIGNS[type(node.op)](value(node.left), value(node.right)))
        if isinstance(node, ast.UnaryOp):
            return -value(node.operand)
        assert isinstance(node, ast.Constant)
        return Fraction(ast.get_source_segment(source, node) or "")

    source = re.sub(r"(?<![\d.])0+(?=\d)", "", text.strip())
    return value(ast.parse(source, mode="eval").body)


def check_right(new: Variant) -> None:
    annotations = re.findall(r"<<([^<>]*)=([^<>=]*)>>([$ ]*[\d.,]*)", new.solution)
    assert annotations
    for left, right, after in annotations:
        assert recompute(left) == Fraction(right)
        assert Fraction(after.strip("$ ").rstrip(".,").replace(",", "")) == Fraction(right)
    final = new.solution.rstrip().rpartition("#### ")[2].replace(",", "").strip("$ ")
    assert Fraction(final) == Fraction(new.answer)


def made(question: str, solution: str, seed: int = 0) -> Variant:
    new = variant(question, solution, random.Random(seed))
    assert isinstance(new, Variant), new
    return new


def test_a_variant_has_other_numbers_and_the_same_words() -> None:
    new = made(QUESTION, SOLUTION)
    assert re.sub(r"\d+", "N", new.question) == re.sub(r"\d+", "N", QUESTION)
    number = int(re.findall(r"\d+", new.question)[0])
    assert number != 48
    assert number % 2 == 0
    # half as many in May: n/2, and n + n/2 altogether
    half, total = number // 2, number + number // 2
    assert new.solution == (
        f"Natalia sold {number}/2 = <<{number}/2={half}>>{half} clips in May.\n"
        f"Natalia sold {number}+{half} = <<{number}+{half}={total}>>{total} "
        "clips altogether in April and May.\n"
        f"#### {total}"
    )
    assert new.answer == str(total)


def test_the_same_random_source_gives_the_same_variant_and_another_one_gives_others() -> None:
    assert made(QUESTION, SOLUTION, 3) == made(QUESTION, SOLUTION, 3)
    assert len({made(QUESTION, SOLUTION, seed).question for seed in range(20)}) > 5


def test_render_writes_the_reply_format() -> None:
    new = Variant(question="How many? ", solution="1+1 = <<1+1=2>>2\n#### 2\n", answer="2", changed=1, used=1)
    assert render(new) == "Question: How many?\nAnswer: 1+1 = <<1+1=2>>2\n#### 2"


def test_number_words_change_as_words() -> None:
    new = made(
        "Ann has seven boxes with 12 pens each. How many pens has she?",
        "She has 7 boxes * 12 pens = <<7*12=84>>84 pens.\n#### 84",
    )
    words = re.search(r"has ([a-z-]+) boxes with (\d+) pens", new.question)
    assert words is not None
    assert words[1] != "seven"
    assert prose_numbers.in_words(Fraction(new.answer) / int(words[2])) == words[1]
    check_right(new)


def test_a_percentage_stays_a_percentage_and_its_decimal_follows() -> None:
    new = made(
        "A coat costs $200. It is sold with a 20% discount. What does it cost now?",
        "The discount is 200*.2=$<<200*.2=40>>40\nSo it costs 200-40=$<<200-40=160>>160\n#### 160",
    )
    found = re.search(r"\$([\d,]+)\. It is sold with a (\d+)%", new.question)
    assert found is not None
    price, percent = int(found[1].replace(",", "")), int(found[2])
    assert 0 < percent < 100
    assert Fraction(new.answer) == price - Fraction(price * percent, 100)
    check_right(new)


def test_facts_of_the_world_stay() -> None:
    question = (
        "A dog has 4 legs and sleeps 12 hours a day. How many legs do 9 dogs and how many hours in all "
        "do they sleep in 14 days, added up?"
    )
    solution = (
        "Legs: 9*4=<<9*4=36>>36\nHours: 12*14=<<12*14=168>>168\nTogether 36+168=<<36+168=204>>204\n#### 204"
    )
    for seed in range(30):
        new = variant(question, solution, random.Random(seed))
        if isinstance(new, Variant):
            assert "4 legs" in new.question
            hours = re.search(r"sleeps (\d+) hours a day", new.question)
            assert hours is not None
            assert int(hours[1]) <= 16


def test_shares_that_make_a_whole_still_make_one() -> None:
    question = (
        "Of 200 students, 30% play tennis, 50% play football and the remaining 20% dance. "
        "How many more play football than tennis?"
    )
    solution = (
        "Tennis: 200*30/100 = <<200*30/100=60>>60\nFootball: 200*50/100 = <<200*50/100=100>>100\n"
        "Dance: 200*20/100 = <<200*20/100=40>>40\nMore: 100-60 = <<100-60=40>>40\n#### 40"
    )
    for seed in range(30):
        new = variant(question, solution, random.Random(seed))
        if isinstance(new, Variant):
            assert sum(map(int, re.findall(r"(\d+)%", new.question))) == 100


def test_an_ambiguous_number_is_right_in_every_reading() -> None:
    # 6 is a number of the question and the result of 12/2: the last step may mean either.
    question = (
        "Tom has 12 nuts and eats half of them. His 6 friends bring him nuts, 6 each. How many come to him?"
    )
    solution = "He eats 12/2=<<12/2=6>>6 nuts.\nThey bring 6*6=<<6*6=36>>36 nuts.\n#### 36"
    for seed in range(20):
        new = variant(question, solution, random.Random(seed))
        if isinstance(new, Variant):
            nuts, friends, each = map(int, re.findall(r"\d+", new.question))
            assert nuts // 2 == friends == each
            check_right(new)


@pytest.mark.parametrize(
    ("question", "solution", "kept"),
    [
        # What is left of a half is the other half only while the share is 50%: 80 is 160/2 and 160-80.
        (
            "Dan has 160 games. He bought 50% of them for $7 each and the others for $3. What did he pay?",
            "50% of them are 160*50/100 = <<160*50/100=80>>80 games.\nThey cost 80*7 = <<80*7=560>>560\n"
            "The other 80 games cost 80*3 = <<80*3=240>>240\nTogether 560+240 = <<560+240=800>>800\n#### 800",
            "50%",
        ),
        # Two parts of the same size still make the whole.
        (
            "Of the 10 bunches 5 are roses and the remaining 5 are daisies. A bunch of roses costs $8, "
            "one of daisies $6. What do all cost?",
            "Roses: 5*8 = <<5*8=40>>40\nDaisies: 5*6 = <<5*6=30>>30\nAll: 40+30 = <<40+30=70>>70\n#### 70",
            "10 bunches 5 are roses and the remaining 5 are",
        ),
        # Things that are told one by one keep their number.
        (
            "A cup has 4 rounds. The first round has 8 games, the second round 6 and the third round 3, and "
            "so has the last. Each of the 4 rounds costs $90. What do they cost?",
            "4*90 = <<4*90=360>>360\n#### 360",
            "4 rounds",
        ),
        (
            "Three friends, Ann, Ben and Cem, each buy 6 pens for $4 each. What do they pay?",
            "One pays 6*4 = <<6*4=24>>24\nAll pay 24*3 = <<24*3=72>>72\n#### 72",
            "Three friends",
        ),
        (
            "Ann swims 20 lengths on each of the first 5 days of the week and 35 on the remaining 2 "
            "days. How many are that?",
            "5*20 = <<5*20=100>>100\n2*35 = <<2*35=70>>70\n100+70 = <<100+70=170>>170\n#### 170",
            "5 days of the week and",
        ),
    ],
)
def test_what_the_question_says_stays_consistent(question: str, solution: str, kept: str) -> None:
    found = [variant(question, solution, random.Random(seed)) for seed in range(10)]
    variants = [new for new in found if isinstance(new, Variant)]
    assert variants
    for new in variants:
        assert kept in new.question
        check_right(new)


def test_very_long_numbers_are_no_burden() -> None:
    question = "A star has 482653119666123 atoms and another 119666482653123 fewer. How many have both?"
    solution = (
        "482653119666123-119666482653123 = <<482653119666123-119666482653123=362986637013000>>"
        "362986637013000\n#### 362986637013000"
    )
    begun = time.perf_counter()
    variant(question, solution, random.Random(0))
    variant(
        "He pays $0.000000000012.",
        "2*0.000000000012 = <<2*0.000000000012=0.000000000024>>\n#### 0",
        random.Random(0),
    )
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize(
    ("question", "solution", "reason"),
    [
        (QUESTION, "She sold 72 clips.\n#### 72", "no annotations"),
        (QUESTION, "48/2 = <<48/2=24>>24", "no final answer"),
        (QUESTION, "48/2 = <<48/2=25>>25\n#### 25", "annotation is wrong"),
        (QUESTION, "48/2 = <<round(48/2)=24>>24\n#### 24", "annotation is not plain arithmetic"),
        (QUESTION, "2x = 48, so x = <<48/2=24>>24\n#### 24", "algebra"),
        (QUESTION, "48+37 = <<48+37=85>>85\n#### 85", "number of unknown origin"),
        (QUESTION, "48/2 = <<48/2=24>>24\nAltogether\n#### 72", "final answer is not the last result"),
        (
            "He has 24 of 48 nuts. How many else?",
            "He has half.\n48-24=<<48-24=24>>24\n#### 24",
            "relation in words",
        ),
        (
            "In 1984 she was born. How old is she in 1990?",
            "1990-1984=<<1990-1984=6>>6\n#### 6",
            "too little can change",
        ),
        ("", "", "no annotations"),
        (
            "A third of 24?",
            "Of 24 nuts ⅓ * 24 = 8.\n24-8 = <<24-8=16>>16\n#### 16",
            "number of unknown origin",
        ),
        (QUESTION, "48 clips / 2 pages = <<24=24>>24\n#### 24", "annotation is not plain arithmetic"),
        ("He saves $2, $4, $8 in this pattern. Next?", "8*2 = <<8*2=16>>16\n#### 16", "relation in words"),
        ("Nuts. " * 1000, "1+1 = <<1+1=2>>2\n#### 2", "too long"),
    ],
)
def test_what_cannot_be_varied_is_refused_with_a_reason(question: str, solution: str, reason: str) -> None:
    refusal = variant(question, solution, random.Random(0))
    assert isinstance(refusal, Cannot)
    assert refusal.reason == reason


LAYOUTS = {
    "labels": "Question: {q}\nAnswer: {a}",
    "bold letters": "**Q:** {q}\n\n**A:** {a}",
    "headings": "### Problem 2\n{q}\n### Solution\n{a}",
    "tags": "<problem>\n{q}\n</problem>\n<solution>\n{a}\n</solution>",
    "blank lines": "{q}\n\n{a}",
    "a numbered list": "1. {q}\n\n{a}",
    "numbered examples": "Example 3:\n{q}\n{a}",
    "brackets": "[Seed problem]\n{q}\n[Reference solution]\n{a}",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("count", [1, 3])
def test_problems_are_found_whatever_is_written_around_them(layout: str, count: int) -> None:
    text = (
        "Write one new problem like these, with annotations like <<1+1=2>> and a last line `#### 2`.\n\n"
        + "\n\n".join(layout.format(q=QUESTION, a=SOLUTION) for _ in range(count))
        + "\n\nReply in this form:\nQuestion: ...\nAnswer: ...\n"
    )
    found = find(text)
    assert [(w.question, w.solution) for w in found] == [(QUESTION, SOLUTION)] * count
    assert all(text[w.start : w.end].startswith(QUESTION) for w in found)
    assert all(text[w.start : w.end].endswith("#### 72") for w in found)


def test_text_without_a_worked_problem_holds_none() -> None:
    assert find("Write a poem about <<1+1=2>>.") == []
    assert find("") == []
    assert find("#### 72") == []


@given(
    st.text(alphabet="Q:A#<>/ \n?*12.$ab\0", max_size=200),
    st.text(alphabet="#<>=/+-* \n123.,$x%()\0", max_size=200),
)
def test_any_text_is_taken_without_an_error(question: str, solution: str) -> None:
    for worked in find(f"{question}\n{solution}\n#### 3"):
        assert isinstance(variant(worked.question, worked.solution, random.Random(0)), Variant | Cannot)


def test_long_hostile_text_is_read_at_once() -> None:
    hostile = (
        "####\n" * 20_000,
        "Question" + " " * 50_000,
        "1+" * 20_000,
        "#### 1\n" * 5000,
        "Q: ?\n" * 20_000,
    )
    begun = time.perf_counter()
    for text in [*hostile, "<" * 50_000, "9" * 50_000, "<<1+1=2>>" * 5000, "\n \n" * 20_000, "*" * 50_000]:
        for worked in find(f"{text}\n#### 3"):
            variant(worked.question, worked.solution, random.Random(0))
    assert time.perf_counter() - begun < 5


@given(st.integers(0, 99))
def test_number_words_read_back_as_they_were_written(number: int) -> None:
    words = prose_numbers.in_words(Fraction(number))
    assert words is not None
    assert [n.value for n in prose_numbers.read(f"She has {words} cats.")] == [number]


def test_numbers_in_prose_are_read_exactly() -> None:
    text = "$1,250.50 and .5 of 3/8, two-thirds of 2 1/2 dozen, a ratio of 5:8, two hundred in 12-packs."
    assert [(n.text, n.value) for n in prose_numbers.read(text)] == [
        ("1,250.50", Fraction(2501, 2)),
        (".5", Fraction(1, 2)),
        ("3/8", Fraction(3, 8)),
        ("two-thirds", Fraction(2, 3)),
        ("2 1/2", Fraction(5, 2)),
        ("5:8", 5),
        ("two hundred", 200),
        ("12", 12),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("48/2", 24),
        ("2+3*4", 14),
        ("(2+3)*4", 20),
        ("10-4-3", 3),
        ("-20+10", -10),
        ("100/8/5", Fraction(5, 2)),
        ("$1,250.50 x 2", 2501),
        ("20% * 50", 10),
        ("3 × 4 ÷ 6", 2),
        (".1+.2", Fraction(3, 10)),
    ],
)
def test_arithmetic_is_exact_and_binds_as_in_school(text: str, value: Fraction) -> None:
    parsed = arithmetic.parse(text)
    assert parsed is not None
    assert arithmetic.compute(parsed.tree, arithmetic.as_written) == value


@pytest.mark.parametrize(
    "text", ["", "2+", "(2", "2)", "abs(2)", "2**", "1 2", "x", "9" * 400, "(" * 200 + "1"]
)
def test_what_is_no_plain_arithmetic_is_not_parsed(text: str) -> None:
    assert arithmetic.parse(text) is None


def test_division_by_zero_has_no_value() -> None:
    parsed = arithmetic.parse("1/(2-2)")
    assert parsed is not None
    assert arithmetic.compute(parsed.tree, arithmetic.as_written) is None


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    folder = os.environ.get("ASFT_DATA")
    if not folder:
        pytest.skip("ASFT_DATA is not set: there is no GSM8K to read")
    text = (Path(folder) / "gsm8k" / "train.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_variants_of_gsm8k_are_right_and_reach_more_than_half_of_it(rows: list[dict[str, str]]) -> None:
    sample = rows[::15]
    found = 0
    for number, row in enumerate(sample):
        new = variant(row["question"], row["answer"], random.Random(number))
        if isinstance(new, Cannot):
            continue
        found += 1
        check_right(new)
        assert new.question != row["question"]
        assert re.sub(r"[\d.,]+", "", new.question).count(" ") == re.sub(
            r"[\d.,]+", "", row["question"]
        ).count(" ")
    assert found / len(sample) >= 0.55


def test_gsm8k_problems_are_found_in_every_layout(rows: list[dict[str, str]]) -> None:
    for number, layout in enumerate(LAYOUTS.values()):
        some = rows[number * 900 : number * 900 + 40]
        text = "Write a new one.\n\n" + "\n\n".join(
            layout.format(q=r["question"], a=r["answer"]) for r in some
        )
        assert [(w.question, w.solution) for w in find(text)] == [
            (r["question"].strip(), r["answer"].strip()) for r in some
        ]
