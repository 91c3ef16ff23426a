"""Whether a draft is whole: a question with an end, and an answer that can be graded."""

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from asft.filters.verdicts import Finding, verdict
from asft.registry import plugin
from asft.types import AT_THE_DRAFT, Context, Draft, Example, Looks, Measured, Task, Verdict

Length = Annotated[int, Field(ge=1)]


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

    looks: ClassVar[Looks] = AT_THE_DRAFT

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Drop what is empty, too short or long, cut off, or at odds with its own worked answer."""
        return verdict("well_formed", draft, lambda example: self._find(example, context.task))

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


def _ends_sensibly(question: str) -> bool:
    """A full stop, question or exclamation mark at the end; or earlier, where options follow on new lines."""
    # What stands in brackets behind the question may be no sentence: "... at what time? (24-hour clock)".
    bare = re.sub(r"(?<=[.?!])\s{0,9}\([^()]{1,200}\)$", "", question.rstrip())
    bare = bare.rstrip("\"'”’*_)]}$` \n")
    if bare.endswith("...") or bare.endswith("…"):
        return False
    lines = bare.split("\n")
    return bare.endswith((".", "?", "!", "。", "？", "！")) or any("?" in line for line in lines[:-1])
