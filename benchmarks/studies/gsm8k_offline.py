"""Do variants of real GSM8K problems teach the pocket student more about GSM8K than as many pocket examples?

    asft run recipes/gsm8k-offline.yaml --set task.source=DIR
    python benchmarks/studies/gsm8k_offline.py runs/gsm8k-offline --data DIR [--tests N] [--out DIR]

The control is the run's own recipe with the task `pocket`: the same base, the same rules teacher, as many
accepted examples, as many optimiser steps under the same settings. It is a run beside the first
(RUN-pocket), and is gone on with or used again like any run. Base and both students are scored on the
worked references of GSM8K's test split: nll in nats per token, item by item. The table is printed and
written to table.md in --out, beside items.csv with the figures of each item, and no text of it.
"""

import argparse
import csv
import json
import os
import random
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Spinning OpenMP threads starve whatever shares the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import yaml

from asft import loop, recipe, registry, scorer, stats, student
from asft.progress import Progress
from asft.rundir import read_jsonl
from asft.teachers.rules.gsm8k.chain import bind
from asft.teachers.rules.gsm8k.sources import Cannot
from asft.types import Example

STUDENTS = ("base", "variants", "pocket")


def last_round(run: Path) -> Path:
    """The folder of the last student that a run trained. Exits where there is none."""
    trained = sorted(run.glob("round-*/train.manifest.json"))
    if not trained:
        sys.exit(f"{run} has trained no student; run the recipe to its end first (see --help)")
    return trained[-1].parent


def checked(run: Path, train: Sequence[Example]) -> int:
    """How many variants the run was trained on.

    Exits unless each was written from a problem of the train split, is none of them, and its calculations,
    bound to its question once more, come out as they are written.
    """
    real = {example.id for example in train}
    questions = {example.prompt for example in train}
    drafts = [row["example"] for file in sorted(run.glob("round-*/write.jsonl")) for row in read_jsonl(file)]
    parents = {example["prompt"]: example["parents"] for example in drafts if example is not None}
    rows = read_jsonl(last_round(run) / "dataset.jsonl")
    for row in rows:
        from_real = row["origin"] == "written" and set(parents[row["prompt"]]) <= real
        if not from_real or row["prompt"] in questions:
            sys.exit(
                f"{run}: {row['example_id']} is no new variant of a train problem, which all must be here"
            )
        bound = bind(row["prompt"], row["completion"])
        if isinstance(bound, Cannot):
            sys.exit(
                f"{run}: the calculations of {row['example_id']} cannot be checked again: {bound.reason}"
            )
    return len(rows)


def control(run: Path, examples: int, steps: int) -> Path:
    """Do the same on pocket examples; returns the run directory."""
    settings: dict[str, Any] = json.loads((run / "recipe.lock.json").read_text("utf-8"))
    settings |= {
        "name": f"{settings['name']}-pocket",
        "task": {"use": "pocket", "seeds": 2 * examples, "tests": 100},
        "student": {**settings["student"], "max_new_tokens": 200},
        "writer": {"use": "question_then_answer"},
        "rounds": 1,
        "per_round": examples,
        "max_drafts": 4 * examples,
        "train": {**settings["train"], "max_steps": steps},
    }
    out = run.with_name(f"{run.name}-pocket")
    command = [Path(sys.argv[0]).name, *sys.argv[1:]]
    source = f"# Made by {shlex.join(command)}\n{yaml.safe_dump(settings, sort_keys=False)}"
    loop.run(recipe.read(settings), out, source=source, command=command, redo=None, progress=Progress())
    return out


def figures(run: Path) -> dict[str, Any]:
    """What the last student of a run was trained on, and how long."""
    kept: dict[str, Any] = json.loads((last_round(run) / "train.json").read_text("utf-8"))
    return kept


def nll(base: student.Loaded, adapter: Path | None, examples: Sequence[Example]) -> list[float]:
    """Nats per token of each worked reference, its end token included."""
    asked = student.prompt_ids(base.tokenizer, [e.prompt for e in examples])
    gold = student.answer_ids(base, [e.completion or e.answer for e in examples])
    with student.wearing(base, str(adapter) if adapter else None) as loaded:
        return [found.nll for found in scorer.score(loaded, list(zip(asked, gold, strict=True)))]


def table(found: Mapping[str, Sequence[float]], trained: Mapping[str, Mapping[str, Any]], of: int) -> str:
    """The figures in Markdown: each student against base, and the two trained ones against each other."""
    rng = np.random.default_rng(0)

    def shown(before: str, after: str) -> str:
        difference = stats.paired_bootstrap(found[before], found[after], rng)
        return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"

    items = len(found["base"])
    lines = [
        f"GSM8K test split, {items} of {of} items: nll of the worked references in nats per token, mean over "
        "items; differences with 95% paired bootstrap intervals over items. One training seed.",
        "",
        "| student | examples | steps | tokens an epoch | nll | against base | items better than base |",
        "|---|---|---|---|---|---|---|",
        f"| base | | | | {np.mean(found['base']):.3f} | | |",
    ]
    for name, label in (("variants", "variants of GSM8K problems"), ("pocket", "pocket examples")):
        figure = trained[name]
        better = np.mean(np.less(found[name], found["base"]))
        lines.append(
            f"| {label} | {figure['examples']} | {figure['steps']} | {figure['tokens']} "
            f"| {np.mean(found[name]):.3f} | {shown('base', name)} | {better:.1%} |"
        )
    lines += ["", f"Variants against pocket examples: {shown('pocket', 'variants')} nats per token."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="run directory of recipes/gsm8k-offline.yaml")
    parser.add_argument("--data", required=True, help="folder with train.jsonl and test.jsonl")
    parser.add_argument("--tests", type=int, help="score a seeded sample of so many items (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "gsm8k_offline")
    options = parser.parse_args()
    task = registry.make("task", "gsm8k", {"source": options.data})
    variants = checked(options.run, task.load("seed"))
    print(f"{variants} variants of train problems, all checked again")
    steps = figures(options.run)["steps"]
    runs = {"variants": options.run, "pocket": control(options.run, variants, steps)}
    trained = {name: figures(run) for name, run in runs.items()}
    if any((t["examples"], t["steps"]) != (variants, steps) for t in trained.values()):
        sys.exit(f"the two runs are not equal in examples and steps, and cannot be compared: {trained}")
    test = list(task.load("test"))
    chosen = test if options.tests is None else random.Random(0).sample(test, options.tests)
    settings = json.loads((options.run / "run.json").read_text("utf-8"))["student"]
    base = student.load(student.Student(base=settings["base"], revision=settings["revision"]), "cpu")
    found = {"base": nll(base, None, chosen)}
    found |= {name: nll(base, last_round(run) / "adapter", chosen) for name, run in runs.items()}
    text = table(found, trained, len(test))
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "items.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("example_id", *STUDENTS))
        for at, example in enumerate(chosen):
            rows.writerow((example.id, *(f"{found[name][at]:.5f}" for name in STUDENTS)))
    (options.out / "table.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
