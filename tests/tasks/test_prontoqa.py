"""PrOntoQA: its proofs, its English, its generated problems, and the published files."""

import json
import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asft.errors import DataError, PluginError
from asft.registry import make
from asft.tasks.prontoqa import language
from asft.tasks.prontoqa.drawing import BUCKETS, Core, bucket, draw
from asft.tasks.prontoqa.problem import Problem, prove, sound
from asft.tasks.prontoqa.task import SALTS, SPLITS, TRAINING_BUCKETS, PrOntoQA
from asft.tasks.prontoqa.words import CONCEPTS, NAMES, PROPERTIES
from asft.types import Example

# Sam is a yumpus, so a dumpus, so not shy: three rules lead there, and the fourth leads astray.
SHY = (
    "Every yumpus is a dumpus. Dumpuses are zumpuses. Impuses are shy. Each zumpus is not shy. "
    "Dumpuses are hot. Sam is a yumpus. True or false: Sam is not shy."
)
SHY_WORK = (
    "Sam is a yumpus.\n"
    "Every yumpus is a dumpus. Sam is a dumpus.\n"
    "Dumpuses are zumpuses. Sam is a zumpus.\n"
    "Each zumpus is not shy. Sam is not shy.\n"
    "#### True"
)
# From the paper's data with a true ontology.
LADY = (
    "Each lepidopteran is an insect. Each whale is bony. Each painted lady is a butterfly. Butterflies are "
    "lepidopterans. Every insect is six-legged. Every insect is an arthropod. Arthropods are not bony. "
    "Sally is a painted lady. True or false: Sally is bony."
)


def read(text: str) -> Problem:
    problem = language.parse(text)
    assert problem is not None, text
    return problem


@cache
def loaded(salt: str = "A", split: str = "seed", count: int = 300) -> tuple[Example, ...]:
    sizes = {"seeds": count, "validation": count, "tests": count}
    return tuple(make("task", "prontoqa", {"salt": salt, **sizes}).load(split))


def core(example: Example) -> Core:
    problem = read(example.prompt)
    proof = prove(problem)
    assert proof is not None
    kinds = (proof.given.predicate, *(step.predicate for step in proof.steps[:-1]))
    asked = proof.steps[-1]
    return Core(name=problem.query.subject, kinds=kinds, asked=asked.predicate, holds=asked.holds)


# Proofs


def test_a_proof_is_the_chain_from_what_is_given_to_what_is_asked() -> None:
    proof = prove(read(SHY))
    assert proof is not None
    assert proof.given.text == "Sam is a yumpus."
    assert [step.rule.text for step in proof.steps] == [
        "Every yumpus is a dumpus.",
        "Dumpuses are zumpuses.",
        "Each zumpus is not shy.",
    ]
    assert (proof.hops, proof.answer) == (3, True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (SHY, True),
        (SHY.replace("Sam is not shy", "Sam is shy"), False),
        (SHY.replace("zumpus is not shy", "zumpus is shy"), False),
        (LADY, False),
        ("Max is a wumpus. True or false: Max is a wumpus.", True),
        ("Max is not shy. True or false: Max is shy.", False),
        # Nothing is said of it; a rule is not turned round; what is denied leads no further.
        ("Every wumpus is shy. Max is a dumpus. True or false: Max is shy.", None),
        ("Every wumpus is shy. Max is shy. True or false: Max is a wumpus.", None),
        ("Every wumpus is shy. Max is not a wumpus. True or false: Max is shy.", None),
        ("Every wumpus is shy. Rex is a wumpus. True or false: Max is shy.", None),
        # Both follow.
        ("Every wumpus is shy. Each wumpus is not shy. Max is a wumpus. True or false: Max is shy.", None),
        # Round and round.
        (
            "Each impus is a rompus. Rompuses are impuses. Max is an impus. True or false: Max is a rompus.",
            True,
        ),
    ],
)
def test_what_follows_is_true_or_false_and_nothing_else_is(text: str, answer: bool | None) -> None:
    proof = prove(read(text))
    assert (None if proof is None else proof.answer) == answer
    assert PrOntoQA().solve(text) == (None if answer is None else str(answer))


def test_the_shortest_way_counts() -> None:
    proof = prove(
        read(
            "Yumpuses are dumpuses. Dumpuses are shy. Each yumpus is shy. Max is a yumpus. "
            "True or false: Max is shy."
        )
    )
    assert proof is not None
    assert proof.hops == 1


def test_the_worked_answer_is_the_proof_in_words() -> None:
    problem = read(SHY)
    proof = prove(problem)
    assert proof is not None
    assert language.work(problem, proof) == SHY_WORK


def test_a_chain_of_thought_is_judged_sentence_by_sentence() -> None:
    problem = read(SHY)
    assert all(sound(problem, language.sentences(SHY_WORK)))
    said = (
        "Sam is a yumpus. Sam is a dumpus. Sam is shy. Impuses are shy. Sam is hot. Rex is hot. "
        "Yumpuses are shy."
    )
    # Sam is an impus nowhere; Rex is nothing; the last is said of no yumpus.
    assert sound(problem, language.sentences(said)) == [True, True, False, True, True, False, False]
    # What does not hold leads nowhere either.
    assert sound(problem, language.sentences("Sam is a zumpus. Sam is not shy.")) == [False, False]


# English


def test_a_problem_is_read_wherever_it_stands() -> None:
    text = f"Here is a problem.\n\n<problem>\n{SHY}\n</problem>\n\nQuestion: {LADY}\nThat is all."
    found = language.find(text)
    assert [text[one.start : one.end] for one in found] == [SHY, LADY]
    assert found[0].problem == read(SHY)


def test_a_problem_is_read_over_several_lines_and_behind_a_label() -> None:
    first, last = SHY.split(" True or false:")
    assert read(f"{first}\nQuery: True or false:{last}").claims == read(SHY).claims


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Every wumpus is shy.",
        "True or false: Max is shy.",
        f"{SHY} And why?",
        f"Well: {SHY}",
        "Every wumpus is shy. Max is a wumpus. Is Max shy?",
        "Every wumpus runs. Max is a wumpus. True or false: Max runs.",
        "No wumpus is shy. Max is a wumpus. True or false: Max is shy.",
    ],
)
def test_what_is_not_one_problem_is_not_read(text: str) -> None:
    assert language.parse(text) is None
    assert PrOntoQA().solve(text) is None


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("wumpus", "wumpuses"),
        ("painted lady", "painted ladies"),
        ("rose", "roses"),
        ("moss", "mosses"),
        ("fish", "fishes"),
        ("prime number", "Prime numbers"),
        ("worpus", "worpus"),
    ],
)
def test_singular_and_plural_are_one(one: str, many: str) -> None:
    assert language.singular(many) == language.singular(one) == one


def test_every_word_of_the_vocabulary_is_itself_in_the_singular() -> None:
    for word in (*CONCEPTS, *(word for family in PROPERTIES for word in family)):
        assert language.singular(word) == word


# Generated problems


def test_a_drawn_problem_is_read_back_and_needs_the_rules_that_are_wanted() -> None:
    rng = random.Random(1)
    for hops in range(1, 9):
        for distractors in range(4):
            problem = draw(rng, hops, distractors)
            assert read(language.question(problem)) == problem
            proof = prove(problem)
            assert proof is not None
            assert proof.hops == hops
            asked = [c for c in problem.claims if c.general and c.predicate == problem.query.predicate]
            assert len(asked) == 1 + distractors
            assert [c.holds for c in asked].count(proof.steps[-1].holds) == 1


def test_an_example_holds_its_problem_its_answer_and_its_work() -> None:
    task = PrOntoQA()
    for example in loaded():
        problem = read(example.prompt)
        proof = prove(problem)
        assert proof is not None
        assert example.answer == str(proof.answer) == task.solve(example.prompt)
        assert example.completion == language.work(problem, proof)
        assert example.tags == {"hops": str(proof.hops), "split": "seed"}
        assert all(sound(problem, language.sentences(example.completion)))


def test_hops_are_those_that_are_set_each_about_as_often() -> None:
    assert set(Counter(e.tags["hops"] for e in loaded())) == set("12345")
    hops = Counter(e.tags["hops"] for e in PrOntoQA(hops=(2, 7, 7), seeds=300).load("seed"))
    # 300 draws at 1/3, standard deviation 8.2
    assert set(hops) == {"2", "7"}
    assert 65 <= hops["2"] <= 135


def test_true_and_false_and_not_are_balanced() -> None:
    examples = loaded(count=1000)
    # 1000 draws at 0.5, standard deviation 15.8; four of them either way
    assert 437 <= sum(e.answer == "True" for e in examples) <= 563
    assert 437 <= sum(read(e.prompt).query.holds for e in examples) <= 563
    assert 437 <= sum(core(e).holds for e in examples) <= 563
    # The sign of the query alone tells nothing.
    assert 437 <= sum((e.answer == "True") == read(e.prompt).query.holds for e in examples) <= 563
    assert {read(e.prompt).query.subject for e in examples} == set(NAMES)


def test_salts_and_splits_share_no_chain_of_reasoning() -> None:
    owned = [{core(e) for e in loaded(salt, split, 100)} for salt in ("A", "B", "P") for split in SPLITS]
    assert sum(map(len, owned)) == len(set().union(*owned)) > 700


def test_every_salt_and_split_owns_one_bucket_and_a_student_all_others() -> None:
    owned = {bucket(core(e)) for salt in SALTS for split in SPLITS for e in loaded(salt, split, 2)}
    assert len(owned) == 48
    assert owned | TRAINING_BUCKETS == set(range(BUCKETS))
    assert owned.isdisjoint(TRAINING_BUCKETS)


def test_a_larger_split_starts_with_the_smaller_one_and_repeats_nothing() -> None:
    assert loaded(count=1000)[:300] == loaded()
    assert len({e.prompt for e in loaded(count=1000)}) == 1000
    assert list(PrOntoQA(seeds=0).load("seed")) == []


@pytest.mark.parametrize(
    "options", [{"salt": "Q"}, {"seeds": -1}, {"hops": []}, {"hops": [0]}, {"hops": [9]}, {"distractors": 4}]
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(PluginError, match=next(iter(options))):
        make("task", "prontoqa", options)


# Grading


@pytest.mark.parametrize(
    "text",
    [
        "#### True",
        "True",
        "true.",
        "The answer is True.",
        "So Sam is not shy. True",
        "**Answer:** True",
        "\\boxed{\\text{True}}",
        "The statement is true.",
        "Is it true or false? It is not shy, so the statement is true.",
        "It looks false at first.\nBut no: the statement is true.",
        "That is true, and not false.",
        SHY_WORK,
    ],
)
def test_true_is_found_in_any_dress(text: str) -> None:
    example = Example.make(task="prontoqa", prompt=SHY, answer="True")
    assert PrOntoQA().grade(example, text).value == 1.0
    assert PrOntoQA().grade(Example.make(task="prontoqa", prompt=SHY, answer="False"), text).value == 0.0


@pytest.mark.parametrize(
    "text", ["", "Sam is shy.", "True or false?", "It is not true.", "untrue", "It isn't false"]
)
def test_a_text_that_states_neither_has_no_grade(text: str) -> None:
    example = Example.make(task="prontoqa", prompt=SHY, answer="True")
    assert PrOntoQA().grade(example, text).value is None


def test_another_word_behind_a_mark_is_wrong() -> None:
    example = Example.make(task="prontoqa", prompt=SHY, answer="True")
    assert PrOntoQA().grade(example, "It may be true.\n#### unknown").value == 0.0


# The published files

GROUP: dict[str, Any] = {
    "in_context_example0": {
        "question": "Every wumpus is shy. Rex is a wumpus.",
        "query": "True or false: Rex is shy.",
        "chain_of_thought": ["Rex is a wumpus.", "Every wumpus is shy.", "Rex is shy."],
        "answer": "True",
    },
    "test_example": {
        "question": LADY.split(" True or false:")[0],
        "query": "True or false: Sally is bony.",
        "chain_of_thought": [
            "Sally is a painted lady.",
            "Each painted lady is a butterfly.",
            "Sally is a butterfly.",
            "Butterflies are lepidopterans.",
            "Sally is a lepidopteran.",
            "Each lepidopteran is an insect.",
            "Sally is an insect.",
            "Every insect is an arthropod.",
            "Sally is an arthropod.",
            "Arthropods are not bony.",
            "Sally is not bony.",
        ],
        "answer": "False",
    },
}


def file(tmp_path: Path, content: Any) -> str:
    path = tmp_path / "5hop.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_a_published_group_gives_its_test_example(tmp_path: Path) -> None:
    task = PrOntoQA(test=file(tmp_path, {"example1": GROUP, "example2": GROUP}))
    [example] = task.load("test")
    assert example.prompt == LADY
    assert example.answer == task.solve(example.prompt) == "False"
    assert example.completion is not None
    assert example.completion.splitlines() == [*GROUP["test_example"]["chain_of_thought"], "#### False"]
    assert task.grade(example, example.completion).value == 1.0
    assert example.tags == {"hops": "5", "split": "test"}


def test_a_published_problem_that_the_solver_cannot_read_is_taken_all_the_same(tmp_path: Path) -> None:
    row = {**GROUP["test_example"], "question": "Everything that is shy and a wumpus is bony. Sally is shy."}
    [example] = PrOntoQA(seed=file(tmp_path, {"example1": {"test_example": row}})).load("seed")
    assert PrOntoQA().solve(example.prompt) is None
    # 11 sentences: what is given, then five rules with what they give.
    assert example.tags == {"hops": "5", "split": "seed"}


def changed(**values: Any) -> dict[str, Any]:
    return {"example1": {"test_example": {**GROUP["test_example"], **values}}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "this is not JSON"),
        ([1], "an object whose keys are example1"),
        ({}, "there are no problems in it"),
        ({"example1": {"question": "x"}}, "example1: there is no 'test_example' ('question')"),
        (changed(query="Prove: Sally is bony."), "asks for a proof and has no answer to grade"),
        (changed(query=None), "'query' must be text, not None"),
        (changed(answer="Maybe"), "'answer' must be 'True' or 'False', not 'Maybe'"),
        (changed(chain_of_thought="Sally is."), "'chain_of_thought' must be a list of sentences"),
    ],
)
def test_what_is_not_the_published_form_is_told(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(DataError) as raised:
        PrOntoQA(test=file(tmp_path, content)).load("test")
    assert said in str(raised.value)


def test_a_split_without_a_file_is_told(tmp_path: Path) -> None:
    task = PrOntoQA(test=file(tmp_path, {"example1": GROUP}))
    with pytest.raises(DataError, match="prontoqa has no seed data; set its option 'seed'"):
        task.load("seed")
    with pytest.raises(DataError, match="no split 'validation'; splits: seed, test"):
        task.load("validation")
    with pytest.raises(DataError, match="there is no file"):
        PrOntoQA(test=str(tmp_path / "none.json")).load("test")
