"""What students that were trained a little differently make of the student's own answers."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asft import scorer
from asft.errors import DataError
from asft.measure.records import Found, Pool, Told
from asft.measure.rows import own
from asft.scorer.body import Whole, grouped, network
from asft.scorer.members import Apartness, Heard, compare, hear
from asft.scorer.plan import Row
from asft.student import Loaded, wearing
from asft.types import Example, Measurements

KEPT = 2**30
"""Bytes of what the members make of answers that are kept at once; each member is put on once for so much."""


def ensemble(base: Loaded, pool: Pool, options: Mapping[str, Any], before: Measurements, told: Told) -> Found:
    """Losses of the own answers under each member, and how far the members differ.

    `base` is the student without an adapter. A member is an adapter on it that is trained from the start, as
    the recipe trains: on the same worked examples with another seed, or on a bootstrap of them. These are
    drawn from what earlier rounds accepted, or from the pool's references before there is any. The adapters
    are removed at the end. Raises DataError where nothing can be trained.
    """
    train = pool.train
    if train is None:
        raise DataError(
            "an ensemble has to be trained, and that is done in a run only; take another criterion"
        )
    given = own(base, before)
    with tempfile.TemporaryDirectory(prefix="asft-ensemble-") as folder:
        adapters = []
        for number, (examples, seed) in enumerate(_members(pool, options, before.round)):
            adapters.append(Path(folder) / f"{number}")
            train(examples, adapters[-1], seed)
        found = dict(zip(given, _compared(base, adapters, list(given.values()), told), strict=True))
    count = len(pool.examples)
    none = [np.nan] * len(adapters)
    nll = [found[i].nll if i in found else none for i in range(count)]
    return Found(
        arrays={"ensemble_nll": np.array(nll, dtype=np.float32).reshape(count, len(adapters))},
        signals={"bald": [found[i].bald if i in found else None for i in range(count)]},
    )


def _members(pool: Pool, options: Mapping[str, Any], round: int) -> Iterator[tuple[list[Example], int]]:
    """What each member is trained on, and with which seed."""
    worked = [example for example in pool.accepted or pool.examples if example.completion]
    if not worked:
        raise DataError(
            "an ensemble is trained on worked examples: nothing is accepted yet, and no example of the pool "
            "has a worked reference; give references, or take another criterion"
        )
    rng = random.Random(f"{pool.seed} ensemble {round}")
    drawn = rng.sample(worked, min(options["examples"], len(worked)))
    for _ in range(options["members"]):
        examples = rng.choices(drawn, k=len(drawn)) if options["vary"] == "bootstrap" else drawn
        yield examples, rng.randrange(2**31)


def _compared(base: Loaded, adapters: Sequence[Path], rows: Sequence[Row], told: Told) -> list[Apartness]:
    """How far the members differ on each row. As many rows at once as may be kept of all members."""
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i][1]), i))
    found: dict[int, Apartness] = {}
    most = KEPT // (len(adapters) * _bytes(base, adapters[0], rows[0])) if rows else 0
    for group in grouped([len(rows[i][1]) for i in order], most):
        part = [order[at] for at in group]
        heard: list[list[Heard]] = []
        for adapter in adapters:
            with wearing(base, str(adapter)) as member:
                heard.append(scorer.in_batches(member, [rows[i] for i in part], hear)[0])
        found.update(zip(part, compare(heard), strict=True))
        told(len(found))
    return [found[i] for i in range(len(rows))]


def _bytes(base: Loaded, adapter: Path, row: Row) -> int:
    """How much is kept of a token, under one member."""
    config = base.model.config.get_text_config()
    with wearing(base, str(adapter)) as member:
        whole = isinstance(network(member.model, row), Whole)
    width: int = config.vocab_size if whole else config.hidden_size
    return width * int(base.model.dtype.itemsize)
