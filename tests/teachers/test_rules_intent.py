"""What the built-in teacher makes of a chat: the same wishes in many wordings, none of them its own."""

import asyncio
import re

import pytest

from asft.tasks.pocket import language
from asft.teachers.rules import Rules
from asft.types import Message, Reply, Request

PROBLEM = (
    "Mia has 12 stickers. She buys 8 more. She gives half of them to Ben. "
    "How many stickers does Mia have now?"
)
WORK = "She now has 12+8 = <<12+8=20>>20 stickers.\nShe now has 20/2 = <<20/2=10>>10 stickers.\n#### 10"
SECOND = "Tom has $30. He spends $12 on gifts. How much money does Tom have now?"
SECOND_WORK = "He now has 30-12 = $<<30-12=18>>18.\n#### 18"
GSM8K = "Natalia sold clips to 48 of her friends, and then half as many. How many clips did she sell?"
GSM8K_WORK = "She then sold 48/2 = <<48/2=24>>24 clips.\nThat is 48+24 = <<48+24=72>>72 clips.\n#### 72"


def chat(*texts: str, system: str | None = None) -> tuple[Message, ...]:
    """User and assistant in turns, the user first, after a system message where there is one."""
    turns = [
        Message(role="assistant" if number % 2 else "user", content=text) for number, text in enumerate(texts)
    ]
    return (*([Message(role="system", content=system)] if system else []), *turns)


def ask(messages: tuple[Message, ...] | str, teacher: Rules | None = None, *, index: int = 0) -> Reply:
    messages = chat(messages) if isinstance(messages, str) else messages
    return asyncio.run((teacher or Rules()).reply(Request(messages=messages, index=index)))


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


QUESTION_ONLY = [
    f"Here is a math problem:\n\n{PROBLEM}\n\nPlease write a similar problem with different numbers. "
    "Do not include the solution.",
    f'Consider the following example question: "{PROBLEM}" Create one new question of the same type. '
    "Output only the question.",
    f"### Example\n{PROBLEM}\n\n### Example\n{SECOND}\n\nGenerate another word problem in the same style as "
    "the examples above. Return just the problem text, no answer and no explanation.",
    f"1. {PROBLEM}\n2. {SECOND}\n\nCome up with a third exercise that practises the same skills. "
    "It must have exactly one answer, a whole number.",
    f"You are helping me build a quiz. Seed: {PROBLEM}\nInvent a fresh problem like this one.",
    f"<seed>{PROBLEM}</seed>\nCompose a variation of the seed. Don't solve it.",
    f"Rewrite this problem with other numbers and other names, and leave out the answer:\n{PROBLEM}",
    f"My pupils liked this one:\n> {PROBLEM}\nCan you give me another one like it? I will solve it myself.",
    f"**Problem:** {PROBLEM}\n**Solution:** {WORK}\n\nNow make up one more problem of the same kind.\n"
    "Reply with nothing but the new problem.",
    f"{PROBLEM}\n\nAnother one like this, please.",
    f"Study these two problems.\n\n- {PROBLEM}\n- {SECOND}\n\nDesign a new problem that needs the same\n"
    "operations. It should be solvable without further knowledge, and\nthe answer should be a positive "
    "integer.",
    f"Using the problem below as inspiration, produce a novel math question for grade 4 students.\n\n"
    f"{PROBLEM}\n\nRequirements:\n- one question only\n- no answers\n- realistic numbers",
    f"Write a math word problem based on the following one. Change the story and the numbers so that a child "
    f"can solve it in its head.\n{PROBLEM}",
    f"Question: {PROBLEM}\nAnswer: 10\n\nWrite a new question with a different answer.",
    f"I'd like a similar exercise to this, but only the exercise itself: {PROBLEM}",
    f"Change the numbers in this problem: {PROBLEM}",
    "Please act as a question creator. Your goal is to draw inspiration from the #Given Question# "
    "to create a brand new question. The new question should belong to the same domain and have the "
    f"same difficulty as the #Given Question#.\n\n#Given Question#:\n{PROBLEM}\n\n#Created Question#:",
    f"Your task is to augment this dataset. Seed question:\n{PROBLEM}\n\nProduce 1 additional "
    "question. Respond with the question only.",
    f"Below are questions a student got wrong.\n[1] {PROBLEM}\n[2] {SECOND}\nWrite one practice "
    "question that targets the same weakness. Output nothing else.",
    f"I want you to act as an instruction generator. {PROBLEM}\n\nGenerate a new, similar "
    "instruction-style math question. DO NOT ANSWER IT.",
    f'Write another question with the same reasoning steps as: "{PROBLEM}"',
    "Could you rewrite the following problem, changing names, objects and numbers, so that my "
    f"students get a new one?\n{PROBLEM}",
    f"Create a harder version of this problem:\n{PROBLEM}",
    f"Make this problem a bit simpler: {PROBLEM}",
    f"Here's a problem: {PROBLEM} Now you write one.",
    f"Vary the numbers: {PROBLEM}",
    "Your job: given a seed, output exactly one new word problem (no solution, no "
    f"preamble).\n\nSeed: {PROBLEM}\nNew:",
    f"Example problem:\n{PROBLEM}\n\nExample answer:\n{WORK}\n\nWrite a new example problem. The "
    "problem should be solvable with basic arithmetic and the answer should be a single number. Do "
    "not write the answer.",
    f"Please give me a question in the same vein as this: {PROBLEM}",
]

WITH_ANSWER = [
    f"Here is a math problem:\n\n{PROBLEM}\n\nPlease write a similar problem together with its solution.",
    f'Example: "{PROBLEM}"\nCreate a new question of the same type, then solve it step by step.',
    f"Problem: {PROBLEM}\nSolution: {WORK}\n\nProblem: {SECOND}\nSolution: {SECOND_WORK}\n\n"
    "Write another example in the same format, with both the problem and its solution.",
    f"Generate a question-answer pair similar to this one:\n\n{PROBLEM}\n\nQuestion: ...\nAnswer: ...",
    f"Write and solve a new problem like this one: {PROBLEM}",
    f"{PROBLEM}\n\nInvent one more problem of this kind. After it, give the worked answer, ending in "
    "'#### ' and the final number.",
    f"{PROBLEM}\nCome up with a fresh variation and answer it. Show your work.",
    f"Compose a new exercise that has exactly one answer, modelled on the one below. Include a full solution "
    f"as well.\n\n{PROBLEM}",
    f"<example>\n{PROBLEM}\n</example>\nProduce one new example. Use this form:\n\nQuestion: <the question>\n"
    "Answer: <the steps, then #### and the number>",
    f"I need more training data. Seed problem: {PROBLEM}\nPlease write only one new problem, with other "
    "numbers. Then work it out.",
    f"{PROBLEM}\n\nMake a similar problem, and write nothing but the problem and its answer.",
    f"Give me a problem of the same kind as\n{PROBLEM}\nand its answer, please.",
    f"Rewrite this with different numbers and solve the new problem: {PROBLEM}",
    f"One more problem like this, solved step by step: {PROBLEM}",
    f"Design a new Q&A item.\n\nReference item:\n{PROBLEM}\n\nThe item must be self-contained.",
    f"You are given a question and its solution.\n\nQuestion: {PROBLEM}\nSolution: {WORK}\n\nCreate "
    "a new question inspired by it, and provide a detailed solution ending with '#### <number>'.",
    f'Act as a data generator. Given the seed: {PROBLEM}\nReturn JSON with the keys "question" and '
    '"answer" for one new problem.',
    "Generate a new math problem based on the one below. First state the problem, then the "
    f"step-by-step solution.\n{PROBLEM}",
    f"### Instruction\nWrite a similar question and its answer.\n### Seed\n{PROBLEM}",
    f"{PROBLEM}\n\nWrite a similar word problem, followed by a worked solution. The answer must be a "
    "whole number.",
    f"Create one more training example like these.\n\nQuestion: {PROBLEM}\nAnswer: "
    f"{WORK}\n\nQuestion: {SECOND}\nAnswer: {SECOND_WORK}\n\nFollow the format exactly.",
    f"Give me one new problem similar to this and its step by step answer without any commentary: {PROBLEM}",
    f"Produce a variation of this problem. You must also solve it. {PROBLEM}",
    f"Make a new problem and work it out line by line, as in:\n{PROBLEM}\n{WORK}",
]

SOLVE = [
    PROBLEM,
    f"Solve this problem.\n\n{PROBLEM}",
    f"Question: {PROBLEM}\nAnswer:",
    f"Please work out the answer to the following exercise, step by step: {PROBLEM}",
    f"{PROBLEM}\n\nThink carefully, show your work, and put the final number after ####.",
    f"Here is a new problem that another teacher wrote. {PROBLEM} What is the answer?",
    f"Here's another question for you:\n{PROBLEM}",
    f"I have a similar problem for homework and I'm stuck. Can you help me? {PROBLEM}",
    f"Give the solution of this new exercise: {PROBLEM}",
    f"Don't write a new problem; just solve this one.\n{PROBLEM}",
    f"What is the result? {PROBLEM} Make sure that you answer this new question in the same style as before.",
    f"{PROBLEM} Calculate. Give only the number and no explanation.",
    f"Q: {SECOND}\nA: {SECOND_WORK}\n\nQ: {PROBLEM}\nA:",
    f"Explain how to do this problem, then write the answer on a new line.\n\n```\n{PROBLEM}\n```",
    f"Answer the following question. Write each calculation on another line.\n{PROBLEM}",
    f"Let's do another one. {PROBLEM}",
    f"Answer the following math problem. Let's think step by step.\n{PROBLEM}",
    f"{PROBLEM}\nLet's think step by step.",
    f"Problem:\n{PROBLEM}\n\nSolution:",
    f"As a math teacher, write a complete worked solution for this question from a new textbook: {PROBLEM}",
    f"Provide a solution to the problem below. Do not create additional problems.\n{PROBLEM}",
    f"You will be given a problem. Write the answer as '#### x'.\n\n{PROBLEM}",
    f"Please reason step by step, and put your final answer within \\boxed{{}}.\n\n{PROBLEM}",
    f"My son brought another exercise home: {PROBLEM} How does one do it?",
    f"Produce a numeric answer for the question. Question: {PROBLEM}",
    "Write out the solution of the next problem in the style of the examples.\n\nProblem: "
    f"{SECOND}\nSolution: {SECOND_WORK}\n\nProblem: {PROBLEM}\nSolution:",
    f"I need the answer to this one: {PROBLEM}",
    f"Check this by doing the sum yourself: {PROBLEM}",
    f"Generate the solution for this problem. {PROBLEM}",
    f"Give me the final number only. {PROBLEM}",
    f"Try this new one: {PROBLEM}",
    f"Use different methods if you like, but solve it: {PROBLEM}",
]

NOTHING_TO_DO = [
    "",
    "Hello!",
    "What is 3 + 4?",
    "Write a new math problem about trains.",
    "Write a poem about the sea.",
    f"Translate this into French: {PROBLEM}",
    f"How difficult is this problem, from 1 to 5?\n{PROBLEM}",
    f"Rephrase this problem in simpler words, and keep its numbers. {PROBLEM}",
    f"Which skills does a student need here? {PROBLEM}",
    f"Summarise: {PROBLEM}",
    PROBLEM.replace("stickers", "spaceships"),
    PROBLEM.replace("She buys 8 more. ", "She is tired. "),
    GSM8K,
    f"Solve this: {GSM8K}",
    f"Write a new problem like this one:\n\nQuestion: {GSM8K}\nAnswer: {GSM8K_WORK}\n\nOnly the problem.",
    f"<question>{GSM8K}</question>\n<answer>72</answer>\nGrade the answer from 1 to 10.",
    f"Is this problem grammatical? {PROBLEM}",
    f"Translate the problem to Spanish and keep the numbers:\n{PROBLEM}",
    f"Rate this question's quality from 1 to 10. {PROBLEM}",
    f"How many words does this have? {PROBLEM}",
    f"Give me a hint for this, not the answer. {PROBLEM}",
    f"Paraphrase: {PROBLEM}",
    f"Which of these two problems is harder?\n{PROBLEM}\n{SECOND}",
]


@pytest.mark.parametrize("text", QUESTION_ONLY)
def test_a_new_question_alone_is_written_where_no_answer_is_asked_for(text: str) -> None:
    assert kind(ask(text).text) == "question"


@pytest.mark.parametrize("text", WITH_ANSWER)
def test_a_new_question_comes_with_its_answer_where_that_is_asked_for(text: str) -> None:
    assert kind(ask(text).text) == "question and answer"


@pytest.mark.parametrize("text", SOLVE)
def test_a_problem_is_solved_where_no_new_one_is_asked_for(text: str) -> None:
    assert ask(text).text == WORK


@pytest.mark.parametrize("text", NOTHING_TO_DO)
def test_to_everything_else_it_says_that_it_cannot(text: str) -> None:
    assert kind(ask(text).text) == "cannot"


SYSTEMS = [
    ("You write new problems in the style of the one that you are given.", "question"),
    ("Given a problem, generate a similar one. Output the question only.", "question"),
    (
        "For each problem that the user sends, create a variation together with its solution.",
        "question and answer",
    ),
    ("You are an expert tutor. Solve the user's problems step by step.", "solved"),
    ("You are a helpful assistant.", "solved"),
    ("Translate what the user writes into German.", "cannot"),
]


@pytest.mark.parametrize(("system", "wanted"), SYSTEMS)
def test_a_bare_problem_gets_what_the_system_prompt_asks_for(system: str, wanted: str) -> None:
    assert kind(ask(chat(PROBLEM, system=system)).text) == wanted


def test_the_user_goes_before_the_system_prompt() -> None:
    writer = "You write new problems in the style of the one that you are given, each with its solution."
    tutor = "You are an expert tutor. Solve the user's problems step by step."
    assert kind(ask(chat(f"Solve this: {PROBLEM}", system=writer)).text) == "solved"
    assert kind(ask(chat(f"Write a similar problem: {PROBLEM}", system=tutor)).text) != "solved"
    said = f"{PROBLEM}\nWrite a similar problem, without its solution."
    assert kind(ask(chat(said, system=writer)).text) == "question"


def test_seeds_may_stand_in_the_system_prompt() -> None:
    system = f"These are the problems of our book:\n\n{PROBLEM}\n\n{SECOND}"
    assert kind(ask(chat("Write one more problem of this kind.", system=system)).text) == "question"


CHATS = [
    ((f"Solve this: {SECOND}", SECOND_WORK, f"And now this one: {PROBLEM}"), "solved"),
    ((f"Write a problem like this: {SECOND}", PROBLEM, "Now solve it."), "solved"),
    ((f"Write a problem like this: {SECOND}", PROBLEM, "Another one, please."), "question"),
    (
        (f"Write a problem like this: {SECOND}", PROBLEM, "One more, this time with its solution."),
        "question and answer",
    ),
    ((f"Look at this problem. {PROBLEM}", "I see.", "Write a similar one. Just the question."), "question"),
    ((f"Write a problem like this: {SECOND}", PROBLEM, f"Write a problem like this: {SECOND}"), "question"),
    ((f"Solve: {PROBLEM}", WORK, "Thanks! Please translate it into French."), "cannot"),
]


@pytest.mark.parametrize(("turns", "wanted"), CHATS)
def test_the_last_thing_that_the_user_asks_for_counts(turns: tuple[str, ...], wanted: str) -> None:
    assert kind(ask(chat(*turns)).text) == wanted
