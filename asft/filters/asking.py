"""What filters that ask a teacher or judge share: a request about a draft, and the most that it can be."""

from dataclasses import dataclass
from typing import Literal

from asft.budget import ceiling_of
from asft.prompts import Prompt
from asft.types import Ceiling, Context, Example, Request, Sampling


@dataclass(frozen=True, kw_only=True)
class Form:
    """A prompt that is filled in with a draft, and whom it goes to."""

    prompt: Prompt
    to: Literal["teacher", "judge"]
    max_tokens: int
    max_bytes: int
    """Of each text that is filled in, in UTF-8."""

    def request(self, example: Example, context: Context, index: int, temperature: float) -> Request | None:
        """About this example; None where it is longer than `max_bytes` allows."""
        texts = {"question": example.prompt, "answer": example.completion or example.answer}
        texts = {name: texts[name] for name in self.prompt.variables}
        if any(len(text.encode("utf-8", "surrogatepass")) > self.max_bytes for text in texts.values()):
            return None
        made = self._made(texts, index, temperature, context.seed)
        # A template may lengthen some texts more than others; what counts is the request that it makes.
        return made if ceiling_of(made).input_tokens <= self._longest.input_tokens else None

    def ceiling(self, count: int) -> Ceiling:
        """The most that so many requests can cost."""
        return self._longest * count

    @property
    def _longest(self) -> Ceiling:
        texts = dict.fromkeys(self.prompt.variables, "x" * self.max_bytes)
        return ceiling_of(self._made(texts, 0, 0.0, 0))

    def _made(self, texts: dict[str, str], index: int, temperature: float, seed: int) -> Request:
        return Request(
            to=self.to,
            messages=self.prompt.render(**texts),
            sampling=Sampling(temperature=temperature, max_tokens=self.max_tokens),
            purpose=self.prompt.purpose,
            index=index,
            seed=seed,
        )
