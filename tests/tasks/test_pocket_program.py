"""Programs: composed within their bounds, varied without losing their structure, sorted into buckets."""

import hashlib
import random
import time
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from asft.tasks.pocket import language
from asft.tasks.pocket.families import FAMILIES, OPENERS
from asft.tasks.pocket.program import (
    BUCKETS,
    LENGTHS,
    MOST_STEPS,
    InfeasibleError,
    Program,
    Step,
    bucket,
    calculate,
    compose,
    draw,
    solve,
    stream,
    vary,
)

WEIGHTS = {name: 1.0 for name, family in FAMILIES.items() if family.group != "common"}


def drawn(count: int, seed: str) -> list[Program]:
    rng = random.Random(seed)
    return [draw(rng, WEIGHTS, 0.5) for _ in range(count)]


def read(text: str) -> Program:
    program = language.parse(text)
    assert program is not None, text
    return program


def structure(program: Program) -> tuple[str, int, list[tuple[str, int]]]:
    return program.opener, program.wording, [(step.family, step.wording) for step in program.steps]


def numbers(program: Program) -> list[int]:
    return [program.start, *(number for step in program.steps for number in step.args)]


POOL = drawn(400, "programs")
BUY = read("Mia has 12 stickers. She buys 8 more. How many stickers does Mia have now?")
TWO = read(
    "Mia has 12 stickers. She buys 8 more. Ben takes half of them. How many stickers does Mia have now?"
)


def test_there_are_24_common_24_uncommon_and_42_rare_families() -> None:
    assert Counter(family.group for family in FAMILIES.values()) == {"common": 24, "uncommon": 24, "rare": 42}


def test_a_family_occurs_at_most_once_in_a_problem_and_at_most_one_is_not_common() -> None:
    for program in POOL:
        assert len(set(program.families)) == len(program.families)
        assert sum((FAMILIES[name].group != "common") for name in program.families) <= 1


@pytest.mark.parametrize("length", LENGTHS)
def test_a_composed_program_has_the_length_and_the_family_that_are_asked_for(length: int) -> None:
    rng = random.Random(length)
    wanted = FAMILIES["score"]
    made = [compose(rng, length=length, wanted=wanted) for _ in range(60)]
    done = [program for program in made if program is not None]
    assert done
    assert {program.length for program in done} == {length}
    assert all("score" in program.families for program in done)


def test_the_share_of_problems_with_a_special_step_is_what_is_asked_for() -> None:
    shares = [
        any((FAMILIES[name].group != "common") for name in program.families)
        for program in drawn(1000, "share")
    ]
    # 1000 draws at 0.5: 500, standard deviation 15.8; four of them either way
    assert 437 <= sum(shares) <= 563
    rng = random.Random(0)
    assert not any(
        FAMILIES[n].group != "common" for _ in range(200) for n in draw(rng, WEIGHTS, 0.0).families
    )
    assert all(draw(rng, {"again": 1.0}, 1.0).families.count("again") == 1 for _ in range(50))


@pytest.mark.parametrize(
    ("family", "n", "args", "said"),
    [
        ("give", 5, (5,), "5-5 = 0 is not in"),
        ("grow", 200, (2,), "200*2 = 400 is not in"),
        ("half", 7, (), "7/2 is not whole"),
        ("percent", 30, (25,), "750/100 is not whole"),
        ("piles", 7, (0,), "takes no 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(family: str, n: int, args: tuple[int, ...], said: str) -> None:
    with pytest.raises(InfeasibleError, match=said.replace("*", r"\*")):
        calculate(FAMILIES[family], n, args)


def test_a_calculation_goes_from_left_to_right() -> None:
    [done] = calculate(FAMILIES["percent"], 40, (25,))
    assert (done.left, done.value) == ("40*25/100", 10)


# Varying


def test_a_variant_keeps_the_structure_and_has_other_people_things_or_numbers() -> None:
    rng = random.Random("vary")
    same_numbers = 0
    for program in POOL:
        new = vary(program, rng)
        if new is None:
            continue
        assert new != program
        assert structure(new) == structure(program)
        assert read(language.question(new)) == new
        assert solve(new) >= 1
        same_numbers += numbers(new) == numbers(program)
    # The start alone is one of at least 14, and most steps have numbers of their own.
    assert same_numbers <= len(POOL) * 0.05


def test_nearly_every_problem_has_a_variant() -> None:
    rng = random.Random("nearly")
    assert sum(vary(program, rng) is None for program in POOL) <= len(POOL) * 0.01


def test_the_variants_of_a_problem_differ_from_each_other() -> None:
    rng = random.Random("differ")
    assert len({vary(TWO, rng) for _ in range(50)}) >= 49


def test_a_simpler_variant_leaves_out_one_step() -> None:
    rng = random.Random("simpler")
    for program in POOL[:200]:
        new = vary(program, rng, -1)
        if new is None or len(program.steps) == 1:
            continue
        shorter = [[*program.families[:i], *program.families[i + 1 :]] for i in range(len(program.steps))]
        assert list(new.families) in shorter
        assert new.opener == program.opener
        assert read(language.question(new)) == new


def test_the_only_step_is_never_left_out() -> None:
    rng = random.Random("only")
    for _ in range(20):
        new = vary(BUY, rng, -1)
        assert new is not None
        assert new.families == ("buy",)


def test_a_harder_variant_adds_one_common_step_at_the_end() -> None:
    rng = random.Random("harder")
    added = Counter[int]()
    for program in POOL[:200]:
        new = vary(program, rng, 1)
        if new is None:
            continue
        assert new.families[:-1] == program.families
        assert FAMILIES[new.families[-1]].group == "common"
        assert new.families[-1] not in program.families
        assert read(language.question(new)) == new
        added[new.length - program.length] += 1
    assert sum(added.values()) >= 150
    assert set(added) == {1, 2}


def test_what_is_made_harder_again_and_again_can_still_be_read() -> None:
    rng = random.Random("again and again")
    program, most = BUY, 0
    for _ in range(60):
        program = vary(program, rng, 1) or BUY
        most = max(most, len(program.steps))
        assert read(language.question(program)) == program
    assert 4 <= most <= MOST_STEPS


def test_nothing_can_be_added_to_a_problem_that_has_the_most_steps() -> None:
    names = ("buy", "give", "packs", "grow", "piles", "half", "percent", "boxes")
    assert len(names) == MOST_STEPS
    steps = tuple(Step(family=name, args=()) for name in names)
    assert vary(replace(BUY, steps=steps), random.Random(0), 1) is None


@pytest.mark.parametrize(
    ("program", "change"),
    [
        # After "needs that much for every side" nothing more can happen.
        (read("Mia has 7 feet of yarn. She needs that much for every side of a square. "
              "How many feet of yarn does Mia need?"), 1),
        # No age up to 45 can be doubled six times: every factor needs one of at most 45 before it.
        (Program(opener="age", name="Mia", start=4, noun="",
                 steps=tuple(Step(family="times_as_old", args=(2,), friend="Ben") for _ in range(6))), 0),
        (replace(BUY, steps=()), 0),
        (replace(BUY, steps=(Step(family="spend", args=(2,)),)), 0),
    ],
    ids=["at its end", "no numbers", "no steps", "no sense"],
)  # fmt: skip
def test_where_nothing_fits_there_is_no_variant_and_no_long_search(program: Program, change: int) -> None:
    begun = time.process_time()
    assert vary(program, random.Random(0), change) is None
    assert time.process_time() - begun < 2


def test_the_same_random_source_gives_the_same_variant() -> None:
    assert vary(TWO, random.Random(5)) == vary(TWO, random.Random(5))


# Disjoint sets


def test_wordings_do_not_change_the_bucket_of_an_instance_and_all_else_does() -> None:
    other = replace(TWO, wording=1, steps=tuple(replace(step, wording=1) for step in TWO.steps))
    assert bucket(other) == bucket(TWO)
    for changed in (
        [replace(TWO, start=n) for n in range(100)],
        [replace(TWO, noun=str(n)) for n in range(100)],
        [replace(TWO, steps=(replace(TWO.steps[0], args=(n,)), TWO.steps[1])) for n in range(100)],
        [replace(TWO, steps=(TWO.steps[0], replace(TWO.steps[1], friend=str(n)))) for n in range(100)],
    ):
        # 100 draws of 64 buckets leave some 51 of them hit.
        assert len({bucket(program) for program in changed}) >= 35


def test_buckets_are_about_equally_full() -> None:
    counts = Counter(bucket(program) for program in drawn(1600, "full"))
    assert set(counts) == set(range(BUCKETS))
    # 25 each, standard deviation 5
    assert min(counts.values()) >= 5
    assert max(counts.values()) <= 50


def test_a_stream_holds_distinct_problems_of_its_buckets_alone() -> None:
    made = list(islice(stream(random.Random(1), frozenset({7, 9}), WEIGHTS, 0.4), 300))
    assert {bucket(program) for program in made} == {7, 9}
    assert len(set(made)) == 300


def test_a_stream_is_what_it_was_when_the_student_was_measured() -> None:
    """The student's card, and every result on the pocket world, stand on these very problems."""
    source = stream(random.Random("pinned"), frozenset({3}), WEIGHTS, 0.5, words=4)
    texts = [f"{language.question(p)}\n{language.work(p)}" for p in islice(source, 300)]
    assert texts[0].startswith("Nora is 36 years old. Paul is 14 years younger than Nora. Jack was")
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert digest == "cbeebfee74325fd8221f3a5365946b597ab47788d9b5dc040c85554170d97162"


def test_openers_are_drawn_by_their_weights() -> None:
    rng = random.Random("openers")
    counts = Counter(program.opener for program in (draw(rng, {}, 0.0) for _ in range(1500)))
    assert set(counts) == set(OPENERS)
    assert counts["items"] > counts["money"] > counts["yards"]
