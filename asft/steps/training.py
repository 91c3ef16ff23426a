"""The step `train`: a round's student."""

import dataclasses
from collections import Counter
from pathlib import Path

from asft import train as training
from asft.errors import RunError
from asft.rundir import clear, write_json, write_jsonl
from asft.steps import computing, data
from asft.steps.line import Line, known_by
from asft.steps.pool import written_before
from asft.steps.summary import nothing_accepted


def train(line: Line, number: int) -> None:
    """Train the round's student on what the recipe's `data` section says."""
    recipe = line.recipe
    options = recipe.data
    previous = line.adapter(number - 1) if options.start_from != "base" else None
    validation = options.validation

    def make(folder: Path) -> None:
        clear(folder / "adapter")
        logs = line.dir.path / "logs" / line.dir.round(number).name
        if line.ranks.first:
            clear(logs)
        rows = _rows(line, number)
        write_jsonl(folder / "dataset.jsonl", data.put_down(rows, options))
        line.progress.start(f"round {number}: train")
        trained = training.train(
            line.base,
            [row.example for row in rows],
            folder / "adapter",
            seed=recipe.seed,
            start=str(previous) if previous else None,
            merged=options.start_from == "merged",
            sft={"run_name": f"{recipe.name} {logs.name}", **recipe.train},
            lora=recipe.lora,
            weights=[row.weight for row in rows],
            validation=line.validation,
            patience=validation.patience if validation else None,
            logs=logs,
            keep=line.ranks.first,
            progress=lambda step, steps, note: line.progress.update(step, note, steps),
        )
        # Seconds and paths change from run to run; what is trained on does not.
        figures = {k: v for k, v in dataclasses.asdict(trained).items() if k not in ("student", "seconds")}
        figures["origins"] = dict(Counter(row.origin for row in rows))
        write_json(folder / "train.json", figures)
        speed = trained.tokens_seen / max(trained.seconds, 1e-9)
        line.progress.end(f"{trained.examples} examples, {trained.steps} steps, {speed:.0f} tokens/s")

    of_a_task = options.replay is not None and not isinstance(options.replay.of, str)
    made = line.once(
        number,
        "train",
        settings={
            **line.part("student", "data", "train", "lora", "seed"),
            **({"validation": known_by(line.validation)} if validation else {}),
            **({"replay": known_by(line.general)} if of_a_task else {}),
        },
        inputs=[
            *([previous] if previous else []),
            *written_before(line, number + 1),
            *(_scores(line, number) if data.scored(options) else []),
        ],
        outputs=["dataset.jsonl", "adapter", "train.json"],
        make=make,
    )
    computing.put_down(line, number, "train", made=made)


def _scores(line: Line, number: int) -> list[Path]:
    return [
        line.dir.file(earlier, name)
        for earlier in range(1, number + 1)
        for name in ("select.jsonl", "score.jsonl")
    ]


def _rows(line: Line, number: int) -> list[data.Row]:
    """Raises RunError where there is nothing to train on, or no order where one is asked for."""
    if not line.accepted(number):
        raise RunError(nothing_accepted(line, number))
    rows = data.training_set(line, number)
    if data.scored(line.recipe.data) and all(row.score is None for row in rows):
        raise RunError(
            f"round {number}: no seed that was picked has a score, so nothing that was written is easier or "
            "harder; take `data.order: shuffled` and `data.weights.by: equal`, which pays for nothing again, "
            "or another criterion"
        )
    return rows
