"""Questions that are known already, word for word: seeds, what was accepted, the test split."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import Field

from asft.filters.latest import Latest
from asft.filters.verdicts import Finding, verdict
from asft.filters.words import runs_of, words_of
from asft.registry import plugin
from asft.types import AT_THE_DRAFT, Context, Draft, Example, Looks, Measured, Verdict


@plugin
class Duplicate:
    """No question that is a seed, or was accepted before: equal word for word after normalisation."""

    looks: ClassVar[Looks] = Looks(ordered=True)
    """Of two equal drafts the first is kept."""

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Compare with the seeds, with earlier rounds and with what this round has accepted so far."""
        return verdict("duplicate", draft, lambda example: self._find(example, context, accepted))

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
    def _known(self) -> "Latest[_Questions]":
        return Latest(_Questions)


@plugin
class NotInTest:
    """No question of the test split: none that is equal to one, or has half of its word 8-grams from one.

    The share is that of the draft's distinct runs of 8 words (numbers and signs are words) that stand in
    one and the same test question; a shorter question has no run, and is only compared as a whole.
    """

    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """From this share on it is dropped."""

    looks: ClassVar[Looks] = AT_THE_DRAFT

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Compare the question with every test question, through an index that is made once for a context."""
        return verdict("not_in_test", draft, lambda example: self._find(example, self._test.of(context.test)))

    def _find(self, example: Example, test: "_TestQuestions") -> Finding:
        words = words_of(example.prompt)
        if (same := test.whole.get(words)) is not None:
            return "drop", f"equal to a test question: {same}"
        runs = set(runs_of(words))
        shared = Counter(item for run in runs for item in test.holders.get(run, ()))
        if shared:
            most = max(shared.values())
            if most >= self.share * len(runs):
                first = test.ids[min(at for at, count in shared.items() if count == most)]
                return "drop", f"like a test question: {most} of {len(runs)} runs of 8 words are in {first}"
        return "keep", "not in the test split"

    @cached_property
    def _test(self) -> "Latest[_TestQuestions]":
        return Latest(_TestQuestions)


class _Questions:
    """The questions that a round starts from."""

    def __init__(self, seeds: Sequence[Example], accepted: Sequence[Example]) -> None:
        self._read: dict[str, tuple[str, ...]] = {}
        self.before: dict[tuple[str, ...], str] = {}
        """The words of a question -> where it is from, as a reason."""
        for example in seeds:
            self.before.setdefault(words_of(example.prompt), f"in the pool: {example.id}")
        for example in accepted:
            self.before.setdefault(words_of(example.prompt), f"accepted in an earlier round: {example.id}")

    def words(self, prompt: str) -> tuple[str, ...]:
        """The words of a question of this round, read once."""
        if prompt not in self._read:
            self._read[prompt] = words_of(prompt)
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
            words = words_of(example.prompt)
            self.whole.setdefault(words, example.id)
            for run in set(runs_of(words)):
                self.holders.setdefault(run, []).append(at)
