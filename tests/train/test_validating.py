"""How long a student is trained, and which one is kept."""

from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback, trainer

from asft import scorer, student, train
from asft.recipe.trained_on import VALIDATED
from asft.tasks.pocket.task import Pocket
from asft.types import Example


@pytest.fixture(scope="module")
def base() -> student.Loaded:
    return student.load(student.Student(), "cpu")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [e for e in Pocket(seeds=120).load("seed") if e.tags["mastered"] == "no"]


OVERFITTED = {"max_steps": 10, "learning_rate": 2e-2, "warmup_steps": 0, **VALIDATED}
"""Soon worse on all other examples."""


def overfitted(base: student.Loaded, examples: list[Example], out: Path, **given: Any) -> train.Trained:
    sft = {**OVERFITTED, **given.pop("sft", {})}
    return train.train(base, examples[:4], out, sft=sft, validation=examples[4:12], **given)


def test_training_stops_after_so_many_evaluations_without_a_better_loss_and_keeps_the_best(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    done = overfitted(base, examples, tmp_path / "adapter", patience=2)
    assert done.validation is not None
    steps, losses = zip(*done.validation.losses, strict=True)
    best = losses.index(min(losses))
    assert steps == tuple(range(1, len(steps) + 1)), "ten steps, evaluated ten times"
    assert len(losses) == best + 3
    assert done.validation.stopped_early
    assert (done.steps, done.validation.best_step) == (steps[-1], steps[best])
    assert done.validation.kept_step == done.validation.best_step
    # What lies on the disk is the best one, and not the last.
    with student.wearing(base, done.student.adapter) as kept:
        held = examples[4:12]
        asked = student.prompt_ids(base.tokenizer, [e.prompt for e in held])
        answers = student.answer_ids(base, [e.completion or "" for e in held])
        stats = scorer.score(kept, list(zip(asked, answers, strict=True)))
    assert sum(s.nll_sum for s in stats) / sum(s.tokens for s in stats) == pytest.approx(
        min(losses), rel=1e-3
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"], "no checkpoint is left"


def test_without_patience_training_goes_on_and_the_best_is_kept(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    done = overfitted(base, examples, tmp_path / "adapter")
    assert done.validation is not None
    assert (done.steps, len(done.validation.losses), done.validation.stopped_early) == (10, 10, False)
    assert done.validation.kept_step == done.validation.best_step != 10


@pytest.mark.parametrize(
    ("sft", "evaluated", "keeps"),
    [
        ({"load_best_model_at_end": False, "save_strategy": "no", "eval_steps": 4}, 3, "last"),
        ({"eval_strategy": "epoch", "save_strategy": "epoch", "max_steps": 3}, 3, "best"),
        ({"eval_steps": 4, "save_strategy": "steps", "save_steps": 4}, 3, "best"),
        ({"eval_steps": 4, "save_strategy": "steps", "save_steps": 8}, 3, "last"),
        ({"eval_steps": 4, "metric_for_best_model": "mean_token_accuracy"}, 3, "best"),
    ],
)
def test_evaluating_and_keeping_go_by_the_keys_of_trl(
    base: student.Loaded,
    examples: list[Example],
    tmp_path: Path,
    sft: dict[str, Any],
    evaluated: int,
    keeps: str,
) -> None:
    done = overfitted(base, examples, tmp_path / "adapter", sft=sft)
    assert done.validation is not None
    assert len(done.validation.losses) == evaluated
    best = done.validation.best_step
    assert done.validation.kept_step == (done.steps if keeps == "last" else best)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_without_a_slice_nothing_is_evaluated_whatever_the_settings(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    done = train.train(base, examples[:4], tmp_path, sft={**OVERFITTED, "max_steps": 2})
    assert (done.steps, done.validation) == (2, None)


class Rates(TrainerCallback):
    """Notes the learning rate of each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.seen.append(others["lr_scheduler"].get_last_lr()[0])


@pytest.mark.parametrize("count", [3, 40])
def test_the_recipe_alone_says_how_many_steps_there_are_and_the_rate_falls_over_exactly_these(
    base: student.Loaded,
    examples: list[Example],
    tmp_path: Path,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = Rates()
    monkeypatch.setattr(trainer, "DEFAULT_CALLBACKS", [*trainer.DEFAULT_CALLBACKS, rates])
    sft = {"max_steps": 4, "warmup_steps": 0, "learning_rate": 1e-3, "lr_scheduler_type": "linear"}
    done = train.train(base, examples[:count], tmp_path, sft=sft)
    assert (done.steps, done.examples) == (4, count)
    # After each step the rate of the next one.
    assert rates.seen == pytest.approx([7.5e-4, 5e-4, 2.5e-4, 0.0])


def test_tokens_seen_are_those_of_all_steps_without_padding(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    done = train.train(base, examples[:6], tmp_path, sft={"num_train_epochs": 3})
    assert done.tokens_seen == 3 * done.tokens
    validated = overfitted(base, examples, tmp_path / "validated", patience=1)
    assert validated.tokens_seen == validated.steps * validated.tokens, "one step is one pass"


def test_each_step_is_told_with_loss_speed_and_validation(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    seen: list[str] = []
    sft = {"max_steps": 4, "logging_steps": 1, "eval_steps": 2}
    overfitted(base, examples, tmp_path, sft=sft, progress=lambda step, of, note: seen.append(note))
    assert seen[0] == ""
    assert seen[1].startswith("loss ")
    assert seen[1].endswith(" tokens/s")
    assert ", validation " in seen[2]


def test_an_easy_first_order_is_the_order_of_every_epoch(
    base: student.Loaded, examples: list[Example], tmp_path: Path
) -> None:
    losses = []
    for order in ("sequential", "random"):
        sft = {
            "max_steps": 3,
            "logging_steps": 1,
            "learning_rate": 1e-9,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "train_sampling_strategy": order,
        }
        # One example in twos, then another: only in their order are the first two equal.
        twice = [examples[0], examples[0], examples[1], examples[1]]
        trained = train.train(base, twice, tmp_path / order, sft=sft)
        losses.append((trained.loss_first, trained.loss_last))
    assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-4), "the second epoch begins like the first"
