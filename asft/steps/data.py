"""What a round's student is trained on: the recipe's section `data` as rows, in the order of the file."""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from asft.recipe import DataOptions, WeightOptions
from asft.rundir import read_jsonl
from asft.steps.line import Line
from asft.types import Example

Origin = Literal["written", "seed", "replay"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One example that is trained on."""

    example: Example
    origin: Origin
    score: float | None = None
    """Of the seed when it was picked; of a seed that was not, in this round. None where it has none."""
    weight: float = 1.0


def training_set(line: Line, number: int) -> list[Row]:
    """The rows of a round; none where it accepted nothing."""
    data = line.recipe.data
    first = 1 if data.rounds is None else max(1, number - data.rounds + 1)
    rows = [row for trained in range(first, number + 1) for row in _written(line, trained)]
    if data.include_seeds:
        picked = _picked(line, number)
        rows += [
            Row(example=seed, origin="seed", score=picked[seed.id])
            for seed in line.seeds
            if seed.id in picked and seed.completion
        ]
    rows += _replayed(line, number, first, rows)
    if data.order == "easy_to_hard":
        rows = easy_to_hard(rows)
    return weighted(rows, data.weights)


def put_down(rows: Sequence[Row], data: DataOptions) -> Iterator[dict[str, Any]]:
    """The rows as dataset.jsonl holds them: with score and weight where `data` makes something of them."""
    for row in rows:
        yield {
            "example_id": row.example.id,
            "origin": row.origin,
            "round": row.example.round,
            "prompt": row.example.prompt,
            "completion": row.example.completion,
            **({"score": row.score} if scored(data) else {}),
            **({} if data.weights.all_one else {"weight": row.weight}),
        }


def scored(data: DataOptions) -> bool:
    """Whether the training set depends on scores."""
    return data.order == "easy_to_hard" or data.weights.by == "score"


def easy_to_hard(rows: Sequence[Row]) -> list[Row]:
    """By score, low first; rows without one are spread evenly among them. Otherwise in the order as given."""
    known = sorted((row for row in rows if row.score is not None), key=lambda row: row.score or 0.0)
    unknown = [row for row in rows if row.score is None]
    places = [((at + 0.5) / len(group), row) for group in (known, unknown) for at, row in enumerate(group)]
    return [row for _, row in sorted(places, key=lambda place: place[0])]


def weighted(rows: Sequence[Row], weights: WeightOptions) -> list[Row]:
    """The rows with their weights."""
    by_rank = _ranked([row.score for row in rows]) if weights.by == "score" else [1.0] * len(rows)
    of = {"written": weights.written, "seed": weights.seed, "replay": weights.replay}
    return [
        dataclasses.replace(row, weight=of[row.origin] * rank)
        for row, rank in zip(rows, by_rank, strict=True)
    ]


def _ranked(scores: Sequence[float | None]) -> list[float]:
    """0.5 for the lowest score to 1.5 for the highest, in even steps; equal scores share; 1 for None."""
    known = sorted(score for score in scores if score is not None)
    if len(known) < 2:
        return [1.0] * len(scores)
    first = {score: at for at, score in reversed(list(enumerate(known)))}
    last = {score: at for at, score in enumerate(known)}
    return [
        1.0 if score is None else 0.5 + (first[score] + last[score]) / (2 * (len(known) - 1))
        for score in scores
    ]


def _written(line: Line, number: int) -> list[Row]:
    """What a round accepted, with the scores of the seeds that it was written from."""
    scores = {row["number"]: row["score"] for row in read_jsonl(line.dir.file(number, "select.jsonl"))}
    return [
        Row(example=example, origin="written", score=scores[draft])
        for draft, example in line.accepted_drafts(number)
    ]


def _picked(line: Line, number: int) -> dict[str, float | None]:
    """Id -> score of the seeds that drafts were asked for about, up to this round; the latest score."""
    found: dict[str, float | None] = {}
    for asked in range(1, number + 1):
        drafts = len(read_jsonl(line.dir.file(asked, "write.jsonl")))
        for row in read_jsonl(line.dir.file(asked, "select.jsonl"))[:drafts]:
            found[row["example_id"]] = row["score"]
    return found


def _replayed(line: Line, number: int, first: int, rows: Sequence[Row]) -> list[Row]:
    """Rows that make up the share of the whole set that `replay` asks for, or as many as there are."""
    replay = line.recipe.data.replay
    if replay is None or not rows:
        return []
    if replay.of == "earlier":
        source = [row for earlier in range(1, first) for row in _written(line, earlier)]
    elif replay.of == "seeds":
        source = _of_pool(line, number, {row.example.id for row in rows if row.origin == "seed"})
    else:
        source = [Row(example=example, origin="replay") for example in line.general]
    wanted = round(len(rows) * replay.share / (1 - replay.share))
    rng = random.Random(f"{line.recipe.seed} replay {number}")
    return [dataclasses.replace(row, origin="replay") for row in rng.sample(source, min(wanted, len(source)))]


def _of_pool(line: Line, number: int, known: set[str]) -> list[Row]:
    """The pool's worked references that are not trained on already."""
    scores = {row["example_id"]: row["score"] for row in read_jsonl(line.dir.file(number, "score.jsonl"))}
    return [
        Row(example=seed, origin="replay", score=scores[seed.id])
        for seed in line.seeds
        if seed.completion and seed.id not in known
    ]
