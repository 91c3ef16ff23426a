"""The weighted loss, against sums over tokens that the scorer takes by itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from asft import scorer, student, train
from asft.tasks.pocket.task import Pocket
from asft.types import Example

LOGGED = {"logging_steps": 1, "warmup_steps": 0}


@pytest.fixture(scope="module")
def base() -> student.Loaded:
    return student.load(student.Student(), "cpu")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Four whose answers differ in length and loss."""
    return [e for e in Pocket(seeds=80).load("seed") if e.tags["mastered"] == "no"][:4]


def sums(base: student.Loaded, examples: Sequence[Example]) -> list[tuple[float, int]]:
    """Of each: the negative log-likelihood of its answer, in nats, and how many tokens that has."""
    asked = student.prompt_ids(base.tokenizer, [e.prompt for e in examples])
    answers = student.answer_ids(base, [e.completion or "" for e in examples])
    found = scorer.score(base, list(zip(asked, answers, strict=True)))
    return [(one.nll_sum, one.tokens) for one in found]


def by_hand(base: student.Loaded, examples: Sequence[Example], weights: Sequence[float]) -> float:
    pairs = list(zip(sums(base, examples), weights, strict=True))
    return sum(w * nll for (nll, _), w in pairs) / sum(w * n for (_, n), w in pairs)


def trained(
    base: student.Loaded, examples: Sequence[Example], out: Path, weights: Sequence[float], **sft: Any
) -> tuple[train.Trained, bytes]:
    # The loss of the first step is that of the base: a fresh adapter changes nothing.
    given = {
        "max_steps": 1,
        **LOGGED,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1,
        **sft,
    }
    done = train.train(base, examples, out, sft=given, weights=weights)
    return done, (out / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("weights", [[1.0, 3.0, 0.5, 1.0], [0.001, 0.002, 0.001, 0.001]])
@pytest.mark.parametrize(
    "batches",
    [
        {},
        {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4},
        {"padding_free": True, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
    ],
    ids=["one batch", "accumulated", "without padding"],
)
def test_the_loss_is_the_weighted_sum_over_tokens_by_the_weighted_number_of_tokens(
    base: student.Loaded,
    examples: list[Example],
    tmp_path: Path,
    weights: list[float],
    batches: dict[str, Any],
) -> None:
    done, _ = trained(base, examples, tmp_path, weights, **batches)
    assert done.loss_first == pytest.approx(by_hand(base, examples, weights), rel=1e-3)
    assert by_hand(base, examples, weights) != pytest.approx(by_hand(base, examples, [1.0] * 4), rel=1e-2)


def test_equal_weights_give_the_same_adapter_as_none_bit_for_bit(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    _, plain = trained(base, examples, tmp_path / "plain", [], max_steps=3)
    for name, weights in (("one", [1.0] * 4), ("two", [2.0] * 4)):
        assert trained(base, examples, tmp_path / name, weights, max_steps=3)[1] == plain


def test_an_example_with_a_weight_is_learnt_before_the_others(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    losses = []
    for name, weights in (("first", [50.0, 1.0, 1.0, 1.0]), ("last", [1.0, 1.0, 1.0, 50.0])):
        done, _ = trained(base, examples, tmp_path / name, weights, max_steps=4, learning_rate=3e-3)
        with student.wearing(base, done.student.adapter) as after:
            losses.append([nll for nll, _ in sums(after, examples)])
    assert losses[0][0] < losses[1][0]
    assert losses[1][3] < losses[0][3]


def test_a_dropped_example_takes_its_weight_along(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    bare = Example.make(task="pocket", prompt="How many?", answer="3")
    given = [examples[0], bare, *examples[1:]]
    done, _ = trained(base, given, tmp_path, [4.0, 90.0, 1.0, 1.0, 2.0])
    assert done.dropped == 1
    assert done.loss_first == pytest.approx(by_hand(base, examples, [4.0, 1.0, 1.0, 2.0]), rel=1e-3)
