"""What is measured, under which settings, and what comes of one need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asft.decoder import Decoder
from asft.student import Loaded
from asft.types import Answer, Example, Measurements, Observation, Task, TokenArrays, TokenStats

Told = Callable[[int], None]
"""Gets the number of examples that are finished."""
Train = Callable[[Sequence[Example], Path, int], object]
"""Trains a fresh adapter of the base student on worked examples, into a folder, with a seed."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What is measured, and what bounds it."""

    task: Task
    examples: tuple[Example, ...]
    accepted: tuple[Example, ...] = ()
    """What earlier rounds accepted."""
    seed: int = 0
    """The run's seed."""
    max_new_tokens: int
    """Where own answers are cut off."""
    batch_size: int
    """Answers that are written at once."""
    decoder: Decoder | None = None
    """Who decodes, where it is not the student in memory."""
    train: Train | None = None
    """How adapters are trained for what needs some; None where nothing can be trained."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one need gives: of all examples, in their order, or of none."""

    gold: Sequence[TokenStats | None] | None = None
    own: Sequence[Answer] | None = None
    samples: Sequence[tuple[Answer, ...]] | None = None
    signals: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    tokens: Mapping[str, TokenArrays] = field(default_factory=dict)
    arrays: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)


Measure = Callable[[Loaded, Pool, Mapping[str, Any], Measurements, Told], Found]
"""One need of the student, measured: the student, the pool, the need's options, what was measured before."""


def with_found(measurements: Measurements, found: Found) -> Measurements:
    """The measurements with what one need gave."""

    def of(i: int, before: Observation) -> Observation:
        return replace(
            before,
            gold=before.gold if found.gold is None else found.gold[i],
            own=before.own if found.own is None else found.own[i],
            samples=before.samples if found.samples is None else found.samples[i],
            signals={**before.signals, **{name: values[i] for name, values in found.signals.items()}},
        )

    return replace(
        measurements,
        observations=tuple(of(i, before) for i, before in enumerate(measurements.observations)),
        tokens={**measurements.tokens, **found.tokens},
        arrays={**measurements.arrays, **found.arrays},
    )
