"""The built-in teacher as a whole: its replies, its settings and what its role promises."""

import asyncio
import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import answers, prompts
from asft.registry import make
from asft.tasks.pocket import language
from asft.tasks.pocket.program import solve
from asft.teachers.rules import Rules
from asft.teachers.rules.slips import slip
from asft.types import Message, Reply, Request, Sampling, Teacher

PROBLEM = (
    "Mia has 12 stickers. She buys 8 more. She gives half of them to Ben. "
    "How many stickers does Mia have now?"
)
WORK = "She now has 12+8 = <<12+8=20>>20 stickers.\nShe now has 20/2 = <<20/2=10>>10 stickers.\n#### 10"
SECOND = "Tom has $30. He spends $12 on gifts. How much money does Tom have now?"
SECOND_WORK = "He now has 30-12 = $<<30-12=18>>18.\n#### 18"
GSM8K = "Natalia sold clips to 48 of her friends, and then half as many. How many clips did she sell?"
GSM8K_WORK = "She then sold 48/2 = <<48/2=24>>24 clips.\nThat is 48+24 = <<48+24=72>>72 clips.\n#### 72"


def chat(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def ask(messages: tuple[Message, ...] | str, teacher: Rules | None = None, *, index: int = 0) -> Reply:
    messages = chat(messages) if isinstance(messages, str) else messages
    return asyncio.run((teacher or Rules()).reply(Request(messages=messages, index=index)))


def families(text: str) -> list[str]:
    program = language.parse(text)
    assert program is not None, text
    return sorted(program.families)


def kind(reply: str) -> str:
    """What a reply to a message about PROBLEM or SECOND is."""
    if reply.startswith("I cannot do this: "):
        return "cannot"
    if reply in (WORK, SECOND_WORK):
        return "solved"
    if language.parse(reply) is not None:
        return "question"
    labelled = re.fullmatch(r"Question: ([^\n]*)\nAnswer: (.*)", reply, re.DOTALL)
    assert labelled, reply
    program = language.parse(labelled[1])
    assert program is not None
    assert labelled[2] == language.work(program)
    return "question and answer"


QUESTION = f"Write a problem like this one, without its solution.\n\n{PROBLEM}"
BOTH = f"Write a problem like this one, together with its solution.\n\n{PROBLEM}"
SOLVE = f"Solve this problem.\n\n{PROBLEM}"
NOTHING_TO_DO = ["", "Hello!", f"Translate this into French: {PROBLEM}", GSM8K, f"Solve this: {GSM8K}"]


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("text", [QUESTION, BOTH, SOLVE, NOTHING_TO_DO[2]])
def test_equal_requests_get_equal_replies(text: str, index: int) -> None:
    assert ask(text, Rules(error_rate=0.5), index=index) == ask(text, Rules(error_rate=0.5), index=index)


def test_another_index_draw_or_seed_gets_another_reply() -> None:
    messages = chat(QUESTION)
    for requests in (
        [Request(messages=messages, index=number) for number in range(30)],
        [Request(messages=messages, draw=number) for number in range(30)],
        [Request(messages=messages, seed=number) for number in range(30)],
    ):
        assert len({asyncio.run(Rules().reply(request)).text for request in requests}) >= 29


def test_other_sampling_or_other_words_get_another_reply() -> None:
    warm = Request(messages=chat(QUESTION), sampling=Sampling(temperature=0.7))
    assert asyncio.run(Rules().reply(warm)).text != ask(QUESTION).text
    assert ask(QUESTION + " Thanks!").text != ask(QUESTION).text


def test_new_problems_are_of_the_structure_of_a_seed_and_have_answers_that_hold() -> None:
    steady = Rules(change_rate=0.0)
    replies = [
        ask(f"Write a similar problem with its solution.\n{PROBLEM}\n{SECOND}", steady, index=number).text
        for number in range(60)
    ]
    written = [reply.removeprefix("Question: ").partition("\nAnswer: ") for reply in replies]
    programs = [language.parse(question) for question, _, _ in written]
    assert all(
        program is not None and answers.grade(answer, str(solve(program))).value == 1.0
        for program, (_, _, answer) in zip(programs, written, strict=True)
    )
    # Two seeds in the message: both are drawn from.
    assert {program.families for program in programs if program} == {("buy", "half"), ("spend",)}


def test_the_set_share_of_new_problems_is_one_step_simpler_or_harder() -> None:
    text = QUESTION  # its seed has two steps
    steps = [len(families(ask(text, Rules(change_rate=0.5), index=number).text)) for number in range(400)]
    # 400 draws at 0.5, each way 0.25: 100, standard deviation 8.7
    assert 70 <= steps.count(1) <= 130
    assert 70 <= steps.count(3) <= 130
    assert steps.count(1) + steps.count(2) + steps.count(3) == 400
    assert {len(families(ask(text, Rules(change_rate=0.0), index=n).text)) for n in range(30)} == {2}


# The prompts that are shipped


def shipped(name: str, **values: str) -> tuple[Message, ...]:
    return prompts.load(name).render(**values)


def test_the_shipped_question_prompt_gets_a_question() -> None:
    assert kind(ask(shipped("question", question=PROBLEM)).text) == "question"


@pytest.mark.parametrize("values", [{}, {"solution": WORK}])
def test_the_shipped_prompt_for_both_gets_a_question_with_its_answer(values: dict[str, str]) -> None:
    messages = shipped("question_with_answer", question=PROBLEM, **values)
    assert kind(ask(messages).text) == "question and answer"


def test_the_shipped_answer_prompt_gets_the_worked_answer() -> None:
    assert ask(shipped("answer", question=PROBLEM)).text == WORK


def test_a_question_that_it_wrote_is_one_that_it_answers() -> None:
    for number in range(50):
        question = ask(shipped("question", question=PROBLEM), index=number).text
        program = language.parse(question)
        assert program is not None
        assert ask(shipped("answer", question=question)).text == language.work(program)


def test_the_shipped_gsm8k_prompt_gets_a_variant_that_holds() -> None:
    messages = shipped("gsm8k_question_with_answer", question=GSM8K, solution=GSM8K_WORK)
    replies = {ask(messages, index=number).text for number in range(20)}
    assert len(replies) > 10
    for reply in replies:
        number = re.match(r"Question: Natalia sold clips to (\d+) of her friends", reply)
        assert number, reply
        # n and half of n
        total = int(number[1]) + int(number[1]) // 2
        assert reply.endswith(f"#### {total}")
        assert int(number[1]) % 2 == 0


@pytest.mark.parametrize(
    "text",
    [
        f"Problem: {GSM8K}\nSolution: {GSM8K_WORK}\n\nWrite a similar problem with its solution.",
        f"{GSM8K}\n\n{GSM8K_WORK}\n\nChange the numbers and give the worked answer as well.",
        f"Question: {GSM8K}\nAnswer: {GSM8K_WORK}\n\nGenerate one more example in the same format.",
    ],
)
def test_a_gsm8k_variant_is_written_whatever_the_wording(text: str) -> None:
    assert re.fullmatch(r"Question: Natalia .*\nAnswer: .*#### \d+", ask(text).text, re.DOTALL)


def test_an_unannotated_gsm8k_answer_gets_an_honest_cannot() -> None:
    messages = shipped("gsm8k_question_with_answer", question=GSM8K, solution="48 and 24 make 72.\n#### 72")
    assert kind(ask(messages).text) == "cannot"


@pytest.mark.parametrize("reference", [None, "10", WORK])
@pytest.mark.parametrize(("answer", "score"), [(WORK, 10), ("#### 10", 7), ("#### 55", 2), ("No idea.", 1)])
def test_the_shipped_judge_prompt_gets_a_grade(answer: str, score: int, reference: str | None) -> None:
    values = {"question": PROBLEM, "answer": answer}
    messages = shipped("judge_answer", **values, **({"reference": reference} if reference else {}))
    assert ask(messages).text.splitlines()[-1] == f"Score: {score}"


def test_the_shipped_judge_prompt_for_pairs_gets_two_grades() -> None:
    messages = shipped("judge_pair", question=PROBLEM, answer_a=WORK, answer_b="#### 55")
    assert ask(messages).text.splitlines()[-2:] == ["Score A: 10", "Score B: 2"]


def test_an_answer_that_asks_for_a_new_problem_is_judged_all_the_same() -> None:
    messages = shipped("judge_answer", question=PROBLEM, answer="Write a new problem like this one.")
    assert ask(messages).text.splitlines()[-1] == "Score: 1"


def test_a_seed_with_its_answer_in_tags_is_no_judges_case() -> None:
    text = f"<question>{PROBLEM}</question>\n<answer>{WORK}</answer>\nWrite one more question like this one."
    assert kind(ask(text).text) == "question"


def test_the_judge_s_faults_are_those_that_are_set() -> None:
    messages = shipped("judge_answer", question=PROBLEM, answer="#### 10")
    silent = [ask(messages, Rules(judge_unreadable=0.3), index=number).text for number in range(400)]
    # 400 draws at 0.3: 120, standard deviation 9.2
    assert 85 <= sum("Score: 7" not in text for text in silent) <= 155
    noisy = {ask(messages, Rules(judge_noise=1.0), index=number).text for number in range(100)}
    assert len(noisy) >= 4
    assert {ask(messages, index=number).text for number in range(20)} == {
        "The answer is right and bare.\n\nScore: 7"
    }


# Slips


def test_the_set_share_of_answers_is_wrong() -> None:
    asked = [ask(SOLVE, Rules(error_rate=0.3), index=number).text for number in range(1000)]
    grades = [answers.grade(text, "10").value for text in asked]
    # 1000 draws at 0.3: 300, standard deviation 14.5; four of them either way
    assert 242 <= grades.count(0.0) <= 358
    assert grades.count(0.0) + grades.count(1.0) == 1000


def test_no_answer_is_wrong_where_no_errors_are_set_and_every_one_where_all_are() -> None:
    for rate, grade in ((0.0, 1.0), (1.0, 0.0)):
        teacher = Rules(error_rate=rate)
        asked = [ask(SOLVE, teacher, index=number).text for number in range(100)]
        assert {answers.grade(text, "10").value for text in asked} == {grade}


def test_slips_differ_from_sample_to_sample() -> None:
    asked = {ask(SOLVE, Rules(error_rate=1.0), index=number).text for number in range(100)}
    assert len(asked) >= 5


def test_a_slip_is_in_the_last_calculation_and_in_the_final_answer() -> None:
    slipped = ask(SOLVE, Rules(error_rate=1.0)).text
    found = re.fullmatch(
        r"She now has 12\+8 = <<12\+8=20>>20 stickers\.\n"
        r"She now has 20/2 = <<20/2=(\d+)>>\1 stickers\.\n#### \1",
        slipped,
    )
    assert found, slipped
    assert found[1] != "10"


@pytest.mark.parametrize("right", ["1", "0", "-1", "-20", "2.5", "0.5", "1,200", "$7", "7."])
def test_every_final_number_has_slips_and_none_of_them_is_right(right: str) -> None:
    slips = {slip(f"So it is.\n#### {right}", random.Random(seed)) for seed in range(40)}
    assert len(slips) >= 2
    assert {answers.grade(text, right).value for text in slips} == {0.0}


def test_an_answer_without_a_final_number_is_left_as_it_is() -> None:
    for text in ("", "No.", "#### x", "####", "3 #### .5"):
        assert slip(text, random.Random(0)) == text


def test_slips_in_new_problems_leave_the_question_as_it_is() -> None:
    right = ask(BOTH).text.partition("\nAnswer: ")
    wrong = ask(BOTH, Rules(error_rate=1.0)).text.partition("\nAnswer: ")
    assert right[0] == wrong[0]
    assert right[2] != wrong[2]


# The role


def tokens(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


@pytest.mark.parametrize("limit", [1, 5, 20])
def test_a_reply_is_cut_at_max_tokens(limit: int) -> None:
    request = Request(messages=chat(PROBLEM), sampling=Sampling(max_tokens=limit))
    reply = asyncio.run(Rules().reply(request))
    assert (reply.finish, reply.output_tokens, tokens(reply.text)) == ("length", limit, limit)
    assert WORK.startswith(reply.text)


def test_a_reply_of_just_max_tokens_is_whole() -> None:
    request = Request(messages=chat(PROBLEM), sampling=Sampling(max_tokens=tokens(WORK)))
    assert asyncio.run(Rules().reply(request)).finish == "stop"


def test_calls_at_the_same_time_in_any_order_get_the_same_replies() -> None:
    teacher = Rules(error_rate=0.5, judge_noise=1.0)
    texts = [QUESTION, BOTH, SOLVE, *NOTHING_TO_DO]
    requests = [Request(messages=chat(text), index=index) for text in texts for index in range(5)]

    async def all_at_once(order: list[int]) -> dict[int, Reply]:
        replies = await asyncio.gather(*(teacher.reply(requests[i]) for i in order))
        return dict(zip(order, replies, strict=True))

    order = list(range(len(requests)))
    random.Random(1).shuffle(order)
    assert asyncio.run(all_at_once(order)) == asyncio.run(all_at_once(sorted(order)))


def check_reply(reply: Reply) -> None:
    """What the role promises of every reply."""
    assert isinstance(reply, Reply)
    assert isinstance(reply.text, str)
    assert reply.finish in ("stop", "length")
    counts = (reply.input_tokens, reply.output_tokens, reply.cached_tokens, reply.reasoning_tokens)
    assert all(isinstance(count, int) and count >= 0 for count in counts)
    assert reply.cost_usd == 0.0
    assert reply.seconds >= 0.0


@pytest.mark.parametrize("text", [QUESTION, BOTH, SOLVE, *NOTHING_TO_DO])
def test_every_reply_keeps_the_promises_of_the_role(text: str) -> None:
    teacher = make("teacher", "rules")
    assert isinstance(teacher, Teacher)
    reply = asyncio.run(teacher.reply(Request(messages=chat(text))))
    check_reply(reply)
    assert reply.output_tokens == tokens(reply.text)
    assert reply.input_tokens == tokens(text)


_PIECES = [
    PROBLEM,
    WORK,
    GSM8K,
    GSM8K_WORK,
    "Write a new problem",
    "<question>",
    "</question>",
    "<answer>",
    "0",
]


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=30)), max_size=8))
def test_any_message_gets_a_reply(parts: list[str]) -> None:
    check_reply(ask("\n".join(parts), Rules(error_rate=0.5)))


def test_an_empty_chat_gets_a_reply() -> None:
    check_reply(ask(()))


@pytest.mark.parametrize(
    "text",
    [
        "write a new " * 20_000,
        "x" * 300_000,
        "Mia has 5 pens. " * 15_000,
        "\n" * 300_000,
        "<question>" * 20_000,
    ],
)
def test_long_hostile_messages_are_answered_at_once(text: str) -> None:
    begun = time.process_time()
    check_reply(ask(f"{text}{PROBLEM}\nSolve it."))
    assert time.process_time() - begun < 5
