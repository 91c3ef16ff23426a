import os
from pathlib import Path
from typing import Any, ClassVar

import pytest
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from asft import decoder, scorer, student, train
from asft.errors import DataError
from asft.tasks.pocket.task import Pocket
from asft.types import Example


def loss(loaded: student.Loaded, examples: list[Example]) -> float:
    asked = student.prompt_ids(loaded.tokenizer, [e.prompt for e in examples])
    answers = student.answer_ids(loaded, [e.completion or "" for e in examples])
    stats = scorer.score(loaded, list(zip(asked, answers, strict=True)))
    return sum(s.nll for s in stats) / len(stats)


def hard_examples() -> list[Example]:
    return [e for e in Pocket(seeds=80).load("seed") if e.tags["mastered"] == "no"][:16]


def test_training_lowers_the_loss_of_what_is_trained_on_and_leaves_the_base_as_it_was(tmp_path: Path) -> None:
    base = student.load(student.Student(), "cpu")
    examples = hard_examples()
    before = loss(base, examples)
    trained = train.train(base, examples, tmp_path / "adapter", sft={"max_steps": 12, "learning_rate": 3e-3})
    assert loss(base, examples) == before
    assert not base.model.training
    assert loss(student.load(trained.student, "cpu"), examples) < 0.7 * before


def test_a_step_takes_16_examples_and_how_many_at_once_changes_nothing(tmp_path: Path) -> None:
    base = student.load(student.Student(), "cpu")
    losses = []
    for at_once in ({}, {"per_device_train_batch_size": 16}):
        sft = {"max_steps": 4, "logging_steps": 1, "warmup_steps": 0, **at_once}
        trained = train.train(base, hard_examples(), tmp_path, sft=sft)
        losses.append((trained.loss_first, trained.loss_last))
    assert losses[0] == pytest.approx(losses[1], abs=2e-3)


@pytest.mark.parametrize(
    ("sft", "steps"),
    [
        ({}, 1),
        ({"per_device_train_batch_size": 2}, 8),
        ({"gradient_accumulation_steps": 4}, 1),
        ({"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}, 4),
    ],
)
def test_batch_settings_mean_what_they_mean_to_trl(tmp_path: Path, sft: dict[str, int], steps: int) -> None:
    base = student.load(student.Student(), "cpu")
    trained = train.train(base, hard_examples(), tmp_path, sft={"num_train_epochs": 1, **sft})
    assert trained.steps == steps


def test_after_training_the_base_answers_with_its_own_forward(tmp_path: Path) -> None:
    base = student.load(student.Student(), "cpu")
    before = base.model.forward
    train.train(base, hard_examples(), tmp_path, sft={"max_steps": 1})
    assert base.model.forward == before


def test_what_is_measured_of_a_base_is_the_same_before_and_after_it_is_trained_on_to_the_last_bit(
    tmp_path: Path,
) -> None:
    base = student.load(student.Student(), "cpu")
    prompts = [example.prompt for example in hard_examples()]
    loaded = decoder.decode(base, prompts, max_new_tokens=2, stats=True)
    trained = train.train(base, hard_examples(), tmp_path / "adapter", sft={"max_steps": 1})
    assert bits(decoder.decode(base, prompts, max_new_tokens=2, stats=True)) == bits(loaded)
    with student.wearing(base, trained.student.adapter) as dressed:
        decoder.decode(dressed, prompts, max_new_tokens=2)
    assert bits(decoder.decode(base, prompts, max_new_tokens=2, stats=True)) == bits(loaded)


def bits(found: list[decoder.Decoded]) -> list[bytes]:
    """Of the statistics of each token."""
    rows = [one.tokens for one in found if one.tokens is not None]
    assert len(rows) == len(found)
    return [values.tobytes() for row in rows for values in (row.nll, row.entropy, row.margin)]


def test_the_same_seed_gives_the_same_adapter(tmp_path: Path) -> None:
    base = student.load(student.Student(), "cpu")
    weights = []
    for name in ("one", "two"):
        train.train(base, hard_examples(), tmp_path / name, seed=3, sft={"max_steps": 3})
        weights.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_examples_without_worked_answers_are_refused(tmp_path: Path) -> None:
    base = student.load(student.Student(), "cpu")
    bare = [Example.make(task="pocket", prompt="How many?", answer="3")]
    with pytest.raises(DataError, match="worked answer"):
        train.train(base, bare, tmp_path)


def test_a_student_that_is_not_there_is_told_with_the_next_step() -> None:
    with pytest.raises(DataError, match=r"no-such-model.*give a folder or a hub name"):
        student.load(student.Student(base="./no-such-model"), "cpu")


def test_a_folder_without_an_adapter_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no LoRA adapter"):
        student.load(student.Student(adapter=str(tmp_path)), "cpu")


def test_an_example_whose_prompt_fills_the_length_is_dropped_and_counted(tmp_path: Path) -> None:
    base = student.load(student.Student(), "cpu")
    examples = hard_examples()
    asked = [len(ids) for ids in student.prompt_ids(base.tokenizer, [e.prompt for e in examples])]
    limit = sorted(asked)[8]
    trained = train.train(base, examples, tmp_path, sft={"max_steps": 1, "max_length": limit})
    short = sum(length < limit for length in asked)
    assert (trained.examples, trained.dropped) == (short, len(examples) - short)
    assert 0 < trained.truncated <= short
    with pytest.raises(
        DataError, match=f"max_length = 8 cuts .* the shortest prompt has {min(asked)} tokens"
    ):
        train.train(base, examples, tmp_path, sft={"max_steps": 1, "max_length": 8})


def test_each_step_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    base = student.load(student.Student(), "cpu")
    sft = {"max_steps": 3, "logging_steps": 2}
    train.train(base, hard_examples(), tmp_path, sft=sft, progress=lambda *told: seen.append(told))
    assert [told[:2] for told in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[0][2] == ""
    assert seen[2][2].startswith("loss ")


class Logger(TrainerCallback):
    """Says where it would write to, as loggers find it out."""

    written: ClassVar[list[dict[str, str | None]]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        names = ("TENSORBOARD_LOGGING_DIR", "WANDB_DIR", "TRACKIO_DIR")
        self.written.append({name: os.environ.get(name) for name in names})


def test_what_training_is_reported_to_lies_in_the_folder_for_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = student.load(student.Student(), "cpu")
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "trackio", Logger)
    monkeypatch.setattr(Logger, "written", [])
    monkeypatch.setenv("WANDB_DIR", "mine")
    sft = {"max_steps": 1, "report_to": ["trackio"]}
    train.train(base, hard_examples(), tmp_path / "adapter", sft=sft, logs=tmp_path / "logs")
    assert Logger.written == [
        {
            "TENSORBOARD_LOGGING_DIR": str(tmp_path / "logs" / "tensorboard"),
            "WANDB_DIR": str(tmp_path / "logs"),
            "TRACKIO_DIR": str(tmp_path / "logs" / "trackio"),
        }
    ]
    assert (os.environ["WANDB_DIR"], os.environ.get("TRACKIO_DIR")) == ("mine", None)
    train.train(base, hard_examples(), tmp_path / "adapter", sft=sft)
    assert len(Logger.written) == 1, "nothing is reported without a folder"
