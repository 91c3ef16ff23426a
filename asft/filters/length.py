"""Whether a question and its answer are neither too short nor too long."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from asft.filters.verdicts import Finding, verdict
from asft.filters.words import plain_words
from asft.registry import plugin
from asft.types import AT_THE_DRAFT, Context, Draft, Example, Looks, Measured, Verdict

Bound = Annotated[int, Field(ge=1)] | None


@plugin
class Length:
    """A question and a worked answer whose lengths lie within bounds, in words or in characters.

    Self-Instruct (arXiv 2212.10560) drops instructions of 3 words or fewer and of more than 150; its words
    are what stands between spaces, here they are runs of letters and digits (`plain_words`), so that "1,000"
    is two, and scripts that are written without spaces can be counted. Not in tokens: these depend on the
    student's tokenizer, which no filter sees.
    """

    unit: Literal["words", "characters"] = "words"
    """What is counted. Characters: all of them, but for space at both ends."""
    min_question: Bound = None
    """What a question has at least; null: any number will do."""
    max_question: Bound = None
    """What it has at most."""
    min_answer: Bound = None
    """What a worked answer has at least; where there is none, the final answer is counted."""
    max_answer: Bound = None
    """What it has at most."""

    def __post_init__(self) -> None:
        """Refuse bounds that nothing can keep, and none at all."""
        for of, (least, most) in self._bounds.items():
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{of} = {least} is more than max_{of} = {most}; no {of} would pass")
        if all(bound is None for bounds in self._bounds.values() for bound in bounds):
            raise ValueError(
                "there is no bound; give one of min_question, max_question, min_answer, max_answer"
            )

    looks: ClassVar[Looks] = AT_THE_DRAFT

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Drop what is too short or too long, the question first."""
        return verdict("length", draft, self._find)

    def _find(self, example: Example) -> Finding:
        texts = {"question": example.prompt, "answer": example.completion or example.answer}
        for of, (least, most) in self._bounds.items():
            size = self._size(texts[of])
            if least is not None and size < least:
                return "drop", f"{of} too short: {size} {self.unit}, not at least {least}"
            if most is not None and size > most:
                return "drop", f"{of} too long: {size} {self.unit}, not at most {most}"
        return "keep", "within bounds"

    def _size(self, text: str) -> int:
        return len(plain_words(text)) if self.unit == "words" else len(text.strip())

    @property
    def _bounds(self) -> dict[str, tuple[int | None, int | None]]:
        return {
            "question": (self.min_question, self.max_question),
            "answer": (self.min_answer, self.max_answer),
        }
