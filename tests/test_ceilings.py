"""What a recipe makes the student compute at most, told before anything is done."""

from pathlib import Path
from typing import Any

import pytest

from asft import ceilings, flops, recipe, student
from asft.ceilings import Computing
from asft.types import Ceiling, Context

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 2,
    "per_round": 3,
    "max_drafts": 5,
    "task": {"use": "pocket", "seeds": 6, "tests": 2},
    "student": {"base": "pocket", "max_new_tokens": 60},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer", "reasks": 0},
    "filters": [],
}
WHOLE = Ceiling(requests=1, input_tokens=300, output_tokens=200)
POCKET = flops.of_student(student.place("pocket"), lora=ceilings.LORA)


def of(**changed: Any) -> tuple[Computing, Context]:
    made = recipe.read({**NANO, **changed})
    context = Context(
        task=made.task,
        seeds=tuple(made.task.load("seed")),
        accepted=(),
        test=tuple(made.task.load("test")),
        round=1,
        seed=1,
    )
    return ceilings.computing(made, context, WHOLE), context


def size(text: str) -> int:
    return len(text.encode()) + 64


def a_row(context: Context) -> tuple[int, int]:
    return max(size(seed.prompt) for seed in context.seeds), 60


def test_measuring_is_told_for_each_need_with_answers_as_long_as_they_may_be() -> None:
    found, context = of()
    lengths = flops.Lengths(prompts=tuple(size(seed.prompt) for seed in context.seeds), own=(60,) * 6)
    [own] = recipe.read(NANO).needs
    assert found.measure == {"own": flops.measuring(POCKET.work, own, lengths, adapter=POCKET.adapter)}


def test_a_round_is_trained_on_what_all_rounds_accepted() -> None:
    found, context = of()
    assert found.train == flops.training(POCKET.work, [a_row(context)] * 6, passes=3, adapter=POCKET.adapter)
    new, _ = of(data={"train_on": "new"})
    assert found.train == 2 * new.train
    # Five drafts a round: all six seeds are picked.
    seeds, _ = of(data={"train_on": "new", "include_seeds": True})
    assert seeds.train == 3 * new.train
    replayed, _ = of(data={"train_on": "new", "replay": {"share": 0.5}})
    assert replayed.train == 2 * new.train


@pytest.mark.parametrize(
    ("train", "passes"),
    [
        ({"num_train_epochs": 5}, 5),
        # Six examples, of 16 that a step may have.
        ({"max_steps": 30}, 30),
        ({"max_steps": 30, "gradient_accumulation_steps": 2}, 30),
        ({"max_steps": 30, "per_device_train_batch_size": 2}, 30 * 2 / 6),
        ({"max_steps": 30, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}, 30 * 4 / 6),
    ],
)
def test_steps_count_as_the_recipe_says(train: dict[str, Any], passes: float) -> None:
    found, context = of(train=train)
    rows = [a_row(context)] * 6
    assert found.train == flops.training(POCKET.work, rows, passes=passes, adapter=POCKET.adapter)


def test_what_is_trained_is_counted_as_the_recipe_says() -> None:
    found, _ = of()
    whole, context = of(lora=False)
    rows = [a_row(context)] * 6
    assert whole.train == flops.training(POCKET.work, rows, passes=3, method="full")
    assert of(lora={"r": 4})[0].train < found.train < whole.train
    checked, _ = of(train={"gradient_checkpointing": True})
    assert checked.train > found.train
    short, _ = of(train={"max_length": a_row(context)[0] + 10})
    assert short.train < found.train


def test_a_run_measures_trains_and_evaluates_in_every_round_and_evaluates_its_base() -> None:
    found, context = of()
    first, _ = of(rounds=1)
    assert found.measure["own"] is not None
    assert found.drafts == 0
    assert found.student == 2 * found.measure["own"] + first.train + found.train + 3 * found.evaluate
    prompts = [size(item.prompt) for item in context.test]
    assert found.evaluate == flops.evaluating(POCKET.work, prompts, [60, 60], adapter=POCKET.adapter)


def test_samples_and_shots_are_in_what_evaluating_takes() -> None:
    found, _ = of()
    sampled, context = of(evaluate={"samples": {"k": 2}})
    drawn = flops.evaluating(
        POCKET.work,
        [size(item.prompt) for item in context.test],
        [60, 60],
        samples=[[60, 60]] * 2,
        adapter=POCKET.adapter,
    )
    assert found.evaluate < sampled.evaluate == drawn
    assert of(evaluate={"shots": 2, "system": "Think."})[0].evaluate > found.evaluate


def test_choices_are_read_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "Good.", "label": "yes"}\n{"text": "Bad.", "label": "no"}\n', "utf-8")
    task = {"use": "classification", "seed": str(path), "test": str(path), "labels": ["yes", "no"]}
    found, context = of(task=task, evaluate={"by": "likelihood"})
    # A token that ends it behind each.
    rows = [(size(item.prompt), length) for item in context.test for length in (4, 3)]
    assert found.evaluate == flops.scored(POCKET.work, rows, adapter=POCKET.adapter)


def test_what_filters_need_of_drafts_is_told() -> None:
    found, context = of(filters=[{"use": "still_uncertain", "above": 0.5}])
    assert found.drafts is not None
    assert found.drafts > 0
    prompt, most = a_row(context)
    assert found.student is not None
    assert found.student > 2 * found.drafts
    assert found.drafts >= 5 * flops.scored(POCKET.work, [(prompt, most)])


def test_a_need_of_another_model_is_not_known() -> None:
    found, _ = of(criterion={"use": "reward", "model": "m"})
    assert found.measure["reward"] is None
    assert found.student is None


def test_calls_are_counted_by_the_size_of_who_is_asked() -> None:
    assert of()[0].asked == 0
    large = {"use": "openai", "model": "m", "active_params": 1e9}
    assert of(teacher=large)[0].asked == 2 * 10**9 * 500
    assert of(judge=large)[0].asked == 2 * 10**9 * 500
    assert of(judge={"use": "openai", "model": "m"})[0].asked is None
