"""The step `train`: what a round's student is trained on, and the training of it."""

import dataclasses
import random
from pathlib import Path

from asft import train as training
from asft.errors import RunError
from asft.rundir import clear, write_json, write_jsonl
from asft.steps.line import Line
from asft.steps.pool import written_before
from asft.steps.summary import nothing_accepted
from asft.types import Example


def train(line: Line, number: int) -> None:
    """Train the round's student on what the recipe's `data` section says."""
    recipe = line.recipe
    previous = line.adapter(number - 1) if recipe.data.start_from == "previous" else None

    def make(folder: Path) -> None:
        clear(folder / "adapter")
        rows = _training_set(line, number)
        write_jsonl(
            folder / "dataset.jsonl",
            (
                {
                    "example_id": example.id,
                    "origin": origin,
                    "round": example.round,
                    "prompt": example.prompt,
                    "completion": example.completion,
                }
                for origin, example in rows
            ),
        )
        line.progress.start(f"round {number}: train")
        trained = training.train(
            line.base,
            [example for _, example in rows],
            folder / "adapter",
            seed=recipe.seed,
            start=str(previous) if previous else None,
            sft=recipe.train,
            lora=recipe.lora,
            progress=lambda step, steps, note: line.progress.update(step, note, steps),
        )
        # Seconds and paths change from run to run; what is trained on does not.
        figures = {k: v for k, v in dataclasses.asdict(trained).items() if k not in ("student", "seconds")}
        write_json(folder / "train.json", figures)
        line.progress.end(f"{trained.examples} examples, {trained.steps} steps")

    line.once(
        number,
        "train",
        settings=line.part("student", "data", "train", "lora", "seed"),
        inputs=[*([previous] if previous else []), *written_before(line, number + 1)],
        outputs=["dataset.jsonl", "adapter", "train.json"],
        make=make,
    )


def _training_set(line: Line, number: int) -> list[tuple[str, Example]]:
    data = line.recipe.data
    new = line.accepted(number)
    if not new:
        raise RunError(nothing_accepted(line, number))
    written = [*line.accepted_before(number), *new] if data.train_on == "all" else new
    rows = [("written", example) for example in written]
    if data.include_seeds:
        drafted = line.asked_before(number + 1)
        rows += [("seed", example) for example in line.seeds if drafted[example.id] and example.completion]
    if data.replay:
        rng = random.Random(f"{line.recipe.seed} replay {number}")
        worked = [example for example in line.seeds if example.completion]
        wanted = round(len(rows) * data.replay / (1 - data.replay))
        rows += [("replay", example) for example in rng.sample(worked, min(wanted, len(worked)))]
    return rows
