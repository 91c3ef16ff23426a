"""`rules`: a teacher made of rules, for machines without a key, a network or a GPU.

It takes and gives chat messages like any teacher, and finds the problems in them with its own parsers,
whatever the wording around. Of pocket problems it writes new ones of the same structure and solves any;
of GSM8K problems with an annotated answer it writes numeric variants; of the puzzles of game24 and prontoqa
it writes others that are as hard, and solves any; it grades answers where asft's judge prompts ask for it;
to everything else it says that it cannot. Its randomness comes from the request
alone, so that equal requests get equal replies.
"""

import hashlib
import random
import re
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from asft.budget import FREE, Prices
from asft.registry import plugin
from asft.tasks.pocket import language
from asft.tasks.pocket.program import Program, vary
from asft.teachers.rules import gsm8k, intent, judge, puzzles
from asft.teachers.rules.slips import slip
from asft.types import Finish, Message, Reply, Request

Share = Annotated[float, Field(ge=0.0, le=1.0)]


@plugin
class Rules:
    """A deterministic teacher and judge for pocket problems, puzzles, and variants of GSM8K problems."""

    error_rate: Share = 0.0
    """Share of worked answers with a slip in the last calculation, so that filters have work to do."""
    change_rate: Share = 0.25
    """Share of new pocket problems and puzzles that are one step simpler or harder than their seed."""
    judge_noise: Annotated[float, Field(ge=0.0)] = 0.0
    """Standard deviation, in points, of the noise on a judge's scores."""
    judge_unreadable: Share = 0.0
    """Share of a judge's replies that hold no score."""

    @property
    def prices(self) -> Prices:
        """It costs nothing, so that budgets in dollars hold."""
        return FREE

    @property
    def active_params(self) -> float:
        """It has none, so that budgets of FLOPs hold."""
        return 0.0

    async def reply(self, request: Request) -> Reply:
        """Answer at once. Tokens are counted as words and marks; the cost is nothing."""
        text, finish = _cut(self._answer(request), request.sampling.max_tokens)
        return Reply(
            text=text,
            finish=finish,
            input_tokens=sum(_count(message.content) for message in request.messages),
            output_tokens=_count(text),
            cost_usd=0.0,
        )

    def _answer(self, request: Request) -> str:
        rng = random.Random(_digest(request))
        case = judge.read(request.messages)
        if case is not None and not _asks_for_new(request.messages, case):
            said = judge.reply(
                case,
                _solve,
                rng,
                puzzles.mark,
                noise=self.judge_noise,
                unreadable=self.judge_unreadable,
            )
            return said if isinstance(said, str) else _cannot(said.reason)
        asked = _asked(request.messages)
        if asked.kind == "other":
            return _cannot("I write new problems and solve the given ones, and nothing else")
        if asked.pocket:
            if asked.kind == "new":
                return self._new_pocket(asked, rng)
            return self._worked(language.work(asked.pocket[-1]), rng)
        if asked.posed:
            return self._puzzle(asked, rng)
        return self._new_gsm8k(asked, rng)

    def _new_pocket(self, asked: "_Asked", rng: random.Random) -> str:
        seed = rng.choice(asked.pocket)
        change = rng.choice((-1, 1)) if rng.random() < self.change_rate else 0
        program = vary(seed, rng, change) or vary(seed, rng)
        if program is None:
            return _cannot("no other numbers fit this problem")
        question = language.question(program)
        if not asked.with_answer:
            return question
        return f"Question: {question}\nAnswer: {self._worked(language.work(program), rng)}"

    def _puzzle(self, asked: "_Asked", rng: random.Random) -> str:
        if asked.kind != "new":
            return self._solved(asked.posed[-1], rng)
        seed = rng.choice(asked.posed)
        change = rng.choice((-1, 1)) if rng.random() < self.change_rate else 0
        new = seed.another(rng, change)
        if new is None:
            return _cannot("this puzzle has no answer, so that it is as hard as no other")
        return (
            f"Question: {new.question}\nAnswer: {self._solved(new, rng)}"
            if asked.with_answer
            else new.question
        )

    def _solved(self, puzzle: puzzles.Puzzle, rng: random.Random) -> str:
        worked = puzzle.worked(rng if rng.random() < self.error_rate else None)
        return _cannot("this puzzle has no answer") if worked is None else worked

    def _new_gsm8k(self, asked: "_Asked", rng: random.Random) -> str:
        if not asked.worked:
            return _cannot("there is no problem in this message that I know how to read")
        if asked.kind != "new":
            return _cannot("I solve no problems of this kind")
        if not asked.with_answer:
            return _cannot("of this kind I write problems only together with their answers")
        seed = rng.choice(asked.worked)
        new = gsm8k.variant(seed.question, seed.solution, rng)
        if isinstance(new, gsm8k.Cannot):
            return _cannot(str(new.reason))
        question, answer = gsm8k.render(new).split("\nAnswer: ", 1)
        return f"{question}\nAnswer: {self._worked(answer, rng)}"

    def _worked(self, answer: str, rng: random.Random) -> str:
        return slip(answer, rng) if rng.random() < self.error_rate else answer


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a chat asks for, and of which problems."""

    kind: intent.Kind | None
    with_answer: bool
    pocket: tuple[Program, ...] = ()
    posed: tuple[puzzles.Puzzle, ...] = ()
    worked: tuple[gsm8k.Worked, ...] = ()


def _asked(messages: tuple[Message, ...]) -> _Asked:
    """The last message that holds a problem gives the problems; the last that asks for something, the wish.

    What the user says goes before what the system prompt says, and the assistant's turns ask for nothing.
    """
    read = [_read(message.content) for message in messages]
    holders = [
        i for i, (problems, _) in enumerate(read) if problems.pocket or problems.posed or problems.worked
    ]
    if not holders:
        # A question and its solution may stand in two turns.
        whole, words = _read("\n\n".join(message.content for message in messages))
        shown = intent.shows_answer([words], worked_seeds=bool(whole.worked))
        return replace(whole, kind=intent.kind(words), with_answer=shown)
    problems = read[holders[-1]][0]
    said = [words for message, (_, words) in zip(messages, read, strict=True) if message.role == "user"]
    said = [*reversed(said), *(w for m, (_, w) in zip(messages, read, strict=True) if m.role == "system")]
    kinds = [found for words in said if (found := intent.kind(words)) is not None]
    shown = intent.shows_answer(said, worked_seeds=bool(problems.worked))
    return replace(problems, kind=kinds[0] if kinds else None, with_answer=shown)


def _asks_for_new(messages: tuple[Message, ...], case: judge.Case) -> bool:
    """Whether what looks like a judge's case is a seed with its answer, in tags, and a new one is wanted."""
    said = "\n\n".join(message.content for message in messages if message.role != "assistant")
    for part in (case.question, *case.answers, case.reference or ""):
        said = said.replace(part, " ") if part else said
    return intent.kind(said) == "new"


def _read(text: str) -> tuple[_Asked, str]:
    """The problems in a text, and what else stands in it."""
    found = language.find(text)
    if found:
        outside = _without(text, [(f.start, f.end) for f in found])
        return _Asked(kind=None, with_answer=False, pocket=tuple(f.program for f in found)), outside
    hidden = puzzles.find(text)
    if hidden:
        outside = _FINAL.sub("", _without(text, [(f.start, f.end) for f in hidden]))
        return _Asked(kind=None, with_answer=False, posed=tuple(f.puzzle for f in hidden)), outside
    worked = gsm8k.find(text)
    outside = text
    for problem in worked:
        outside = outside.replace(problem.question, " ").replace(problem.solution, " ")
    return _Asked(kind=None, with_answer=False, worked=tuple(worked)), outside


_FINAL = re.compile(r"^[ \t]{0,9}#### [^\n]*$", re.MULTILINE)
"""The last line of a seed's worked answer, which asks for nothing."""


def _solve(question: str) -> str | None:
    found = language.find(question)
    return language.work(found[-1].program) if found else None


def _cannot(reason: str) -> str:
    return f"I cannot do this: {reason}."


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts, end = [], 0
    for start, stop in spans:
        parts.append(text[end:start])
        end = stop
    return " ".join([*parts, text[end:]])


def _digest(request: Request) -> str:
    parts = [str(request.seed), str(request.draw), str(request.index), repr(request.sampling)]
    parts += [part for message in request.messages for part in (message.role, message.content)]
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


_TOKEN = re.compile(r"\w+|[^\w\s]")


def _count(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


def _cut(text: str, tokens: int) -> tuple[str, Finish]:
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number == tokens:
            return text[: token.start()].rstrip(), "length"
    return text, "stop"
