"""What every criterion promises, a table of those that are held to it, and pools of any hardness for it."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pytest

from asft import needs, registry
from asft.types import (
    Answer,
    Criterion,
    Example,
    Measurements,
    Observation,
    TokenArrays,
    TokenStats,
)

CASES: list[tuple[str, dict[str, Any]]] = [
    ("acquisition", {}),
    ("acquisition", {"quality": "llm_pick", "gamma": 0.5}),
    ("acquisition", {"beta": 0.0}),
    ("answer_entropy", {"k": 4}),
    ("bald", {}),
    ("disagreement", {"k": 4}),
    ("entropy", {}),
    ("ensemble_variance", {}),
    ("entropy", {"of": "gold"}),
    ("gradient_norm", {}),
    ("incorrect", {}),
    ("incorrect", {"ungradable": "none"}),
    ("incorrect", {"k": 4}),
    ("influence", {}),
    ("influence", {"of": "own"}),
    ("judge", {}),
    ("judge", {"mode": "pairwise"}),
    ("least_confidence", {}),
    ("least_confidence", {"reduce": "worst"}),
    ("llm_pick", {}),
    ("loss", {}),
    ("loss", {"of": "gold"}),
    ("loss", {"reduce": "sum"}),
    ("loss", {"of": "gold", "reduce": "sum"}),
    ("margin", {}),
    ("margin", {"reduce": "worst"}),
    (
        "mixture",
        {"parts": [{"criterion": "loss"}, {"criterion": {"use": "incorrect", "k": 4}, "weight": 0.5}]},
    ),
    ("reward", {"model": "a/model"}),
]
"""Name and options. What a need gives that none of these reads yet is added to `pool`."""

TOKENS = 4
GIVES = {
    "accepted_embedding": "embedding",
    "bald": "ensemble",
    "ensemble_nll": "ensemble",
    "gradient_norm": "gradient",
}
"""Number or array -> the need that gives it, where that has another name."""


def make(name: str, options: dict[str, Any] | None = None) -> Criterion:
    made = registry.make("criterion", name, options)
    assert isinstance(made, Criterion)
    return made


def pool(
    hardness: Sequence[float | None], only: Collection[str] | None = None, round: int = 1
) -> Measurements:
    """Seeds that are harder in every way the greater the number, from 0 to 1; None was not measured.

    `only` names the needs that are measured. The number NaN gives measurements that are no numbers.
    """

    def has(need: str) -> bool:
        return only is None or GIVES.get(need, need) in only

    examples = tuple(Example(id=f"seed {hard}", task="t", prompt=f"{hard}?", answer="1") for hard in hardness)
    observations = []
    for example, hard in zip(examples, hardness, strict=True):
        if hard is None:
            observations.append(Observation(example_id=example.id))
            continue
        stats = TokenStats(tokens=TOKENS, nll=hard, nll_sum=TOKENS * hard, entropy=hard)
        signals = {
            "bald": hard,
            "gradient_norm": hard,
            "judge": 10 - 9 * hard,
            "judge_pair": 9 * hard,
            "llm_pick": hard,
            "reward": -hard,
        }
        observations.append(
            Observation(
                example_id=example.id,
                gold=stats if has("gold") else None,
                own=_answer(max(0.0, 1.0 - hard), stats) if has("own") else None,
                samples=_samples(hard) if has("samples") else (),
                signals={
                    name: None if math.isnan(value) else value for name, value in signals.items() if has(name)
                },
            )
        )
    every = [math.nan if hard is None else hard for hard in hardness]
    arrays = {
        "embedding": [[math.cos(hard), math.sin(hard)] for hard in every],
        "accepted_embedding": [[1.0, 0.0]],
        "ensemble_nll": [[-hard, 0.0, hard] for hard in every],
        "gradient": [[hard, 0.0] for hard in every],
        "reference_gradient": [[1.0, 0.0]],
    }
    return Measurements(
        round=round,
        examples=examples,
        observations=tuple(observations),
        tokens={name: _tokens(hardness) for name in ("own", "gold") if has(name)},
        arrays={
            name: np.array(rows, dtype=np.float32)
            for name, rows in arrays.items()
            if has(name) and len(every)
        },
    )


def _answer(grade: float, stats: TokenStats) -> Answer:
    return Answer(text="1", token_ids=(1,) * TOKENS, finish="stop", grade=grade, final="1", stats=stats)


def _samples(hard: float) -> tuple[Answer, ...]:
    """Four answers, the greater share of them wrong, each in its own way, the harder it is."""
    wrong = 4 if math.isnan(hard) else round(4 * hard)
    finals = ["1"] * (4 - wrong) + [f"wrong {i}" for i in range(wrong)]
    return tuple(
        Answer(text=final, token_ids=(), finish="stop", grade=float(final == "1"), final=final)
        for final in finals
    )


def _tokens(hardness: Sequence[float | None]) -> TokenArrays:
    there = [hard for hard in hardness if hard is not None]
    offsets = np.cumsum([0, *(0 if hard is None else TOKENS for hard in hardness)], dtype=np.int64)
    nll = np.repeat(np.array(there, dtype=np.float32), TOKENS)
    return TokenArrays(offsets=offsets, nll=nll, entropy=nll, margin=1 - nll)


@pytest.mark.parametrize(("name", "options"), CASES)
class EveryCriterion:
    """Collected in `test_contract`, once for each row of `CASES`."""

    def test_there_is_one_score_per_seed_in_their_order(self, name: str, options: dict[str, Any]) -> None:
        hardness = [0.25, 1.0, 0.5]
        straight = make(name, options).score(pool(hardness))
        assert len(straight) == 3
        assert make(name, options).score(pool(hardness[::-1])) == straight[::-1]

    def test_higher_is_harder(self, name: str, options: dict[str, Any]) -> None:
        easy, hard = make(name, options).score(pool([0.25, 0.75]))
        assert easy is not None
        assert hard is not None
        assert easy < hard

    def test_what_was_not_measured_has_no_score(self, name: str, options: dict[str, Any]) -> None:
        assert make(name, options).score(pool([None])) == [None]
        assert make(name, options).score(pool([0.5], only=())) == [None]

    def test_one_seed_without_measurements_harms_no_other(self, name: str, options: dict[str, Any]) -> None:
        alone = make(name, options).score(pool([0.5]))
        assert alone != [None]
        assert make(name, options).score(pool([None, 0.5])) == [None, *alone]

    def test_an_empty_pool_has_no_scores(self, name: str, options: dict[str, Any]) -> None:
        assert make(name, options).score(pool([])) == []

    def test_only_what_it_needs_is_read(self, name: str, options: dict[str, Any]) -> None:
        criterion = make(name, options)
        named = [need.name for need in needs.joined(criterion.needs)]
        hardness = [0.25, None, 0.75]
        assert criterion.score(pool(hardness, only=named)) == criterion.score(pool(hardness))

    def test_a_measurement_that_is_no_number_gives_no_score(self, name: str, options: dict[str, Any]) -> None:
        [score] = make(name, options).score(pool([math.nan]))
        assert score is None or math.isfinite(score)

    def test_the_same_measurements_give_the_same_scores(self, name: str, options: dict[str, Any]) -> None:
        measurements = pool([i / 7 for i in range(8)])
        criterion = make(name, options)
        assert criterion.score(measurements) == criterion.score(measurements)

    def test_its_needs_are_always_the_same(self, name: str, options: dict[str, Any]) -> None:
        criterion = make(name, options)
        assert criterion.needs == criterion.needs
        assert criterion.needs
