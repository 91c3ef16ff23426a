"""Filters: what keeps bad drafts out of the training set. Each gives every draft a verdict with a reason.

A reason begins with a fixed phrase, and a detail follows behind a colon; whoever counts reasons counts what
stands before it. `undecided` is a verdict of its own: the filter cannot tell, which is neither for nor
against the draft.

Questions are compared by their words: case, punctuation and spacing do not count; numbers and signs of
arithmetic do, so that "3 + 4" and "3 - 4" are two questions, and thousands separators do not.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import Field

from asft.registry import plugin
from asft.types import Context, Decision, Draft, Example, Task, Verdict

T = TypeVar("T")
Length = Annotated[int, Field(ge=1)]
Finding = tuple[Decision, str]
"""A decision and its reason."""


@plugin
class WellFormed:
    """A question that is whole, with an answer that can be graded and that its worked answer arrives at."""

    min_question: Length = 10
    """Characters that a question has at least."""
    max_question: Length = 2000
    """Characters that it has at most."""
    max_completion: Length = 4000
    """Characters that a worked answer has at most."""

    def __post_init__(self) -> None:
        """Refuse bounds that no question can keep."""
        if self.min_question > self.max_question:
            raise ValueError(
                f"min_question = {self.min_question} is more than max_question = {self.max_question}; "
                "no question would pass"
            )

    @property
    def ordered(self) -> bool:
        """It looks at the draft alone."""
        return False

    def check(self, draft: Draft, context: Context, accepted: Sequence[Example]) -> Verdict:
        """Drop what is empty, too short or long, cut off, or at odds with its own worked answer."""
        return _verdict("well_formed", draft, lambda example: self._find(example, context.task))

    def _find(self, example: Example, task: Task) -> Finding:
        question = example.prompt.strip()
        if not question:
            return "drop", "no question"
        if not self.min_question <= len(question) <= self.max_question:
            bounds = f"{self.min_question} to {self.max_question}"
            return "drop", f"length of the question: {len(question)} characters, not {bounds}"
        if not _ends_sensibly(question):
            return "drop", f"question without an end: {question[-40:]!r}"
        if task.grade(example, example.answer).value is None:
            return "drop", f"answer cannot be graded: {example.answer[:80]!r}"
        if example.completion is None:
            return "keep", "well formed: there is no worked answer to check"
        if len(example.completion) > self.max_completion:
            size = len(example.completion)
            return "drop", f"length of the answer: {size} characters, not at most {self.max_completion}"
        grade = task.grade(example, example.completion)
        if grade.value != 1.0:
            wanted = f"{grade.extracted!r:.80}, not {example.answer!r:.80}"
            return "drop", f"worked answer arrives at another answer: {wanted}"
        return "keep", "well formed"


@plugin
class Duplicate:
    """No question that is a seed, or was accepted before: equal word for word after normalisation."""

    @property
    def ordered(self) -> bool:
        """Of two equal drafts the first is kept."""
        return True

    def check(self, draft: Draft, context: Context, accepted: Sequence[Example]) -> Verdict:
        """Compare with the seeds, with earlier rounds and with what this round has accepted so far."""
        return _verdict("duplicate", draft, lambda example: self._find(example, context, accepted))

    def _find(self, example: Example, context: Context, accepted: Sequence[Example]) -> Finding:
        known = self._known.of(context.seeds, context.accepted)
        question = known.words(example.prompt)
        if question in known.before:
            return "drop", known.before[question]
        for other in accepted:
            if known.words(other.prompt) == question:
                return "drop", f"accepted in this round: {other.id}"
        return "keep", "new question"

    @cached_property
    def _known(self) -> "_Latest[_Questions]":
        return _Latest(_Questions)


@plugin
class NotInTest:
    """No question of the test split: none that is equal to one, or has half of its word 8-grams from one.

    The share is that of the draft's distinct runs of 8 words (numbers and signs are words) that stand in
    one and the same test question; a shorter question has no run, and is only compared as a whole.
    """

    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """From this share on it is dropped."""

    @property
    def ordered(self) -> bool:
        """It compares with the test split alone."""
        return False

    def check(self, draft: Draft, context: Context, accepted: Sequence[Example]) -> Verdict:
        """Compare the question with every test question, through an index that is made once for a context."""
        return _verdict(
            "not_in_test", draft, lambda example: self._find(example, self._test.of(context.test))
        )

    def _find(self, example: Example, test: "_TestQuestions") -> Finding:
        words = _words(example.prompt)
        if (same := test.whole.get(words)) is not None:
            return "drop", f"equal to a test question: {same}"
        grams = set(_grams(words))
        shared = Counter(item for gram in grams for item in test.holders.get(gram, ()))
        if shared:
            most = max(shared.values())
            if most >= self.share * len(grams):
                first = test.ids[min(at for at, count in shared.items() if count == most)]
                return "drop", f"like a test question: {most} of {len(grams)} runs of 8 words are in {first}"
        return "keep", "not in the test split"

    @cached_property
    def _test(self) -> "_Latest[_TestQuestions]":
        return _Latest(_TestQuestions)


@runtime_checkable
class Solves(Protocol):
    """What a task may offer beside its role: to answer a question by itself."""

    def solve(self, prompt: str) -> str | None:
        """The final answer, None where it does not know how. Pure."""
        ...


@plugin
class Agrees:
    """The answer is the one that others give to the question: the teacher's further answers, or the task."""

    mode: Literal["votes", "task"] = "votes"
    """votes: of the teacher's answers, this one included, the most are equal to it, and more than to any
    other (self-consistency, arXiv 2203.11171). task: the task's own `solve(prompt)` gives the same."""

    @property
    def ordered(self) -> bool:
        """It looks at the draft alone."""
        return False

    def check(self, draft: Draft, context: Context, accepted: Sequence[Example]) -> Verdict:
        """Undecided where nobody else has an answer; a tie is dropped."""
        find = _by_votes if self.mode == "votes" else _by_task
        return _verdict("agrees", draft, lambda example: find(example, draft, context.task))


def _by_votes(example: Example, draft: Draft, task: Task) -> Finding:
    votes = [vote for vote in draft.votes if vote is not None]
    if not votes:
        asked = f"none of {len(draft.votes)} can be read" if draft.votes else "the writer asks for none"
        return "undecided", f"no votes: {asked}"
    groups: list[list[str]] = [[example.answer]]
    for vote in votes:
        alike = (group for group in groups if _same(example, group[0], vote, task))
        group = next(alike, None)
        if group is None:
            groups.append([vote])
        else:
            group.append(vote)
    own, others = len(groups[0]), groups[1:]
    largest = max(others, key=len, default=[])
    count = f"{own} of {len(votes) + 1}"
    if own > len(largest):
        return "keep", f"majority: {count}"
    if own == len(largest):
        return "drop", f"tie: {count} for {example.answer!r:.40}, as many for {largest[0]!r:.40}"
    return "drop", f"minority: {count} for {example.answer!r:.40}, {len(largest)} for {largest[0]!r:.40}"


def _by_task(example: Example, draft: Draft, task: Task) -> Finding:
    if not isinstance(task, Solves):
        return "undecided", "the task solves no questions"
    solved = task.solve(example.prompt)
    if solved is None:
        return "undecided", "the task cannot solve this question"
    if _same(example, solved, example.answer, task):
        return "keep", "the task agrees"
    return "drop", f"the task disagrees: {solved!r:.40}, not {example.answer!r:.40}"


def _same(example: Example, reference: str, answer: str, task: Task) -> bool:
    """Whether two final answers are one, as the task compares them."""
    return task.grade(replace(example, answer=reference), answer).value == 1.0


def _verdict(name: str, draft: Draft, find: Callable[[Example], Finding]) -> Verdict:
    if draft.example is None:
        return Verdict(
            number=draft.number, decision="drop", filter=name, reason=f"no example: {draft.reason}"
        )
    decision, reason = find(draft.example)
    return Verdict(number=draft.number, decision=decision, filter=name, reason=reason)


def _ends_sensibly(question: str) -> bool:
    """A full stop, question or exclamation mark at the end; or earlier, where options follow on new lines."""
    # What stands in brackets behind the question may be no sentence: "... at what time? (24-hour clock)".
    bare = re.sub(r"(?<=[.?!])\s{0,9}\([^()]{1,200}\)$", "", question.rstrip())
    bare = bare.rstrip("\"'”’*_)]}$` \n")
    if bare.endswith("...") or bare.endswith("…"):
        return False
    lines = bare.split("\n")
    return bare.endswith((".", "?", "!", "。", "？", "！")) or any("?" in line for line in lines[:-1])


# ----------------------------------------------------------------------------------------- comparison

_RUN = 8
_WORD = re.compile(
    r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]+|[+*/=<>^%×÷√]"
    # A minus stands beside a number, a bracket or a single letter; any other hyphen is punctuation.
    r"|(?:(?<=[0-9)])|(?<=[0-9)]\s))-(?!-)|(?<!-)-(?=\s?(?:[0-9(.]|[^\W\d_](?![^\W\d_])))"
)
_GROUPED = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


def _words(text: str) -> tuple[str, ...]:
    """Words, numbers and signs of a text."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("−", "-")
    return tuple(_WORD.findall(_GROUPED.sub("", text)))


def _grams(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [words[at : at + _RUN] for at in range(len(words) - _RUN + 1)]


class _Latest(Generic[T]):
    """What was made last, for as long as it is asked for the same things.

    They are compared by identity, which costs nothing, and held, so that no other thing takes their place.
    """

    def __init__(self, make: Callable[..., T]) -> None:
        self._make = make
        self._made: tuple[tuple[Any, ...], T] | None = None

    def of(self, *things: Any) -> T:
        if self._made is None or not all(a is b for a, b in zip(self._made[0], things, strict=True)):
            self._made = things, self._make(*things)
        return self._made[1]


class _Questions:
    """The questions that a round starts from."""

    def __init__(self, seeds: Sequence[Example], accepted: Sequence[Example]) -> None:
        self._read: dict[str, tuple[str, ...]] = {}
        self.before: dict[tuple[str, ...], str] = {}
        """The words of a question -> where it is from, as a reason."""
        for example in seeds:
            self.before.setdefault(_words(example.prompt), f"in the pool: {example.id}")
        for example in accepted:
            self.before.setdefault(_words(example.prompt), f"accepted in an earlier round: {example.id}")

    def words(self, prompt: str) -> tuple[str, ...]:
        """The words of a question of this round, read once."""
        if prompt not in self._read:
            self._read[prompt] = _words(prompt)
        return self._read[prompt]


class _TestQuestions:
    """An index of the test split."""

    def __init__(self, test: Sequence[Example]) -> None:
        self.ids = [example.id for example in test]
        self.whole: dict[tuple[str, ...], str] = {}
        """The words of a question -> its id."""
        self.holders: dict[tuple[str, ...], list[int]] = {}
        """A run of words -> the places in the split of the questions that hold it."""
        for at, example in enumerate(test):
            words = _words(example.prompt)
            self.whole.setdefault(words, example.id)
            for gram in set(_grams(words)):
                self.holders.setdefault(gram, []).append(at)
