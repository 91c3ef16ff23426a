"""How fast a student is on this machine, for estimates: a few answers and steps of training, timed."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from asft import decoder, student, train
from asft.recipe import Recipe
from asft.types import Example

ANSWERS = 128
STEPS = (2, 10)
"""Two trainings: what is between them is steps, and nothing of what a training sets up."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds for one of each."""

    answer: float
    step: float
    """Of training."""

    def of(self, recipe: Recipe, seeds: int, tests: int) -> float:
        """About how many seconds a whole run takes, without its teacher."""
        answers = tests * (recipe.rounds + 1)
        steps = 0.0
        for number in range(1, recipe.rounds + 1):
            steps += _steps(recipe, number)
        for need in recipe.needs:
            if need.name == "own":
                answers += seeds * recipe.rounds
            elif need.name == "samples":
                answers += seeds * recipe.rounds * int(need.options["k"])
            elif need.name == "ensemble":
                steps += recipe.rounds * need.options["members"] * need.options["examples"] / 16
        return answers * self.answer + steps * self.step


def measured(recipe: Recipe, seeds: Sequence[Example], threads: int) -> Pace:
    """Time the recipe's student on some seeds of the pool, with as many threads as a run has."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _timed(recipe, seeds)
    finally:
        torch.set_num_threads(before)


def _timed(recipe: Recipe, seeds: Sequence[Example]) -> Pace:
    options = recipe.student
    loaded = student.load(student.Student(base=options.base, revision=options.revision))
    some = [replace(seed, completion=seed.completion or seed.answer) for seed in seeds[:ANSWERS]]
    limit = options.max_new_tokens or decoder.limit(loaded.tokenizer, [one.completion or "" for one in some])
    decoder.answer(loaded, [one.prompt for one in some[:8]], max_new_tokens=limit)
    began = time.monotonic()
    decoder.answer(loaded, [one.prompt for one in some], max_new_tokens=limit)
    answer = (time.monotonic() - began) / len(some)
    took = []
    for steps in STEPS:
        with tempfile.TemporaryDirectory(prefix="asft-pace-") as folder:
            sft = {**recipe.train, "max_steps": steps}
            took.append(train.train(loaded, some, Path(folder), sft=sft, lora=recipe.lora).seconds)
    return Pace(answer=answer, step=max(took[1] - took[0], 0.0) / (STEPS[1] - STEPS[0]))


def _steps(recipe: Recipe, number: int) -> float:
    """Optimiser steps of a round, when all rounds accept what they aim at."""
    fixed = recipe.train.get("max_steps", -1)
    if fixed > 0:
        return float(fixed)
    examples = recipe.per_round * (number if recipe.data.train_on == "all" else 1)
    return float(recipe.train.get("num_train_epochs", 3) * examples / 16)
