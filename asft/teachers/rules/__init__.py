"""`rules`: a teacher made of rules, for machines without a key, a network or a GPU.

It takes and gives chat messages like any teacher, and finds the problems in them with its own parsers,
whatever the wording around. Of pocket problems it writes new ones of the same structure and solves any;
of GSM8K problems with an annotated answer it writes numeric variants; it grades answers where asft's
judge prompts ask for it; to everything else it says that it cannot. Its randomness comes from the request
alone, so that equal requests get equal replies.
"""

import hashlib
import random
import re
from typing import Annotated

from pydantic import Field

from asft.registry import plugin
from asft.tasks.pocket import language
from asft.tasks.pocket.program import vary
from asft.teachers.rules import gsm8k, judge
from asft.teachers.rules.slips import slip
from asft.types import Finish, Message, Reply, Request

Share = Annotated[float, Field(ge=0.0, le=1.0)]


@plugin
class Rules:
    """A deterministic teacher and judge for pocket problems and for variants of GSM8K problems."""

    error_rate: Share = 0.0
    """Share of worked answers with a slip in the last calculation, so that filters have work to do."""
    change_rate: Share = 0.25
    """Share of new pocket problems that are one step simpler or harder than their seed."""
    judge_noise: Annotated[float, Field(ge=0.0)] = 0.0
    """Standard deviation, in points, of the noise on a judge's scores."""
    judge_unreadable: Share = 0.0
    """Share of a judge's replies that hold no score."""

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
        if case is not None:
            said = judge.reply(case, _solve, rng, noise=self.judge_noise, unreadable=self.judge_unreadable)
            return said if isinstance(said, str) else _cannot(said.reason)
        text = _asked(request.messages)
        found = language.find(text)
        if found:
            outside = _without(text, [(f.start, f.end) for f in found])
            if not _NEW.search(outside):
                return self._worked(language.work(found[-1].program), rng)
            return self._new_pocket(found, _wants_answer(outside), rng)
        return self._new_gsm8k(text, rng)

    def _new_pocket(self, found: list[language.Found], with_answer: bool, rng: random.Random) -> str:
        seed = rng.choice(found).program
        change = rng.choice((-1, 1)) if rng.random() < self.change_rate else 0
        program = vary(seed, rng, change) or vary(seed, rng)
        if program is None:
            return _cannot("no other numbers fit this problem")
        question = language.question(program)
        if not with_answer:
            return question
        return f"Question: {question}\nAnswer: {self._worked(language.work(program), rng)}"

    def _new_gsm8k(self, text: str, rng: random.Random) -> str:
        worked = gsm8k.find(text)
        if not worked:
            return _cannot("there is no problem in this message that I know how to read")
        outside = text
        for problem in worked:
            outside = outside.replace(problem.question, " ").replace(problem.solution, " ")
        if not _NEW.search(outside):
            return _cannot("I solve no problems of this kind")
        if not _wants_answer(outside):
            return _cannot("of this kind I write problems only together with their answers")
        seed = rng.choice(worked)
        new = gsm8k.variant(seed.question, seed.solution, rng)
        if isinstance(new, gsm8k.Cannot):
            return _cannot(str(new.reason))
        question, answer = gsm8k.render(new).split("\nAnswer: ", 1)
        return f"{question}\nAnswer: {self._worked(answer, rng)}"

    def _worked(self, answer: str, rng: random.Random) -> str:
        return slip(answer, rng) if rng.random() < self.error_rate else answer


_KIND = r"(?:problem|question|exercise|task|puzzle)s?"
_NEW = re.compile(
    r"\b(?:write|create|compose|invent|make|generate|come up with|design|produce|give|pose)\b"
    r"[^.?!\n]{0,80}\b(?:new|another|similar|different|fresh|variation|same kind|like (?:this|these))\b"
    rf"[^.?!\n]{{0,60}}\b{_KIND}\b"
    rf"|\b(?:new|another|similar|fresh)\b[^.?!\n]{{0,40}}\b{_KIND}\b",
    re.IGNORECASE,
)
_QUESTION_ONLY = re.compile(
    r"\b(?:do not|don't|never|without|no)\b[^.?!\n]{0,30}\b(?:answers?|solutions?|solve|solving)\b"
    rf"|\b(?:only|just|nothing but|nothing except)\b[^.?!\n]{{0,30}}\b{_KIND}\b"
    r"(?![^.?!\n]{0,40}\b(?:answers?|solutions?)\b)",
    re.IGNORECASE,
)
_WITH_ANSWER = re.compile(
    r"\b(?:with|and|then|plus|by)\b[^.?!\n]{0,40}\b(?:answers?|solutions?)\b"
    r"|\b(?:answer|solution)s?\s*:"
    rf"|\b(?:solve|work out|answer|work)\s+(?:it|them|this|that|your|the new {_KIND})\b|\bstep by step\b",
    re.IGNORECASE,
)


def _wants_answer(text: str) -> bool:
    """Whether a new problem is to come together with its answer."""
    return _QUESTION_ONLY.search(text) is None and _WITH_ANSWER.search(text) is not None


def _asked(messages: tuple[Message, ...]) -> str:
    """The last message that holds a problem, or else all that was asked, the system's part included."""
    asked = [message.content for message in messages if message.role == "user"]
    for text in reversed(asked):
        if language.find(text) or gsm8k.find(text):
            return text
    return "\n\n".join(message.content for message in messages)


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
