"""Whether a question is too much like one that is there already."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Annotated

from pydantic import Field

from asft.filters.likeness import Match, Texts
from asft.filters.verdicts import Finding, verdict
from asft.filters.words import plain_words
from asft.registry import plugin
from asft.types import Context, Draft, Example, Looks, Measured, Verdict


@plugin
class RougeL:
    """No question much like a seed or one that was accepted before: ROUGE-L with each is below a threshold.

    ROUGE-L (Lin 2004) as F1: 2 l / (m + n), with m and n words in the two questions and l in their longest
    common subsequence. Self-Instruct (arXiv 2212.10560) adds an instruction only where its ROUGE-L with every
    other is below 0.7; Lion (arXiv 2305.12870) takes 0.7 too, and LLM2LLM (arXiv 2403.15042) 0.95 on GSM8K,
    because it wants variants with other numbers. ROUGE sees words and no signs of arithmetic, and one number
    in a long question weighs little.

    What differs: the programs of all three drop above the threshold; here, as in the paper's words, a
    question is dropped at it too, and nothing is rounded. Letters and digits beyond ASCII count (see
    `plain_words`). They compare instructions, and so does this: questions, not their answers.
    """

    threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.7
    """From this F1 on a question is dropped."""
    pool: bool = True
    """Whether it is compared with the seeds; the one that it was written from is among them."""
    accepted: bool = True
    """Whether it is compared with what earlier rounds accepted."""
    round: bool = True
    """Whether it is compared with what its own round accepted before it."""

    def __post_init__(self) -> None:
        """Refuse to compare with nothing."""
        if not (self.pool or self.accepted or self.round):
            raise ValueError("pool, accepted and round are all false; nothing is left to compare with")

    @property
    def looks(self) -> Looks:
        """Of two drafts that are alike the first is kept, where the round is looked at."""
        return Looks(ordered=self.round)

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Drop what is like another question, and name the one that it is most like."""
        return verdict("rouge_l", draft, lambda example: self._find(example, context, accepted))

    def _find(self, example: Example, context: Context, accepted: Sequence[Example]) -> Finding:
        words = plain_words(example.prompt)
        if not words:
            return "undecided", "no words: the question has no letter and no digit"
        least = Fraction(str(self.threshold))
        best: tuple[Match, str, Example] | None = None
        for phrase, examples, questions in self._sources(context, accepted):
            match = questions.of(examples).most_like(words, least)
            if match is not None and (best is None or match.likeness > best[0].likeness):
                best = match, phrase, examples[match.place]
        if best is None:
            return "keep", "like no other question"
        match, phrase, other = best
        return "drop", f"{phrase}: ROUGE-L {float(match.likeness):.3f} with {other.id}"

    def _sources(
        self, context: Context, accepted: Sequence[Example]
    ) -> Iterator[tuple[str, Sequence[Example], "_Questions"]]:
        in_pool, earlier, in_round = self._questions
        if self.pool:
            yield "like a seed", context.seeds, in_pool
        if self.accepted:
            yield "like one accepted in an earlier round", context.accepted, earlier
        if self.round:
            yield "like one accepted in this round", accepted, in_round

    @cached_property
    def _questions(self) -> "tuple[_Questions, _Questions, _Questions]":
        return _Questions(), _Questions(), _Questions()


class _Questions:
    """The words of examples' questions. Where they were asked for before, only what is new is read."""

    def __init__(self) -> None:
        self._examples: list[Example] = []
        self._from: Sequence[Example] = ()
        self._texts = Texts()

    def of(self, examples: Sequence[Example]) -> Texts:
        """The questions of these examples, in their order."""
        # A tuple stays as it is; a list may be the same one and hold others.
        if examples is self._from and isinstance(examples, tuple):
            return self._texts
        if list(examples[: len(self._examples)]) != self._examples:
            self._examples, self._texts = [], Texts()
        for example in examples[len(self._examples) :]:
            self._texts.add(plain_words(example.prompt))
            self._examples.append(example)
        self._from = examples
        return self._texts
