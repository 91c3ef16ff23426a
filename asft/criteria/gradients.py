"""Criteria that read how an answer would change the student's head, were it trained on."""

import math
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from asft import needs
from asft.needs import Of
from asft.registry import plugin
from asft.types import Measurements, Need

Dims = Annotated[int, Field(ge=1)]
Floats = npt.NDArray[np.float64]


@plugin
class GradientNorm:
    """How much an answer would change the student: the norm of its loss's gradient by the head's weights.

    || sum over t of (p_t - y_t) (x) h_t ||, with h_t the last hidden state, p_t the distribution over the
    vocabulary and y_t the token; exact. High is hard: an answer that the student is sure of, token by token,
    changes nothing. BADGE's gradient is that of one label; an answer's is the sum over its tokens, so that
    long answers tend to be harder, as with `loss` and reduce: sum.

    Cost: one answer a seed, and a forward pass in which each token's logits are made twice.
    When: how much could be learnt is to count more than how likely a mistake is; with the selector `badge`,
    which reads the same measurement.
    Source: the uncertainty in BADGE, arXiv 1906.03671.
    """

    of: Of = "own"
    """own: the student's greedy answer, each token the label that it thinks likeliest, as in BADGE. gold: the
    worked reference, for seeds that have one."""
    dims: Dims = 4096
    """Of the sketch that comes with the norm, for selectors; the norm does not depend on it."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The gradient for that answer."""
        return (needs.gradient(self.of, self.dims),)

    def score(self, measurements: Measurements) -> list[float | None]:
        """The norm."""
        measured = [one.signals.get("gradient_norm") for one in measurements.observations]
        return [None if norm is None else _finite(norm) for norm in measured]


@plugin
class Influence:
    """How much a step of training on a seed would lower the loss of others: g(seed) . mean g(reference).

    g is the gradient of an answer's loss, summed over its tokens. A step along -g(seed) changes the loss of a
    reference by -g(seed) . g(reference), to first order: the higher, the more is learnt for the others, and
    high is chosen first. An answer that the student is sure of has no gradient and scores 0; one whose step
    would make the others worse scores below. So a seed with a high score is hard in a way that others share.

    Montessori-Instruct trains on each example, and takes the fall of the loss on a reference set; this is its
    first order, as in LESS, which has the gradients of a LoRA adapter under Adam at several checkpoints. Here
    it is that of the head alone at one, in a seeded sketch. The references are drawn from the pool; one of
    them is compared with the others, and never with itself.

    Cost: a forward pass over each reference, in which each token's logits are made twice.
    When: what helps the task as a whole is wanted, and not what is hard by itself.
    Source: Montessori-Instruct, arXiv 2410.14208; LESS, arXiv 2402.04333.
    """

    of: Of = "gold"
    """What a step is taken on. gold: the seed's worked reference. own: the student's greedy answer."""
    count: Annotated[int, Field(ge=2)] = 128
    """How many references are drawn."""
    by: Literal["dot", "cosine"] = "dot"
    """dot: the product itself, which grows with the gradient. cosine: the same over both norms, as LESS takes
    it, so that the length of an answer does not decide."""
    dims: Dims = 4096
    """Of the sketch: the product of two is right to within about sqrt(11 / dims) of the product of norms."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """Gradients of the seeds and of the references."""
        return (needs.gradient(self.of, self.dims), needs.reference_gradient(self.count, self.dims))

    def score(self, measurements: Measurements) -> list[float | None]:
        """Product or cosine with the mean gradient of the references, other than itself."""
        seeds = measurements.arrays.get("gradient")
        references = measurements.arrays.get("reference_gradient")
        if seeds is None or references is None:
            return [None] * len(measurements.examples)
        others = np.asarray(references, dtype=np.float64)
        total = others.sum(0)
        scores = []
        for seed, observation in zip(seeds, measurements.observations, strict=True):
            row = observation.signals.get("reference_row")
            left = len(others) - (row is not None)
            mean = (total if row is None else total - others[int(row)]) / left if left else total * math.nan
            scores.append(self._alike(np.asarray(seed, dtype=np.float64), mean))
        return scores

    def _alike(self, seed: Floats, mean: Floats) -> float | None:
        product = float(seed @ mean)
        if self.by == "cosine":
            norms = float(np.linalg.norm(seed) * np.linalg.norm(mean))
            product = product / norms if norms else math.nan
        return _finite(product)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
