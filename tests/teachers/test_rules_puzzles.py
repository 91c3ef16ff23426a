"""The rules teacher on game24 and prontoqa: it writes puzzles that are as hard, solves and marks them."""

import asyncio
import time
from collections import Counter
from functools import cache

import pytest

from asft import prompts
from asft.registry import make
from asft.tasks.game24 import language as fours
from asft.tasks.game24.solving import CLASSES, class_of
from asft.tasks.prontoqa import language as chains
from asft.tasks.prontoqa.problem import prove
from asft.teachers.rules import Rules, puzzles
from asft.types import Example, Message, Request, Task

TASKS = ("game24", "prontoqa")
STEADY = Rules(change_rate=0.0)


@cache
def task(name: str) -> Task:
    made: Task = make("task", name, {"seeds": 20, "tests": 20})
    return made


@cache
def seeds(name: str) -> tuple[Example, ...]:
    return tuple(task(name).load("seed"))


def ask(messages: tuple[Message, ...] | str, teacher: Rules = STEADY, index: int = 0) -> str:
    messages = (Message(role="user", content=messages),) if isinstance(messages, str) else messages
    return asyncio.run(teacher.reply(Request(messages=messages, index=index))).text


def shipped(name: str, **values: str) -> tuple[Message, ...]:
    return prompts.load(name).render(**values)


def hardness(name: str, question: str) -> int:
    """How hard a puzzle is, in steps of the teacher's."""
    if name == "prontoqa":
        problem = chains.parse(question)
        proof = prove(problem) if problem else None
        assert proof is not None, question
        return proof.hops
    numbers = fours.read(question)
    known = class_of(numbers) if numbers else None
    assert known is not None, question
    return -CLASSES.index(known)


def right(name: str, question: str, worked: str) -> float | None:
    """How the task grades a worked answer."""
    made: Task = task(name)
    reference = made.solve(question)  # type: ignore[attr-defined]
    return made.grade(Example.make(task=name, prompt=question, answer=reference), worked).value


def both(reply: str) -> tuple[str, str]:
    question, _, worked = reply.removeprefix("Question: ").partition("\nAnswer: ")
    assert worked, reply
    return question, worked


@pytest.mark.parametrize("prompt", ["question", "{name}_question"])
@pytest.mark.parametrize("name", TASKS)
def test_a_new_puzzle_is_another_one_and_as_hard_as_its_seed(name: str, prompt: str) -> None:
    for seed in seeds(name):
        question = ask(shipped(prompt.format(name=name), question=seed.prompt))
        assert len(puzzles.find(question)) == 1
        assert question != seed.prompt
        assert hardness(name, question) == hardness(name, seed.prompt)


@pytest.mark.parametrize("prompt", ["question_with_answer", "{name}_question_with_answer"])
@pytest.mark.parametrize("name", TASKS)
def test_a_new_puzzle_comes_with_an_answer_that_is_right(name: str, prompt: str) -> None:
    for seed in seeds(name):
        messages = shipped(prompt.format(name=name), question=seed.prompt, solution=seed.completion or "")
        question, worked = both(ask(messages))
        assert question != seed.prompt
        assert right(name, question, worked) == 1.0


@pytest.mark.parametrize("prompt", ["answer", "filter_answer", "{name}_answer"])
@pytest.mark.parametrize("name", TASKS)
def test_a_puzzle_is_solved_as_the_task_would(name: str, prompt: str) -> None:
    for seed in seeds(name):
        assert ask(shipped(prompt.format(name=name), question=seed.prompt)) == seed.completion


@pytest.mark.parametrize(
    "words",
    [
        "Write a problem like this one, without its solution.\n\n{0}",
        "{0}\n\nGive me another puzzle of this kind.",
        "Here is a puzzle: {0} Now compose a similar puzzle.",
    ],
)
@pytest.mark.parametrize("name", TASKS)
def test_a_wish_is_read_in_other_words(name: str, words: str) -> None:
    reply = ask(words.format(seeds(name)[0].prompt))
    [found] = puzzles.find(reply)
    assert (found.start, found.end) == (0, len(reply))


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_with_its_answer_may_be_asked_for_a_question_alone(name: str) -> None:
    seed = seeds(name)[0]
    reply = ask(f"{seed.prompt}\n\n{seed.completion}\n\nWrite one more puzzle like this, only the puzzle.")
    [found] = puzzles.find(reply)
    assert (found.start, found.end) == (0, len(reply))


@pytest.mark.parametrize("name", TASKS)
def test_the_set_share_of_new_puzzles_is_one_step_simpler_or_harder(name: str) -> None:
    # Seeds that can be made both simpler and harder.
    middle = {"game24": (-1, -2), "prontoqa": (2, 3, 4)}[name]
    seed = next(seed for seed in seeds(name) if hardness(name, seed.prompt) in middle)
    messages = shipped("question", question=seed.prompt)
    teacher = Rules(change_rate=0.5)
    changes = Counter(
        hardness(name, ask(messages, teacher, index)) - hardness(name, seed.prompt) for index in range(200)
    )
    assert set(changes) == {-1, 0, 1}
    # 200 draws at 0.25, standard deviation 6.1; four of them either way
    assert 26 <= changes[-1] <= 74
    assert 26 <= changes[1] <= 74


@pytest.mark.parametrize("name", TASKS)
def test_the_set_share_of_answers_is_wrong(name: str) -> None:
    seed = seeds(name)[0]
    messages = shipped("answer", question=seed.prompt)
    asked = [ask(messages, Rules(error_rate=0.3), index) for index in range(300)]
    grades = Counter(task(name).grade(seed, text).value for text in asked)
    assert set(grades) == {0.0, 1.0}
    # 300 draws at 0.3: 90, standard deviation 7.9; four of them either way
    assert 58 <= grades[0.0] <= 122


@pytest.mark.parametrize("name", TASKS)
def test_a_slip_is_at_the_end_and_looks_like_an_answer(name: str) -> None:
    for seed in seeds(name):
        wrong = ask(shipped("answer", question=seed.prompt), Rules(error_rate=1.0)).splitlines()
        lines = (seed.completion or "").splitlines()
        assert wrong[:-2] == lines[:-2]
        assert wrong[-2] != lines[-2]
        assert task(name).grade(seed, "\n".join(wrong)).value == 0.0


def score(seed: Example, answer: str, **values: str) -> str:
    return ask(shipped("judge_answer", question=seed.prompt, answer=answer, **values)).splitlines()[-1]


@pytest.mark.parametrize("name", TASKS)
def test_a_judge_goes_by_what_is_right_and_what_holds(name: str) -> None:
    seed = seeds(name)[3]
    assert score(seed, seed.completion or "") == "Score: 10"
    assert score(seed, f"#### {seed.answer}") == "Score: 7"
    slipped = ask(shipped("answer", question=seed.prompt), Rules(error_rate=1.0))
    assert score(seed, slipped) in ("Score: 3", "Score: 4", "Score: 5")
    assert score(seed, "I do not know.") == "Score: 1"
    # A wrong reference misleads nobody who can check.
    assert score(seed, seed.completion or "", reference="#### 17") == "Score: 10"


def test_another_solution_than_the_reference_is_as_good() -> None:
    seed = Example.make(task="game24", prompt=fours.question((4, 4, 6, 8)), answer="(4 + 8) * (6 - 4)")
    other = "8 - 6 = 2\n4 + 2 = 6\n6 * 4 = 24\n#### (4 + (8 - 6)) * 4"
    assert score(seed, other, reference=seed.answer) == "Score: 10"
    careless = other.replace("8 - 6 = 2", "8 - 6 = 3")
    assert score(seed, careless, reference=seed.answer) == "Score: 9"
    assert score(seed, "#### 4 * 8 - 6 - 4") == "Score: 3"
    assert score(seed, "#### 4 + 8 + 6 - 4") == "Score: 2"


def test_a_right_answer_by_a_wrong_chain_is_careless() -> None:
    prompt = "Every wumpus is a dumpus. Dumpuses are shy. Max is a wumpus. True or false: Max is shy."
    seed = Example.make(task="prontoqa", prompt=prompt, answer="True")
    assert score(seed, "Max is a wumpus. Max is a dumpus. Max is shy.\n#### True") == "Score: 10"
    assert score(seed, "Max is a dumpus. Dumpuses are shy. Max is shy.\n#### True") == "Score: 9"
    assert score(seed, "#### False") == "Score: 2"


@pytest.mark.parametrize("name", TASKS)
def test_a_pair_and_a_draft_are_judged_too(name: str) -> None:
    seed = seeds(name)[0]
    pair = shipped("judge_pair", question=seed.prompt, answer_a=seed.completion or "", answer_b="No idea.")
    assert ask(pair).splitlines()[-2:] == ["Score A: 10", "Score B: 1"]
    draft = shipped("filter_judge", question=seed.prompt, answer=seed.completion or "")
    assert ask(draft).splitlines()[-1] == "Score: 10"


@pytest.mark.parametrize(
    "question",
    [
        "Use each of the numbers 1, 1, 1 and 1 once to make 24.",
        "Every wumpus is shy. Rex is a wumpus. True or false: Max is shy.",
    ],
)
def test_what_has_no_answer_is_refused(question: str) -> None:
    for name in ("question", "answer"):
        assert ask(shipped(name, question=question)).startswith("I cannot do this: this puzzle has no answer")
    judged = ask(shipped("judge_answer", question=question, answer="#### True"))
    assert judged == "I cannot do this: the right answer is not known."


def test_large_numbers_have_variants_too() -> None:
    # 99 - 75 = 24, and 1 * 1.
    question = ask(shipped("question", question=fours.question((1, 1, 75, 99))))
    numbers = fours.read(question)
    assert numbers is not None
    assert max(numbers) <= 20


@pytest.mark.parametrize(
    "text",
    [
        "True or false: " * 20_000,
        "Every a is b. " * 20_000 + "True or false: b is c.",
        "a-" * 100_000 + "True or false: ",
        "numbers 4, " * 20_000,
        "Use the numbers 4, 4, 6 and 8 to make 24. " * 2_000,
    ],
)
def test_long_hostile_messages_are_answered_soon(text: str) -> None:
    begun = time.process_time()
    ask(text)
    assert time.process_time() - begun < 5


def test_no_gsm8k_problem_is_taken_for_a_puzzle(gsm8k: object) -> None:
    examples = make("task", "gsm8k", {"source": str(gsm8k)}).load("seed")
    assert [e.id for e in examples if puzzles.find(f"{e.prompt}\n{e.completion}")] == []


def test_a_new_four_keeps_what_is_left_of_its_seed_after_the_first_step() -> None:
    # 8 - 6 = 2 leaves 2, 4 and 4; as do 9 - 7, 1 + 1 and all others that give 2.
    prompt = shipped("question", question=fours.question((4, 4, 6, 8)))
    for index in range(10):
        numbers = list(fours.read(ask(prompt, index=index)) or ())
        numbers.remove(4)
        numbers.remove(4)
        low, high = numbers
        assert 2 in (low + high, high - low, low * high, high / low)


def test_a_new_chain_denies_where_its_seed_does() -> None:
    denials = set()
    for seed in seeds("prontoqa"):
        new = ask(shipped("question", question=seed.prompt))
        signs = []
        for text in (seed.prompt, new):
            problem = chains.parse(text)
            proof = prove(problem) if problem else None
            assert problem is not None
            assert proof is not None
            signs.append((proof.steps[-1].holds, problem.query.holds))
        assert signs[0] == signs[1]
        denials.add(signs[0])
    assert len(denials) == 4
