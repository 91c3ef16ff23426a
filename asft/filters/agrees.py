"""Whether others give the same answer to a draft's question."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal, Protocol, runtime_checkable

from asft.filters.verdicts import Finding, verdict
from asft.registry import plugin
from asft.types import AT_THE_DRAFT, Context, Draft, Example, Looks, Measured, Task, Verdict


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

    looks: ClassVar[Looks] = AT_THE_DRAFT

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Undecided where nobody else has an answer; a tie is dropped."""
        find = _by_votes if self.mode == "votes" else _by_task
        return verdict("agrees", draft, lambda example: find(example, draft, context.task))


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
