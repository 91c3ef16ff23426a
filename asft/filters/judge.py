"""What another model thinks of a draft."""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

from pydantic import Field

from asft import prompts
from asft.errors import PromptError
from asft.filters.asking import Form
from asft.filters.verdicts import Finding, verdict
from asft.grades import read_grade
from asft.registry import plugin
from asft.types import Context, Draft, Example, Looks, Measured, Script, Verdict

Temperature = Annotated[float, Field(ge=0.0, le=2.0)]


@plugin
class Judge:
    """A judge rates question and worked answer on a scale, and what it rates high enough is kept.

    The judge is that of the recipe, or the teacher where it names none. It sees the draft and nothing else,
    neither the seed nor a reference. A reply without a rating on the scale is asked for again; where none has
    one, the filter is undecided: no rating is not a low rating.
    """

    at_least: float = 7.0
    """The lowest rating that is kept."""
    prompt: str = "filter_judge"
    """A shipped prompt or a path; uses question and answer, says its `scale`, and asks for "Score: 7"."""
    temperature: Temperature = 0.0
    """Of the first request."""
    reask_temperature: Temperature = 0.7
    """Of those after it, which would else come back the same."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    reasks: Annotated[int, Field(ge=0)] = 1
    """How often it is asked again where a reply holds no rating."""
    max_bytes: Annotated[int, Field(ge=1)] = 8192
    """Of a question, and of a worked answer, in UTF-8; the filter is undecided on a longer one."""

    def __post_init__(self) -> None:
        """Read the prompt. Raises PromptError where it does not fit, ValueError for a bar off its scale."""
        self._prompt.check(("question", "answer"), ("question", "answer"))
        lowest, highest = self._scale
        if not lowest < self.at_least <= highest:
            raise ValueError(
                f"at_least = {self.at_least:g} tells nothing apart on the prompt's scale from {lowest:g} to "
                f"{highest:g}; give a rating above {lowest:g}, and {highest:g} at most"
            )

    @property
    def looks(self) -> Looks:
        """The request and its re-asks, with texts as long as `max_bytes` allows."""
        return Looks(ceiling=self._form.ceiling(1 + self.reasks))

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Script[Verdict]:
        """The script that asks for a rating."""
        found: Finding = "drop", "no example"
        if draft.example is not None:
            found = yield from self._rate(draft.example, context)
        return verdict("judge", draft, lambda _: found)

    def _rate(self, example: Example, context: Context) -> Script[Finding]:
        for index in range(1 + self.reasks):
            temperature = self.reask_temperature if index else self.temperature
            request = self._form.request(example, context, index, temperature)
            if request is None:
                return "undecided", f"too long to be rated: a text of more than {self.max_bytes} bytes"
            [reply] = yield [request]
            rating = read_grade(reply, self._scale)
            if rating is not None:
                if rating >= self.at_least:
                    return "keep", f"rated high enough: {rating:g}"
                return "drop", f"rated too low: {rating:g}, not at least {self.at_least:g}"
        return "undecided", f"no rating: in none of {1 + self.reasks} replies"

    @cached_property
    def _prompt(self) -> prompts.Prompt:
        return prompts.load(self.prompt)

    @property
    def _form(self) -> Form:
        return Form(prompt=self._prompt, to="judge", max_tokens=self.max_tokens, max_bytes=self.max_bytes)

    @property
    def _scale(self) -> tuple[float, float]:
        if self._prompt.scale is None:
            raise PromptError(f"{self._prompt.path}: must say its 'scale', such as [1, 10]")
        return self._prompt.scale
