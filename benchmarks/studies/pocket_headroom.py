"""Is the pocket student in the regime that choosing seeds is for? Two arms, equal but for their seeds.

    python benchmarks/studies/pocket_headroom.py [--salt H] [--seeds 5] [--workers 2] [--out DIR]

Arm `aimed` draws its seeds from the problems in families that the student has not mastered, arm `random`
from the whole pool. From each seed the rules teacher writes one question, then its worked answer; base is
trained on them with LoRA for the same number of steps in both arms, and answers the same test problems.
One file per arm and seed is kept in DIR: what is there is not run again. The table is printed and written
to DIR/headroom.md. No criterion is involved: mastery is the shipped table's.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

# Two workers share two cores; spinning OpenMP threads would starve each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from asft import prompts, registry
from asft.types import Example, Request, Sampling

ARMS = ("aimed", "random")


def write(task: Any, arm: str, seed: int, count: int) -> list[Example]:
    """`count` new examples, one from each of as many seeds."""
    teacher = registry.make("teacher", "rules")
    pool = task.load("seed")
    known = {example.prompt for split in ("seed", "test") for example in task.load(split)}
    choice = [e for e in pool if e.tags["mastered"] == "no"] if arm == "aimed" else list(pool)
    rng = random.Random(f"headroom {arm} {seed}")
    ask_question, ask_answer = prompts.load("question"), prompts.load("answer")
    sampling = Sampling(temperature=1.0)

    async def one(parent: Example, draw: int) -> Example:
        asked = ask_question.render(question=parent.prompt)
        question = await teacher.reply(Request(messages=asked, sampling=sampling, seed=seed, draw=draw))
        asked = ask_answer.render(question=question.text)
        answer = await teacher.reply(Request(messages=asked, sampling=sampling, seed=seed, draw=draw))
        return Example.make(
            task="pocket",
            prompt=question.text,
            answer=answer.text.rsplit("#### ", 1)[1],
            completion=answer.text,
            parents=(parent.id,),
        )

    made: dict[str, Example] = {}
    draw = 0
    while len(made) < count:
        rng.shuffle(choice)
        for parent in choice:
            new = asyncio.run(one(parent, draw))
            if new.prompt not in known and len(made) < count:
                made[new.prompt] = new
        draw += 1
    return list(made.values())


def run(job: tuple[str, int, argparse.Namespace]) -> None:
    """One arm and seed: write, train, answer the test; its result goes to a file."""
    arm, seed, settings = job
    file = settings.out / f"{arm}-{seed}.json"
    if file.exists():
        return
    from asft import decoder, student, train

    task = registry.make(
        "task", "pocket", {"salt": settings.salt, "seeds": 2000, "tests": settings.tests, "sample": seed}
    )
    test = registry.make("task", "pocket", {"salt": settings.salt, "tests": settings.tests}).load("test")
    started = time.time()
    which = student.Student(base=settings.student)
    loaded = student.load(which, "cpu")
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        if arm != "base":
            examples = write(task, arm, seed, settings.examples)
            seconds["write"] = time.time() - started
            sft = {"max_steps": settings.steps, "learning_rate": settings.lr}
            which = train.train(loaded, examples, Path(folder), seed=seed, sft=sft).student
            seconds["train"] = time.time() - started - seconds["write"]
            loaded = student.load(which, "cpu")
        before = time.time()
        answers = decoder.answer(loaded, [e.prompt for e in test])
        seconds["answer"] = time.time() - before
    grades = [task.grade(e, a.text).value for e, a in zip(test, answers, strict=True)]
    settings.out.mkdir(parents=True, exist_ok=True)
    right = "".join("1" if grade == 1.0 else "0" for grade in grades)
    file.write_text(json.dumps({"arm": arm, "seed": seed, "seconds": seconds, "right": right}) + "\n")
    accuracy = right.count("1") / len(right)
    print(
        f"{arm} {seed}: {accuracy:.3f}  " + "  ".join(f"{k} {v:.0f} s" for k, v in seconds.items()),
        flush=True,
    )


def interval(values: np.ndarray, rng: np.random.Generator, resamples: int = 2000) -> tuple[float, float]:
    """95% hierarchical bootstrap of the mean of [seed, item], over seeds and over items."""
    seeds, items = values.shape
    means = [
        values[np.ix_(rng.integers(0, seeds, seeds), rng.integers(0, items, items))].mean()
        for _ in range(resamples)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def table(settings: argparse.Namespace) -> str:
    """The figures in Markdown: accuracy by group, gains over base, and the two arms against each other."""
    test = registry.make("task", "pocket", {"salt": settings.salt, "tests": settings.tests}).load("test")
    unmastered = np.array([e.tags["mastered"] == "no" for e in test])

    def right(arm: str, seed: int) -> np.ndarray:
        kept = json.loads((settings.out / f"{arm}-{seed}.json").read_text())["right"]
        return np.array([mark == "1" for mark in kept], dtype=float)

    base = right("base", 0)
    arms = {arm: np.stack([right(arm, seed) for seed in range(settings.seeds)]) for arm in ARMS}
    groups = {"all": np.ones_like(unmastered), "unmastered": unmastered, "mastered": ~unmastered}
    rng = np.random.default_rng(0)

    def shown(values: np.ndarray) -> str:
        low, high = interval(values, rng)
        return f"{100 * values.mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"

    lines = [
        f"Salt {settings.salt}, {len(test)} test problems ({unmastered.mean():.0%} in unmastered families), "
        f"{settings.seeds} seeds, {settings.examples} examples, {settings.steps} steps at {settings.lr:g}. "
        "Points, with 95% hierarchical bootstrap intervals over seeds and items.",
        "",
        "| group | base | random | aimed | random - base | aimed - base | aimed - random | ratio of gains |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, mask in groups.items():
        chosen = {arm: values[:, mask] for arm, values in arms.items()}
        gain = {arm: values - base[mask] for arm, values in chosen.items()}
        ratio = gain["aimed"].mean() / gain["random"].mean()
        cells = [
            f"{100 * base[mask].mean():.1f}",
            *(f"{100 * chosen[arm].mean():.1f}" for arm in ("random", "aimed")),
            shown(gain["random"]),
            shown(gain["aimed"]),
            shown(chosen["aimed"] - chosen["random"]),
            f"{ratio:.2f}" if name == "unmastered" else "",
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--student", default="pocket")
    parser.add_argument("--salt", default="H")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tests", type=int, default=4000)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "pocket_headroom")
    settings = parser.parse_args()
    started = time.time()
    jobs = [("base", 0, settings)] + [(arm, seed, settings) for seed in range(settings.seeds) for arm in ARMS]
    with multiprocessing.get_context("spawn").Pool(settings.workers, maxtasksperchild=1) as pool:
        pool.map(run, jobs, chunksize=1)
    text = table(settings)
    (settings.out / "headroom.md").write_text(text + "\n")
    print(f"\n{text}\n\n{(time.time() - started) / 60:.1f} min")


if __name__ == "__main__":
    main()
