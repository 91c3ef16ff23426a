"""Whether the student, or another model, gives the draft's answer when it is asked the draft's question."""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from asft import needs, prompts
from asft.errors import PluginError
from asft.filters.asking import Form
from asft.filters.verdicts import Finding, verdict
from asft.registry import plugin
from asft.types import (
    Context,
    Draft,
    Example,
    Looks,
    Measured,
    Reply,
    Script,
    Task,
    Verdict,
)

MAX_TOKENS = 1024
MAX_BYTES = 4096


@plugin
class Consistency:
    """Of k further answers to the draft's question, a large enough share is equal to the draft's own.

    The share of equal final answers, as the task compares them, among all k: self-consistency
    (arXiv 2203.11171) as a filter. An answer without a final answer, or one that was cut off, is equal to
    none; where all k are so, the filter is undecided.
    """

    by: Literal["student", "teacher", "judge"] = "student"
    """Who answers. student: that of the round before; what it cannot do yet is dropped, so that its share
    wants a low bar. teacher, judge: asked with `prompt`; a recipe without a judge has its teacher do both."""
    at_least: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """The lowest share that is kept."""
    k: Annotated[int, Field(ge=1)] = 4
    """How many answers."""
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 0.7
    """At which they are drawn."""
    prompt: str | None = None
    """For teacher and judge: a shipped prompt or a path; uses question. None: filter_answer."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """For teacher and judge: of one answer. None: 1024."""
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    """For teacher and judge: of a question, in UTF-8; the filter is undecided on a longer one. None: 4096."""

    def __post_init__(self) -> None:
        """Raises PromptError for a prompt that does not fit, PluginError for an option without effect."""
        if self.by != "student":
            self._form.prompt.check(("question",), ("question",))
            return
        for name in ("prompt", "max_tokens", "max_bytes"):
            if getattr(self, name) is not None:
                raise PluginError(f"option {name!r} has an effect by teacher or judge alone; leave it out")

    @property
    def looks(self) -> Looks:
        """The student's answers; or k requests, with a question as long as `max_bytes` allows."""
        if self.by == "student":
            return Looks(needs=(needs.samples(self.k, self.temperature),))
        return Looks(ceiling=self._form.ceiling(self.k))

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict | Script[Verdict]:
        """Undecided where nothing was measured; the script that asks, where it is not the student."""
        if self.by != "student":
            return self._ask(draft, context)
        return verdict("consistency", draft, lambda _: self._of_student(measured))

    def _of_student(self, measured: Measured | None) -> Finding:
        samples = () if measured is None else measured.wave.observations[measured.row].samples
        return self._find([None if one.finish == "length" else one.grade for one in samples])

    def _ask(self, draft: Draft, context: Context) -> Script[Verdict]:
        found: Finding = "drop", "no example"
        if draft.example is not None:
            asked = [self._form.request(draft.example, context, i, self.temperature) for i in range(self.k)]
            requests = [request for request in asked if request is not None]
            if requests:
                replies = yield requests
                found = self._find([_grade(reply, draft.example, context.task) for reply in replies])
            else:
                found = "undecided", f"too long to be asked: more than {self.max_bytes or MAX_BYTES} bytes"
        return verdict("consistency", draft, lambda _: found)

    def _find(self, grades: Sequence[float | None]) -> Finding:
        if all(grade is None for grade in grades):
            return "undecided", f"no answers: none of {len(grades)} can be read"
        equal = sum(grade == 1.0 for grade in grades)
        if equal >= self.at_least * len(grades):
            return "keep", f"the {self.by} agrees: {equal} of {len(grades)}"
        return "drop", f"the {self.by} agrees too seldom: {equal} of {len(grades)}"

    @cached_property
    def _prompt(self) -> prompts.Prompt:
        return prompts.load(self.prompt or "filter_answer")

    @property
    def _form(self) -> Form:
        to: Literal["teacher", "judge"] = "judge" if self.by == "judge" else "teacher"
        return Form(
            prompt=self._prompt,
            to=to,
            max_tokens=self.max_tokens or MAX_TOKENS,
            max_bytes=self.max_bytes or MAX_BYTES,
        )


def _grade(reply: Reply, example: Example, task: Task) -> float | None:
    if reply.finish == "length":
        return None
    return task.grade(example, reply.text.rpartition("</think>")[2]).value
