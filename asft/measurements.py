"""Measurements on disk: `measure.jsonl`, a line per example, and `arrays/`, a file per array."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from asft.rundir import clear, read_jsonl, write_jsonl
from asft.types import Answer, Example, Measurements, Observation, TokenArrays, TokenStats

FILES = ("measure.jsonl", "arrays")
"""What `write` leaves in a folder."""
_RAGGED = ".tokens.npz"


def write(folder: Path, measurements: Measurements) -> None:
    """Put measurements down; what the folder held of others is removed. Equal ones give equal bytes."""
    arrays = folder / "arrays"
    clear(arrays)
    arrays.mkdir(parents=True)
    for name, array in sorted(measurements.arrays.items()):
        np.save(arrays / f"{name}.npy", array)
    for name, ragged in sorted(measurements.tokens.items()):
        parts = {field.name: getattr(ragged, field.name) for field in fields(ragged)}
        np.savez(arrays / f"{name}{_RAGGED}", **parts)
    write_jsonl(folder / "measure.jsonl", measurements.observations)


def read(
    folder: Path, examples: Iterable[Example], *, round: int, history: Mapping[str, int] | None = None
) -> Measurements:
    """Measurements of these examples as they were put down. Arrays are mapped into memory, read-only."""
    arrays = folder / "arrays"
    ragged = {}
    for path in sorted(arrays.glob(f"*{_RAGGED}")):
        with np.load(path) as parts:
            ragged[path.name.removesuffix(_RAGGED)] = TokenArrays(**parts)
    return Measurements(
        round=round,
        examples=tuple(examples),
        observations=tuple(observation_from(row) for row in read_jsonl(folder / "measure.jsonl")),
        tokens=ragged,
        arrays={path.stem: np.load(path, mmap_mode="r") for path in sorted(arrays.glob("*.npy"))},
        history=dict(history or {}),
    )


def observation_from(row: Mapping[str, Any]) -> Observation:
    """An observation as it was put down."""

    def stats(value: Mapping[str, Any] | None) -> TokenStats | None:
        return None if value is None else TokenStats(**value)

    def answer(value: Mapping[str, Any]) -> Answer:
        return Answer(**{**value, "token_ids": tuple(value["token_ids"]), "stats": stats(value["stats"])})

    return Observation(
        example_id=row["example_id"],
        gold=stats(row["gold"]),
        own=None if row["own"] is None else answer(row["own"]),
        samples=tuple(answer(value) for value in row["samples"]),
        signals=row["signals"],
    )
