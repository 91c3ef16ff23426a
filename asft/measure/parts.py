"""Measuring a large pool in parts, so that a kill loses one part and not the whole."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from asft import measurements
from asft.measure import Pool, measure
from asft.needs import NOT_BY_EXAMPLE
from asft.rundir import clear
from asft.student import Loaded
from asft.types import Measurements, Need, TokenArrays
from asft.workers.ranks import ALONE, Ranks

PART = 512
"""Examples of a part, for each process: enough that answers of like length find each other, and minutes of
work at most."""
OF_THE_POOL = ("embedding", "reference_gradient", "reward")
"""Needs that look at the pool as a whole, or load a model of their own: measured of all parts together."""


def measure_in_parts(
    folder: Path,
    key: str,
    loaded: Loaded,
    pool: Pool,
    needs: Sequence[Need],
    *,
    round: int = 0,
    progress: Callable[[int], None] | None = None,
    timed: Callable[[str, float], None] | None = None,
    ranks: Ranks = ALONE,
) -> Measurements:
    """As `measure`; finished parts are kept below `folder` until all are there, and found again.

    `key` stands for all that the measurements depend on: parts under another are not used. Parts are cut in
    the order of the pool, so that equal pools give equal bytes, however often this is interrupted. Of `ranks`
    each measures its share of a part, and the first what looks at the pool as a whole; all return the same.
    """
    by_example = [need for need in needs if need.name not in OF_THE_POOL]
    whole = [need for need in needs if need.name in OF_THE_POOL]
    size = PART * ranks.count
    kept = folder / f".measuring-{key}"
    parts = []
    for start in range(0, len(pool.examples), size):
        examples = pool.examples[start : start + size]
        part = kept / f"{start:08d}-{size}"
        there = ranks.first and (part / "measure.jsonl").exists()
        found = ranks.told(measurements.read(part, examples, round=round) if there else None)
        if found is None:
            found = _shared(
                loaded,
                dataclasses.replace(pool, examples=examples),
                by_example,
                ranks,
                round=round,
                progress=_after(start * len(by_example), progress),
                timed=timed,
            )
            if ranks.first and len(pool.examples) > size:
                part.mkdir(parents=True, exist_ok=True)
                measurements.write(part, found)
        parts.append(found)
    together = joined(parts)
    if whole and ranks.first:
        together = measure(
            loaded,
            pool,
            whole,
            round=round,
            begun=together,
            progress=_after(len(pool.examples) * len(by_example), progress),
            timed=timed,
        )
    return ranks.told(together) if whole else together


def _shared(
    loaded: Loaded,
    pool: Pool,
    needs: Sequence[Need],
    ranks: Ranks,
    *,
    round: int,
    progress: Callable[[int], None] | None,
    timed: Callable[[str, float], None] | None,
) -> Measurements:
    """As `measure`, by all processes together."""
    mine = ranks.share([len(example.prompt) for example in pool.examples])
    found = measure(
        loaded,
        dataclasses.replace(pool, examples=tuple(pool.examples[i] for i in mine)),
        needs,
        round=round,
        progress=progress
        and (lambda done: progress(min(done * ranks.count, len(pool.examples) * len(needs)))),
        timed=timed,
    )
    if ranks.count == 1:
        return found
    shares = ranks.together((mine, found))
    numbers = [number for share, _ in shares for number in share]
    return ordered(joined([part for _, part in shares]), [numbers.index(i) for i in range(len(numbers))])


def _after(before: int, progress: Callable[[int], None] | None) -> Callable[[int], None] | None:
    """What counts on from so many."""
    return progress and (lambda done: progress(before + done))


def forget(folder: Path) -> None:
    """Remove the parts, when what they were for is on the disk."""
    for kept in folder.glob(".measuring-*"):
        clear(kept)


def ordered(measurements: Measurements, rows: Sequence[int]) -> Measurements:
    """Measurements with their rows in another order."""
    return dataclasses.replace(
        measurements,
        examples=tuple(measurements.examples[row] for row in rows),
        observations=tuple(measurements.observations[row] for row in rows),
        tokens={
            name: _ragged([_row(ragged, row) for row in rows]) for name, ragged in measurements.tokens.items()
        },
        arrays={
            name: array if name in NOT_BY_EXAMPLE else array[list(rows)]
            for name, array in measurements.arrays.items()
        },
    )


def _row(ragged: TokenArrays, row: int) -> TokenArrays:
    tokens = slice(ragged.offsets[row], ragged.offsets[row + 1])
    return TokenArrays(
        offsets=np.array([0, tokens.stop - tokens.start], dtype=np.int64),
        nll=ragged.nll[tokens],
        entropy=ragged.entropy[tokens],
        margin=ragged.margin[tokens],
    )


def joined(parts: Sequence[Measurements]) -> Measurements:
    """Measurements of consecutive parts of a pool as those of the whole."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return dataclasses.replace(
        first,
        examples=tuple(example for part in parts for example in part.examples),
        observations=tuple(one for part in parts for one in part.observations),
        tokens={name: _ragged([part.tokens[name] for part in parts]) for name in first.tokens},
        arrays={
            name: first.arrays[name]
            if name in NOT_BY_EXAMPLE
            else np.concatenate([part.arrays[name] for part in parts])
            for name in first.arrays
        },
    )


def _ragged(parts: Sequence[TokenArrays]) -> TokenArrays:
    begins = np.cumsum([0, *(part.offsets[-1] for part in parts)])
    offsets = [part.offsets[1:] + begin for part, begin in zip(parts, begins, strict=False)]
    return TokenArrays(
        offsets=np.concatenate([np.zeros(1, dtype=np.int64), *offsets]),
        nll=np.concatenate([part.nll for part in parts]),
        entropy=np.concatenate([part.entropy for part in parts]),
        margin=np.concatenate([part.margin for part in parts]),
    )
