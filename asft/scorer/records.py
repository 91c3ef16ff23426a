"""What the scorer says of the tokens of an answer."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asft.types import TokenStats

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """Statistics of each token of one answer: arrays of its length, in its order, in nats."""

    nll: Floats
    """Negative log-likelihood of the token."""
    entropy: Floats
    """Entropy of the distribution that the token was drawn from, or could have been."""
    margin: Floats
    """Log-probability of the likeliest token less that of the second likeliest; neither need be the token."""

    @property
    def stats(self) -> TokenStats:
        """Sums and means over the tokens."""
        nll = math.fsum(self.nll.tolist())
        return TokenStats(
            tokens=len(self.nll),
            nll=nll / len(self.nll),
            nll_sum=nll,
            entropy=math.fsum(self.entropy.tolist()) / len(self.nll),
        )
