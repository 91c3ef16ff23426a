"""What every writer promises, on replies fed by hand and by the rules teacher; how replies are read."""

import asyncio
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asft import prompts, registry
from asft.budget import ceiling_of
from asft.errors import PluginError, PromptError, RequestError
from asft.tasks.pocket.task import Pocket
from asft.teachers.rules import Rules
from asft.types import Ceiling, Context, Draft, Example, Pick, Reply, Request, Writer
from asft.writers import REASONS
from asft.writers.reading import read_answer, read_both, read_question, says_that_it_cannot

CASES = [
    ("question_then_answer", {}),
    ("question_then_answer", {"votes": 2, "reasks": 2}),
    ("question_then_answer", {"reasks": 0}),
    ("question_with_answer", {}),
    ("question_with_answer", {"reasks": 0}),
    ("question_with_answer", {"prompt": "gsm8k_question_with_answer", "reasks": 3}),
]

TASK = Pocket(seeds=12, tests=1)
SEEDS = tuple(TASK.load("seed"))
CONTEXT = Context(task=TASK, seeds=SEEDS, accepted=(), test=(), round=3, seed=11)

QUESTION = "Ann has 6 bags of 7 nuts. How many nuts does she have?"
WORKED = "She has 6*7 = <<6*7=42>>42 nuts.\n#### 42"


def make(name: str, options: Mapping[str, object] | None = None) -> Writer:
    made = registry.make("writer", name, options)
    assert isinstance(made, Writer)
    return made


def pick(number: int = 0, *, draw: int = 0) -> Pick:
    return Pick(number=number, example=SEEDS[number], observation=None, score=None, draw=draw)


def reply(text: str, *, cut_off: bool = False) -> Reply:
    return Reply(text=text, finish="length" if cut_off else "stop", input_tokens=1, output_tokens=5)


@dataclass
class Driven:
    """A script that has been driven to its end."""

    draft: Draft
    waves: list[list[Request]] = field(default_factory=list)

    @property
    def requests(self) -> list[Request]:
        return [request for wave in self.waves for request in wave]


def drive(
    script: Generator[Sequence[Request], Sequence[Reply], Draft],
    answer: Callable[[Request], Reply | RequestError],
) -> Driven:
    """Give a script its replies; a RequestError among them is thrown in, as the engine does."""
    waves: list[list[Request]] = []
    try:
        asked = next(script)
        while True:
            waves.append(list(asked))
            replies = []
            refusal = None
            for request in asked:
                got = answer(request)
                if isinstance(got, RequestError):
                    refusal = got
                else:
                    replies.append(got)
            asked = script.throw(refusal) if refusal else script.send(replies)
    except StopIteration as stop:
        return Driven(draft=stop.value, waves=waves)


def by_hand(*texts: str | Reply | RequestError) -> Callable[[Request], Reply | RequestError]:
    """These replies in this order; one too many is asked for: an error."""
    left = iter(texts)

    def answer(request: Request) -> Reply | RequestError:
        text = next(left)
        return reply(text) if isinstance(text, str) else text

    return answer


def run(name: str, options: Mapping[str, object], *texts: str | Reply | RequestError) -> Driven:
    return drive(make(name, options).write(pick(), CONTEXT, random.Random(0)), by_hand(*texts))


def by_rules(request: Request) -> Reply:
    return asyncio.run(Rules().reply(request))


def total(requests: Sequence[Request]) -> Ceiling:
    each = [ceiling_of(request) for request in requests]
    return Ceiling(
        requests=len(each),
        input_tokens=sum(ceiling.input_tokens for ceiling in each),
        output_tokens=sum(ceiling.output_tokens for ceiling in each),
    )


def within(spent: Ceiling, most: Ceiling) -> bool:
    return (
        spent.requests <= most.requests
        and spent.input_tokens <= most.input_tokens
        and spent.output_tokens <= most.output_tokens
    )


# What every writer promises


ASKS_NOBODY = {"reference"}


def test_every_built_in_that_asks_is_under_contract() -> None:
    assert {name for name, _ in CASES} == set(registry.BUILT_IN["writer"]) - ASKS_NOBODY


ODD_TEXTS = st.one_of(
    st.sampled_from(
        ["", QUESTION, WORKED, f"Question: {QUESTION}\nAnswer: {WORKED}", "I cannot do this.", "?" * 9000]
    ),
    st.text(max_size=40),
)


@pytest.mark.parametrize(("name", "options"), CASES)
class TestEveryWriter:
    def test_with_the_rules_teacher_it_writes_an_example(self, name: str, options: dict[str, Any]) -> None:
        writer = make(name, options)
        for number, seed in enumerate(SEEDS):
            done = drive(writer.write(pick(number), CONTEXT, random.Random(0)), by_rules)
            example = done.draft.example
            assert example is not None
            assert (done.draft.number, done.draft.reason) == (number, "")
            assert (example.task, example.parents, example.round) == ("pocket", (seed.id,), 3)
            assert example.prompt != seed.prompt
            assert example.completion is not None
            assert TASK.grade(example, example.completion).value == 1.0
            made_alike = Example.make(task="pocket", prompt=example.prompt, answer=example.answer)
            assert example.id == made_alike.id

    def test_the_same_arguments_and_replies_give_the_same_requests(
        self, name: str, options: dict[str, Any]
    ) -> None:
        once, twice = (
            drive(make(name, options).write(pick(), CONTEXT, random.Random(0)), by_rules) for _ in range(2)
        )
        assert once == twice

    def test_no_two_of_its_requests_are_equal(self, name: str, options: dict[str, Any]) -> None:
        done = drive(make(name, options).write(pick(), CONTEXT, random.Random(0)), lambda _: reply("?"))
        assert len(set(done.requests)) == len(done.requests) == options.get("reasks", 1) + 1

    def test_requests_carry_seed_draw_and_purpose(self, name: str, options: dict[str, Any]) -> None:
        done = drive(make(name, options).write(pick(draw=4), CONTEXT, random.Random(0)), by_rules)
        assert {(request.seed, request.draw, request.to) for request in done.requests} == {(11, 4, "teacher")}
        assert {request.purpose for request in done.requests} <= {"question", "answer"}

    def test_another_draw_gets_another_example(self, name: str, options: dict[str, Any]) -> None:
        drafts = [
            drive(make(name, options).write(pick(draw=draw), CONTEXT, random.Random(0)), by_rules).draft
            for draw in range(3)
        ]
        assert len({draft.example.id for draft in drafts if draft.example}) == 3

    @given(texts=st.lists(ODD_TEXTS, min_size=12, max_size=12), cut_off=st.booleans())
    def test_whatever_comes_back_it_ends_within_its_ceiling(
        self, name: str, options: dict[str, Any], texts: list[str], cut_off: bool
    ) -> None:
        writer, left = make(name, options), iter(texts)
        done = drive(
            writer.write(pick(), CONTEXT, random.Random(0)), lambda _: reply(next(left), cut_off=cut_off)
        )
        assert within(total(done.requests), writer.ceiling(pick(), CONTEXT))
        assert (done.draft.example is None) == (done.draft.reason != "")
        assert done.draft.example is not None or done.draft.reason.partition(":")[0] in REASONS

    def test_a_refusal_makes_no_draft_and_is_the_reason(self, name: str, options: dict[str, Any]) -> None:
        done = run(name, options, RequestError("400: the model\nis too small"))
        assert (done.draft.example, len(done.requests)) == (None, 1)
        assert done.draft.reason == "refused: '400: the model is too small'"

    def test_a_teacher_that_cannot_is_not_asked_again(self, name: str, options: dict[str, Any]) -> None:
        done = run(name, options, "I cannot do this: no other numbers fit.")
        assert done.draft.reason == "teacher cannot: 'I cannot do this: no other numbers fit.'"

    def test_a_reply_that_is_cut_off_is_never_an_example(self, name: str, options: dict[str, Any]) -> None:
        whole = reply(f"Question: {QUESTION}\nAnswer: {WORKED}", cut_off=True)
        done = drive(make(name, options).write(pick(), CONTEXT, random.Random(0)), lambda _: whole)
        assert done.draft.reason == "cut off: after 5 tokens"

    def test_a_prompt_that_does_not_exist_is_told_when_it_is_made(
        self, name: str, options: dict[str, Any]
    ) -> None:
        key = "prompt" if "prompt" in vars(make(name)) else "question_prompt"
        with pytest.raises(PromptError, match="there is no prompt 'qestion'"):
            make(name, {**options, key: "qestion"})

    def test_a_prompt_file_is_read_once(self, name: str, options: dict[str, Any], tmp_path: Path) -> None:
        key = "prompt" if "prompt" in vars(make(name)) else "question_prompt"
        path = prompt_file(tmp_path, "Like {{ question }}, please.", variables=["question"])
        writer = make(name, {**options, key: path})
        Path(path).unlink()
        [message] = next(writer.write(pick(), CONTEXT, random.Random(0)))[0].messages
        assert message.content == f"Like {SEEDS[0].prompt}, please."

    def test_a_variable_that_no_writer_fills_is_told(
        self, name: str, options: dict[str, Any], tmp_path: Path
    ) -> None:
        key = "prompt" if "prompt" in vars(make(name)) else "question_prompt"
        path = prompt_file(tmp_path, "{{ topic }}", variables=["topic"])
        with pytest.raises(PromptError, match=r"needs a value for 'topic'; here question, .* are filled in"):
            make(name, {**options, key: path})

    def test_tokens_and_temperature_have_bounds(self, name: str, options: dict[str, Any]) -> None:
        two = name == "question_then_answer"
        for option, value in (
            ("question_max_tokens" if two else "max_tokens", 0),
            ("answer_temperature" if two else "temperature", -0.1),
            ("reasks", -1),
        ):
            with pytest.raises(PluginError, match=option):
                make(name, {**options, option: value})


def prompt_file(folder: Path, body: str, *, variables: Sequence[str], purpose: str = "test") -> str:
    lines = ["---", "description: For a test.", f"purpose: {purpose}", "variables:"]
    lines += [f"  {variable}: Something." for variable in variables]
    path = folder / "mine.md"
    path.write_text("\n".join([*lines, "---", body]), encoding="utf-8")
    return str(path)


# Two calls


def test_a_question_is_asked_for_and_then_its_answer() -> None:
    done = run("question_then_answer", {}, f"Sure! Here is a new problem:\n\n{QUESTION}", WORKED)
    assert done.draft.example == Example.make(
        task="pocket", prompt=QUESTION, answer="42", completion=WORKED, parents=(SEEDS[0].id,), round=3
    )
    [question], [answer] = done.waves
    assert SEEDS[0].prompt in question.messages[-1].content
    assert QUESTION in answer.messages[-1].content
    assert SEEDS[0].prompt not in answer.messages[-1].content
    assert (question.purpose, answer.purpose) == ("question", "answer")
    assert (question.sampling.temperature, question.sampling.max_tokens) == (1.0, 512)
    assert (answer.sampling.temperature, answer.sampling.max_tokens) == (0.0, 1024)


def test_an_answer_is_read_with_the_choices_of_its_own_question(tmp_path: Path) -> None:
    path = tmp_path / "seed.jsonl"
    path.write_text('{"question": "The capital of France?", "choices": ["Paris", "Rome"], "answer": "A"}\n')
    task = registry.make("task", "multiple_choice", {"seed": str(path), "test": str(path)})
    [seed] = task.load("seed")
    # In the seed Paris is A; an answer that were read with the seed's choices would contradict itself.
    question = "The city of the Louvre?\n\nA. Oslo\nB. Paris\n\nAnswer with the letter of the right choice."
    asked = replace(CONTEXT, task=task, seeds=(seed,))
    script = make("question_then_answer", {"votes": 1}).write(
        Pick(number=0, example=seed, observation=None, score=None, draw=0), asked, random.Random(0)
    )
    worked = "It stands on the Seine.\n#### B. Paris"
    draft = drive(script, by_hand(question, worked, worked)).draft
    assert draft.example is not None
    assert task.grade(replace(draft.example, answer="B"), worked).value == 1.0
    assert draft.example.answer == draft.votes[0] != ""


def test_votes_are_asked_for_at_once_and_kept_as_final_answers() -> None:
    done = run(
        "question_then_answer",
        {"votes": 3, "vote_temperature": 0.9},
        *(QUESTION, WORKED, "It is\n#### 43", "I have no idea, maybe 42.", "So \\boxed{42}."),
    )
    assert done.draft.votes == ("43", None, "42")
    assert [len(wave) for wave in done.waves] == [1, 4]
    assert [request.index for request in done.waves[1]] == [0, 1, 2, 3]
    assert [request.sampling.temperature for request in done.waves[1]] == [0.0, 0.9, 0.9, 0.9]


def test_an_unreadable_question_is_asked_for_again_with_the_next_index() -> None:
    done = run("question_then_answer", {"reasks": 2}, "...", "", QUESTION, WORKED)
    assert done.draft.example is not None
    assert [request.index for request in done.requests] == [0, 1, 2, 0]


def test_an_unreadable_answer_is_asked_for_again_after_the_votes() -> None:
    done = run(
        "question_then_answer",
        {"votes": 1, "reasks": 2},
        *(QUESTION, "I guess 42 nuts or so.", "#### 42", "Hm.", WORKED),
    )
    assert done.draft.example is not None
    assert done.draft.example.completion == WORKED
    assert done.draft.votes == ("42",)
    assert [request.index for request in done.requests] == [0, 0, 1, 2, 3]
    assert [request.sampling.temperature for request in done.requests] == [1.0, 0.0, 0.7, 0.7, 0.7]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["...", "!"], "no question: '!'"),
        ([QUESTION, "", ""], "no answer: ''"),
        ([QUESTION, "", "There may be 43 nuts in all."], "no final answer: 'There may be 43 nuts in all.'"),
        ([QUESTION, "I'm sorry, I can't."], "teacher cannot: \"I'm sorry, I can't.\""),
        (["x" * 4097, "y" * 4097], "reply too long: 4097 bytes of 4096"),
        (["é" * 2049, "ü" * 2049], "reply too long: 4098 bytes of 4096"),
    ],
)
def test_what_cannot_be_read_in_the_end_is_the_reason(texts: list[str], reason: str) -> None:
    done = run("question_then_answer", {}, *texts)
    assert (done.draft.example, done.draft.reason) == (None, reason)


def test_a_refused_answer_is_the_reason_too() -> None:
    done = run("question_then_answer", {}, QUESTION, RequestError("422: too long"))
    assert done.draft.reason == "refused: '422: too long'"


def test_the_ceiling_of_two_calls_by_hand(tmp_path: Path) -> None:
    # The question's prompt is "Q" + the seed, the answer's "A" + at most 100 bytes, each one message of
    # so many bytes and 64 of overhead. Two question calls, and 1 + 2 votes + 1 answer calls.
    seed = SEEDS[0].prompt
    (tmp_path / "q").mkdir()
    (tmp_path / "a").mkdir()
    writer = make(
        "question_then_answer",
        {
            "question_prompt": prompt_file(tmp_path / "q", "Q{{ question }}", variables=["question"]),
            "answer_prompt": prompt_file(tmp_path / "a", "A{{ question }}", variables=["question"]),
            "votes": 2,
            "reasks": 1,
            "question_max_tokens": 10,
            "answer_max_tokens": 1000,
            "max_reply_bytes": 100,
        },
    )
    assert writer.ceiling(pick(), CONTEXT) == Ceiling(
        requests=6,
        input_tokens=2 * (1 + len(seed.encode()) + 64) + 4 * (1 + 100 + 64),
        output_tokens=2 * 10 + 4 * 1000,
    )


def test_a_template_that_lengthens_its_text_cannot_break_the_ceiling(tmp_path: Path) -> None:
    # "<" becomes "&lt;": a question of 80 bytes makes a longer prompt than one of 100 x's.
    path = prompt_file(tmp_path, "{{ question | e }}", variables=["question"])
    options = {"answer_prompt": path, "max_reply_bytes": 100, "reasks": 0}
    done = run("question_then_answer", options, "How many? " + "<" * 70)
    assert done.draft.reason == "reply too long: 80 bytes of 100"


def test_an_answer_prompt_without_the_question_is_refused(tmp_path: Path) -> None:
    path = prompt_file(tmp_path, "Answer.", variables=["problem"])
    with pytest.raises(PromptError, match="needs a value for 'problem'"):
        make("question_then_answer", {"answer_prompt": path})
    path = prompt_file(tmp_path, "Answer.", variables=[])
    with pytest.raises(PromptError, match="must name 'question' under 'variables'"):
        make("question_then_answer", {"answer_prompt": path})


# How hard new questions are to be

SHOWN_BY = {"question_then_answer": "question_prompt", "question_with_answer": "prompt"}


AS_HARD = {
    "game24_question": (", and about as hard", ""),
    "game24_question_with_answer": (", and be about as hard to solve", ""),
    "prontoqa_question": ("as many", "several"),
    "prontoqa_question_with_answer": ("as many", "several"),
}
"""What prompts say of how hard it is to be where nothing is asked for, and what then stands in its place."""


@pytest.mark.parametrize("shipped", [name for name in prompts.shipped() if "question" in name.split("_")])
def test_a_difficulty_is_one_paragraph_of_shipped_prompts_that_nothing_speaks_against(shipped: str) -> None:
    prompt = prompts.load(shipped)
    values = dict.fromkeys(prompt.variables, "q")
    *_, bare = prompt.render(**values)
    *_, asked = prompt.render(**values, difficulty="one step longer")
    said, instead = AS_HARD.get(shipped, ("", ""))
    assert said in bare.content
    rest = asked.content.replace("How hard it must be: one step longer\n\n", "")
    assert rest != asked.content
    assert rest == bare.content.replace(said, instead)


@pytest.mark.parametrize("name", SHOWN_BY)
def test_a_difficulty_reaches_the_first_prompt_and_the_ceiling(name: str) -> None:
    bare, asked = make(name), make(name, {"difficulty": "one step longer"})
    [first] = next(asked.write(pick(), CONTEXT, random.Random(0)))
    assert "How hard it must be: one step longer" in first.messages[-1].content
    [before] = next(bare.write(pick(), CONTEXT, random.Random(0)))
    assert "How hard" not in before.messages[-1].content
    assert asked.ceiling(pick(), CONTEXT).input_tokens > bare.ceiling(pick(), CONTEXT).input_tokens


@pytest.mark.parametrize(("name", "key"), SHOWN_BY.items())
def test_a_difficulty_that_the_prompt_does_not_show_is_refused(name: str, key: str, tmp_path: Path) -> None:
    path = prompt_file(tmp_path, "{{ question }}", variables=["question"])
    with pytest.raises(PromptError, match="shows no difficulty, so `difficulty: hard` has no effect"):
        make(name, {key: path, "difficulty": "hard"})
    path = prompt_file(tmp_path, "{{ difficulty }}", variables=["difficulty"])
    with pytest.raises(PromptError, match="needs a value for 'difficulty'"):
        make(name, {key: path})


# Several questions in one prompt

SEVERAL = {"question_prompt": "question_from_several", "seeds": 4, "accepted": 2}
WRITTEN = tuple(
    Example.make(task="pocket", prompt=f"How many nuts are {n} and {n} nuts?", answer=str(2 * n))
    for n in range(20)
)
LATER = replace(CONTEXT, accepted=WRITTEN)


def asked(context: Context, *, number: int = 0, draw: int = 0, index: int = 0) -> str:
    """What the first requests of a writer that shows several say; all before `index` come back unreadable."""
    script = make("question_then_answer", {**SEVERAL, "reasks": 3}).write(
        pick(number, draw=draw), context, random.Random(draw)
    )
    [request] = next(script)
    for _ in range(index):
        [request] = script.send([reply("?")])
    return request.messages[-1].content


def shown_in(text: str) -> tuple[list[int], list[int]]:
    """Which seeds and which accepted questions a prompt shows, by their places."""
    return tuple([i for i, one in enumerate(many) if one.prompt in text] for many in (SEEDS, WRITTEN))  # type: ignore[return-value]


def test_the_pick_is_shown_among_other_seeds_and_accepted_questions() -> None:
    text = asked(LATER, number=5)
    seeds, accepted = shown_in(text)
    assert (len(seeds), len(accepted)) == (4, 2)
    assert 5 in seeds
    assert text.count("<question number=") == 6


def test_seeds_take_the_places_of_what_is_not_accepted_yet() -> None:
    seeds, accepted = shown_in(asked(CONTEXT, number=5))
    assert (len(seeds), len(accepted)) == (6, 0)
    seeds, accepted = shown_in(asked(replace(CONTEXT, accepted=WRITTEN[:1])))
    assert (len(seeds), len(accepted)) == (5, 1)


def test_a_small_pool_is_shown_whole() -> None:
    seeds, _ = shown_in(asked(replace(CONTEXT, seeds=SEEDS[:3])))
    assert seeds == [0, 1, 2]


def test_each_draw_shows_others_and_a_re_ask_the_same() -> None:
    assert len({asked(LATER, draw=draw) for draw in range(5)}) == 5
    assert asked(LATER, index=2) == asked(LATER)


def test_the_pick_may_stand_anywhere() -> None:
    places = {asked(LATER, draw=draw).index(SEEDS[0].prompt) for draw in range(12)}
    assert len(places) > 3


def test_the_parents_are_the_pick_and_then_all_that_was_shown() -> None:
    done = drive(make("question_then_answer", SEVERAL).write(pick(2), LATER, random.Random(0)), by_rules)
    assert done.draft.example is not None
    seeds, accepted = shown_in(done.requests[0].messages[-1].content)
    parents = done.draft.example.parents
    assert parents[0] == SEEDS[2].id
    assert len(parents) == 6
    assert set(parents) == {SEEDS[i].id for i in seeds} | {WRITTEN[i].id for i in accepted}


@given(draw=st.integers(0, 50), texts=st.lists(ODD_TEXTS, min_size=12, max_size=12))
def test_what_is_shown_is_within_the_ceiling(draw: int, texts: list[str]) -> None:
    writer, left = make("question_then_answer", SEVERAL), iter(texts)
    done = drive(writer.write(pick(draw=draw), LATER, random.Random(1)), lambda _: reply(next(left)))
    assert within(total(done.requests), writer.ceiling(pick(draw=draw), LATER))


def test_a_prompt_and_what_is_to_be_shown_must_fit() -> None:
    with pytest.raises(PromptError, match="must name 'questions' under 'variables' and show it"):
        make("question_then_answer", {"seeds": 2})
    with pytest.raises(PromptError, match="needs a value for 'questions'"):
        make("question_then_answer", {"question_prompt": "question_from_several"})
    with pytest.raises(PluginError, match="seeds"):
        make("question_then_answer", {"seeds": 0})


# No call


def test_the_reference_is_the_seed_itself_and_asks_nobody() -> None:
    writer = make("reference")
    done = drive(writer.write(pick(1), CONTEXT, random.Random(0)), by_hand())
    assert done.draft == Draft(
        number=1,
        example=replace(SEEDS[1], parents=(SEEDS[1].id,), round=3, tags={}),
    )
    assert done.waves == []
    assert writer.ceiling(pick(1), CONTEXT) == Ceiling(requests=0, input_tokens=0, output_tokens=0)


def test_the_reference_is_taken_once_and_only_where_it_is_worked() -> None:
    again = drive(make("reference").write(pick(1, draw=1), CONTEXT, random.Random(0)), by_hand())
    assert (again.draft.example, again.draft.reason) == (None, f"taken before: seed {SEEDS[1].id}")
    bare = replace(pick(), example=replace(SEEDS[0], completion=None))
    without = drive(make("reference").write(bare, CONTEXT, random.Random(0)), by_hand())
    assert without.draft.reason == f"no solution: seed {SEEDS[0].id} has no worked answer"
    assert {draft.reason.partition(":")[0] for draft in (again.draft, without.draft)} <= set(REASONS)


# One call


def test_one_reply_holds_question_and_answer() -> None:
    done = run("question_with_answer", {}, f"Question: {QUESTION}\nAnswer: {WORKED}")
    assert done.draft.example == Example.make(
        task="pocket", prompt=QUESTION, answer="42", completion=WORKED, parents=(SEEDS[0].id,), round=3
    )
    [request] = done.requests
    assert (request.sampling.temperature, request.sampling.max_tokens, request.index) == (0.7, 1536, 0)
    assert SEEDS[0].completion is not None
    assert SEEDS[0].completion in request.messages[-1].content


def test_a_seed_without_a_worked_answer_is_shown_alone_where_the_prompt_allows_it() -> None:
    bare = replace(pick(), example=replace(SEEDS[0], completion=None))
    [request] = next(make("question_with_answer").write(bare, CONTEXT, random.Random(0)))
    assert "<solution>" not in request.messages[-1].content


def test_a_prompt_that_needs_the_worked_answer_asks_nothing_of_a_seed_without_one() -> None:
    bare = replace(pick(), example=replace(SEEDS[0], completion=None))
    writer = make("question_with_answer", {"prompt": "gsm8k_question_with_answer"})
    done = drive(writer.write(bare, CONTEXT, random.Random(0)), by_hand())
    assert (done.draft.example, done.requests) == (None, [])
    assert done.draft.reason.startswith("no solution: gsm8k_question_with_answer needs that of seed")
    assert writer.ceiling(bare, CONTEXT) == Ceiling(requests=0, input_tokens=0, output_tokens=0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no question: ''"),
        (QUESTION, f"no answer: {QUESTION!r}"),
        (f"Question: {QUESTION}\nAnswer:", f"no answer: 'Question: {QUESTION} Answer:'"),
        (
            f"Question: {QUESTION}\nAnswer: There may be 42 in all.",
            "no final answer: 'There may be 42 in all.'",
        ),
    ],
)
def test_half_a_reply_is_no_draft(text: str, reason: str) -> None:
    assert run("question_with_answer", {"reasks": 0}, text).draft.reason == reason


def test_the_ceiling_of_one_call_is_that_of_all_its_tries() -> None:
    writer = make("question_with_answer", {"reasks": 2, "max_tokens": 100})
    [request] = next(writer.write(pick(), CONTEXT, random.Random(0)))
    once = ceiling_of(request)
    assert writer.ceiling(pick(), CONTEXT) == Ceiling(
        requests=3, input_tokens=3 * once.input_tokens, output_tokens=300
    )


# Reading


Q, A = QUESTION, WORKED


@pytest.mark.parametrize(
    "text",
    [
        f"Question: {Q}\nAnswer: {A}",
        f"question:{Q}\n\n\nanswer :\n{A}\n\n",
        f"Sure! Here's a new problem for you:\n\n**Question:** {Q}\n\n**Answer:** {A}",
        f"**Question**: {Q}\n**Answer**: {A}\n\nLet me know if you'd like another one!",
        f"**Question: {Q}**\n\nAnswer: {A}",
        f"### New Problem\n{Q}\n\n### Solution\n{A}\n\n---",
        f"## Problem 1:\n{Q}\n\n---\n\n## Step-by-step Solution:\n\n{A}",
        f"Problem: {Q}\nSolution: {A}",
        f"<question>{Q}</question>\n<answer>{A}</answer>",
        f"<new_problem>\n{Q}\n</new_problem>\n\n<solution>\n{A}\n</solution>\nI hope this is what you want.",
        f"```\nQuestion: {Q}\nAnswer: {A}\n```",
        f"Certainly! I'd be happy to help.\n\n```text\nQuestion: {Q}\nAnswer: {A}\n```\n",
        f"Question: {Q} Answer: {A}",
        f"{Q}\nAnswer: {A}",
        f"Okay, here is one:\n{Q}\n\nSolution:\n{A}",
        f"Original problem: Tom has 2 cats. How many?\nNew problem: {Q}\nSolution: {A}",
        f"Seed question: Tom?\nAnswer: 2\n\nNew question: {Q}\nAnswer: {A}",
        f"Question 1: {Q}\nAnswer 1: {A}\n\nQuestion 2: Who?\nAnswer 2: Me. #### 1",
        f"1. Question: {Q}\n2. Answer: {A}",
        f'> Question: "{Q}"\n> Answer: {A}',
    ],
)
def test_question_and_answer_are_read_from_any_dress(text: str) -> None:
    assert read_both(text) == (Q, A)


def test_an_answer_line_at_the_end_of_a_solution_belongs_to_it() -> None:
    text = f"Question: {Q}\nSolution: 6*7 = 42\nExplanation: bags times nuts.\nFinal Answer: 42"
    assert read_both(text) == (Q, "6*7 = 42\nExplanation: bags times nuts.\nFinal Answer: 42")


def test_several_paragraphs_stay_whole() -> None:
    text = f"Question: Ann counts.\n\n{Q}\nAnswer: First:\n\n- 6 bags\n- 7 nuts\n\n{A}"
    assert read_both(text) == (f"Ann counts.\n\n{Q}", f"First:\n\n- 6 bags\n- 7 nuts\n\n{A}")


@pytest.mark.parametrize(
    "text",
    [
        Q,
        f"\n\n{Q}\n",
        f'"{Q}"',
        f"**{Q}**",
        f"Question: {Q}",
        f"**New Problem:** {Q}",
        f"<problem>\n{Q}\n</problem>",
        f"Sure! {Q}",
        f"Here is a new word problem that needs the same skills:\n\n{Q}",
        f"Of course! I'll write one.\nHere's the question:\n```\n{Q}\n```",
        f"{Q}\n\nAnswer: {A}",
        f"{Q}\n\n**Solution**\n{A}",
        f"{Q}\n\nLet me know if you would like the solution!",
    ],
)
def test_a_question_is_read_from_any_dress(text: str) -> None:
    assert read_question(text) == Q


@pytest.mark.parametrize(
    "text",
    [
        "Here is a list of 3 prices: $4, $5 and $6. What do they make together?",
        "Great Aunt Mary has 3 cats. How many legs have they?",
        "A sure thing: 5 of 6 coins show heads. How many show tails?",
        "Find x:\n3x = 12",
        "Ann asks a question: how many are 3 and 4?",
    ],
)
def test_a_question_that_looks_like_talk_is_left_as_it_is(text: str) -> None:
    assert read_question(text) == text


@pytest.mark.parametrize(
    "text", ["", " \n ", "```\n```", "**", "Question:", "---", "Sure! Here is a new problem:"]
)
def test_no_words_are_no_question(text: str) -> None:
    assert read_question(text) is None


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"Answer: {A}",
        f"**Solution:**\n{A}",
        f"```\n{A}\n```",
        f"<answer>{A}</answer>",
        f"Here is the solution:\n{A}",
    ],
)
def test_an_answer_is_read_from_any_dress(text: str) -> None:
    assert read_answer(text) == A


def test_hidden_reasoning_that_shows_is_left_out() -> None:
    done = run(
        "question_then_answer",
        {},
        f"<think>Question: what?</think>\n{QUESTION}",
        f"<think>#### 1</think>{WORKED}",
    )
    assert done.draft.example is not None
    assert (done.draft.example.prompt, done.draft.example.answer) == (QUESTION, "42")


@pytest.mark.parametrize(
    "text",
    [
        "I cannot do this: no other numbers fit this problem.",
        "I'm sorry, but I can't help with that. Would you like something else?",
        "I am sorry, I am unable to write this.",
        "Unfortunately, there is no such problem.",
        "As an AI language model, I have no nuts.",
        "Sorry.",
    ],
)
def test_a_teacher_that_declines_is_understood(text: str) -> None:
    assert says_that_it_cannot(text)


@pytest.mark.parametrize(
    "text",
    [
        "Unfortunately, Tom lost 3 of his 10 marbles. How many has he left?",
        "I cannot find 3 of my 10 keys. How many do I have?",
        "I don't know the total yet: 6*7 = 42.\n#### 42",
        "Tom cannot count. How many are 3 and 4?",
        f"I'm sorry for the wait!\nQuestion: {Q}\nAnswer: {A}",
    ],
)
def test_a_text_that_merely_begins_like_a_refusal_is_none(text: str) -> None:
    assert not says_that_it_cannot(text)


@given(st.text(alphabet='Question: Answer:<>/*#`\n"ab?.', max_size=120))
def test_any_text_is_read_without_an_error(text: str) -> None:
    question, worked = read_both(text)
    for part in (question, worked, read_question(text), read_answer(text)):
        assert part is None or part.strip() == part != ""
    says_that_it_cannot(text)


@pytest.mark.parametrize(
    "piece", ["Question: ", "Question:\n", "<question>", "```\n", "**", "\n", "here is ", "#" * 9, " "]
)
def test_hostile_texts_cost_no_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    read_both(text)
    read_question(text)
    read_answer(text)
    says_that_it_cannot(text)
