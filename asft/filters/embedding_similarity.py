"""Whether a question means much the same as one that is there already."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asft import needs
from asft.errors import DataError
from asft.filters.verdicts import Finding, verdict
from asft.registry import plugin
from asft.types import Context, Draft, Example, Looks, Measured, Measurements, Verdict

Vectors = NDArray[np.float32]


@plugin
class EmbeddingSimilarity:
    """No question whose embedding points as that of a seed does, or of one that was accepted before.

    The cosine with each of them is below a threshold. It sees a paraphrase that shares few words, where
    `rouge_l` sees the words, and hardly sees that numbers are others. What a cosine is worth depends on the
    model: those of large language models all point about the same way, and want a threshold close to 1.
    """

    threshold: Annotated[float, Field(gt=-1.0, le=1.0)]
    """From this cosine on a question is dropped."""
    model: str | None = None
    """A sentence-transformers model; null: the student's own hidden states, of the round before."""
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
        """Embeddings, and of the pool where it is compared with that. Of two drafts that are alike the first
        is kept, where the round is looked at."""
        wanted = (needs.embedding(self.model),)
        of_pool = wanted if self.pool or self.accepted else ()
        return Looks(needs=wanted, pool_needs=of_pool, ordered=self.round)

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Drop what is like another question, and name the one that it is most like; of several the first."""
        return verdict("embedding_similarity", draft, lambda _: self._find(context, accepted, measured))

    def _find(self, context: Context, accepted: Sequence[Example], measured: Measured | None) -> Finding:
        own = None if measured is None else _row(measured.wave, measured.row)
        if measured is None or own is None:
            return "undecided", "no embedding: that of the draft is not measured"
        best: tuple[float, str, Example] | None = None
        for phrase, examples, vectors in self._sources(context, accepted, measured):
            if not len(vectors):
                continue
            cosines = vectors @ own
            # Not a number: the other has no embedding.
            cosines = np.where(np.isnan(cosines), -2.0, cosines)
            at = int(cosines.argmax())
            if best is None or cosines[at] > best[0]:
                best = float(cosines[at]), phrase, examples[at]
        if best is None or best[0] < self.threshold:
            return "keep", "like no other question"
        cosine, phrase, other = best
        return "drop", f"{phrase}: cosine {cosine:.4f} with {other.id}"

    def _sources(
        self, context: Context, accepted: Sequence[Example], measured: Measured
    ) -> Iterator[tuple[str, Sequence[Example], Vectors]]:
        if self.pool:
            yield "like a seed", context.seeds, _of_pool(measured, "embedding", len(context.seeds))
        if self.accepted and context.accepted:
            vectors = _of_pool(measured, "accepted_embedding", len(context.accepted))
            yield "like one accepted in an earlier round", context.accepted, vectors
        if self.round and accepted:
            yield "like one accepted in this round", accepted, _of_round(measured)


def _of_round(measured: Measured) -> Vectors:
    """Of what the round has accepted, in order; that of a wave is behind each other, and taken at once."""
    waves = groupby(measured.accepted, key=lambda one: id(one[0]))
    parts = [list(part) for _, part in waves]
    return np.concatenate([_array(part[0][0], "embedding")[[row for _, row in part]] for part in parts])


def _of_pool(measured: Measured, name: str, rows: int) -> Vectors:
    if measured.pool is None:
        raise DataError(f"filter embedding_similarity: {name!r} of the pool is not measured")
    vectors = _array(measured.pool, name)
    if len(vectors) != rows:
        raise DataError(
            f"filter embedding_similarity: {name!r} has {len(vectors)} rows for {rows} examples; "
            "redo the step that measured it"
        )
    return vectors


def _array(measurements: Measurements, name: str) -> Vectors:
    if name not in measurements.arrays:
        known = ", ".join(measurements.arrays) or "none"
        raise DataError(f"filter embedding_similarity: there is no array {name!r}; measured: {known}")
    return measurements.arrays[name]


def _row(measurements: Measurements, row: int) -> Vectors | None:
    vector = np.asarray(_array(measurements, "embedding")[row])
    return None if np.isnan(vector).any() else vector
