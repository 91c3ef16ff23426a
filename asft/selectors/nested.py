"""Selectors inside selectors: how they are named in a recipe, and the part of the pool that they see."""

import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar, cast

import numpy as np
from pydantic import BeforeValidator

from asft import registry
from asft.needs import NOT_BY_EXAMPLE
from asft.selectors.free import row_by_id, score_by_id
from asft.types import Example, Measurements, Selector, TokenArrays

V = TypeVar("V")


Inner = Annotated[Mapping[str, Any], BeforeValidator(partial(registry.written_out, "selector"))]
"""A selector as plain data, which is what a run directory compares; a name alone stands for its defaults."""


def selector(inner: Mapping[str, Any]) -> Selector:
    """The selector that plain data names. Raises PluginError."""
    return cast(Selector, registry.from_section("selector", inner))


def of_the_run(*inner: Mapping[str, Any]) -> bool:
    """Whether one of these selectors wants the same random numbers in each round."""
    return any(getattr(selector(one), "of_the_run", False) for one in inner)


def selected(
    inner: Selector,
    measurements: Measurements,
    scores: Sequence[float | None],
    examples: Iterable[Example],
    n: int,
    rng: random.Random,
) -> Iterator[Example]:
    """What a selector makes of some seeds of the pool, as if there were no others."""
    by_id, row_of = score_by_id(measurements, scores), row_by_id(measurements)
    rows = sorted((row_of[example.id] for example in examples), key=lambda row: measurements.examples[row].id)
    seen = part(measurements, rows)
    return inner.select(seen, [by_id[example.id] for example in seen.examples], n, rng)


def part(measurements: Measurements, rows: Sequence[int]) -> Measurements:
    """These rows of the measurements. An array is cut when it is read, and not before."""
    at = np.asarray(rows, dtype=np.int64)
    return dataclasses.replace(
        measurements,
        examples=tuple(measurements.examples[row] for row in rows),
        observations=tuple(measurements.observations[row] for row in rows),
        arrays=_Cut(measurements.arrays, lambda name, array: array if name in NOT_BY_EXAMPLE else array[at]),
        tokens=_Cut(measurements.tokens, lambda _, ragged: _ragged(ragged, rows)),
    )


class _Cut(Mapping[str, V]):
    """A mapping whose values are cut as they are read."""

    def __init__(self, whole: Mapping[str, V], cut: Callable[[str, V], V]) -> None:
        self._whole = whole
        self._cut = cut

    def __getitem__(self, name: str) -> V:
        return self._cut(name, self._whole[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


def _ragged(whole: TokenArrays, rows: Sequence[int]) -> TokenArrays:
    spans = [np.arange(whole.offsets[row], whole.offsets[row + 1], dtype=np.int64) for row in rows]
    at = np.concatenate([np.empty(0, dtype=np.int64), *spans])
    return TokenArrays(
        offsets=np.cumsum([0, *(len(span) for span in spans)], dtype=np.int64),
        nll=whole.nll[at],
        entropy=whole.entropy[at],
        margin=whole.margin[at],
    )
