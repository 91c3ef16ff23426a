"""The pocket task: its splits, salts and tags, and that they are the same everywhere and for ever."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from asft.errors import DataError, PluginError
from asft.registry import make
from asft.tasks.pocket import language
from asft.tasks.pocket.families import FAMILIES
from asft.tasks.pocket.program import Program, bucket, solve
from asft.tasks.pocket.task import MASTERED, SALTS, SPLITS, STUDENT, TRAINING_BUCKETS, Pocket, Salt
from asft.types import Example


@cache
def loaded(salt: Salt = "A", split: str = "seed", count: int = 300, sample: int = 0) -> tuple[Example, ...]:
    task = Pocket(salt=salt, seeds=count, validation=count, tests=count, sample=sample)
    return tuple(task.load(split))


def program_of(example: Example) -> Program:
    program = language.parse(example.prompt)
    assert program is not None
    return program


def instance(example: Example) -> Program:
    """Its program, whatever the wordings."""
    program = program_of(example)
    return replace(program, wording=0, steps=tuple(replace(step, wording=0) for step in program.steps))


def test_an_example_holds_its_problem_its_answer_and_its_work() -> None:
    for example in loaded():
        program = program_of(example)
        assert example.prompt == language.question(program)
        assert example.answer == str(solve(program))
        assert example.completion == language.work(program)
        assert example.task == "pocket"
        assert (example.parents, example.round) == ((), 0)


def test_the_splits_have_the_sizes_that_are_set() -> None:
    task = Pocket(seeds=7, validation=5, tests=3)
    assert [len(task.load(split)) for split in SPLITS] == [7, 5, 3]
    assert list(Pocket(seeds=0).load("seed")) == []


@pytest.mark.parametrize("split", ["train", "", "Seed", "dev"])
def test_another_split_is_an_error_that_names_the_splits(split: str) -> None:
    with pytest.raises(DataError, match=f"no split '{split}'; splits: seed, validation, test"):
        Pocket().load(split)


@pytest.mark.parametrize("options", [{"salt": "Q"}, {"seeds": -1}, {"rare": 0.6}, {"salt": "AB"}])
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(PluginError, match=next(iter(options))):
        make("task", "pocket", options)


def test_salts_and_splits_share_no_instance() -> None:
    salts: tuple[Salt, ...] = ("A", "B", "P")
    sets = {
        (salt, split): {instance(e) for e in loaded(salt, split, 100)} for salt in salts for split in SPLITS
    }
    names = list(sets)
    assert all(sets[a].isdisjoint(sets[b]) for i, a in enumerate(names) for b in names[:i])
    assert sum(map(len, sets.values())) > 800


def test_every_salt_and_split_owns_one_bucket_and_the_student_all_others() -> None:
    owned = set()
    for salt in SALTS:
        task = make("task", "pocket", {"salt": salt, "seeds": 3, "validation": 3, "tests": 3})
        for split in SPLITS:
            [only] = {bucket(program_of(example)) for example in task.load(split)}
            owned.add(only)
    assert len(owned) == 48
    assert owned | TRAINING_BUCKETS == set(range(64))
    assert owned.isdisjoint(TRAINING_BUCKETS)


def test_no_example_stands_twice_in_a_split() -> None:
    assert len({example.id for example in loaded(count=3000)}) == 3000


def test_a_larger_split_starts_with_the_smaller_one() -> None:
    assert loaded(count=3000)[:300] == loaded(count=300)
    assert loaded(count=300)[:1] == loaded(count=1)


def test_the_size_of_one_split_does_not_change_another() -> None:
    alone = Pocket(seeds=20, tests=0, validation=0).load("seed")
    assert tuple(alone) == loaded(count=300)[:20]


def test_another_sample_is_another_pool_before_the_same_test() -> None:
    assert loaded(split="seed", count=20) != loaded(split="seed", count=20, sample=1)
    for split in ("validation", "test"):
        assert loaded(split=split, count=20) == loaded(split=split, count=20, sample=1)


def test_samples_of_a_salt_differ_and_lie_in_the_same_bucket() -> None:
    first, second = loaded(count=50), loaded(count=50, sample=1)
    assert {e.id for e in first} != {e.id for e in second}
    assert len({bucket(program_of(e)) for e in (*first, *second)}) == 1


def test_the_same_arguments_give_the_same_examples_in_every_process() -> None:
    program = (
        "from asft.tasks.pocket.task import Pocket\n"
        "examples = Pocket(salt='C', validation=100).load('validation')\n"
        "import json; print(json.dumps([[e.id, e.prompt, e.completion, dict(e.tags)] for e in examples]))"
    )
    here = [
        [e.id, e.prompt, e.completion, dict(e.tags)]
        for e in Pocket(salt="C", validation=100).load("validation")
    ]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == here


def test_the_families_are_the_same_in_every_salt_and_split() -> None:
    for examples in (loaded(count=3000), loaded("B", "seed", 2000), loaded("B", "test", 2000)):
        assert {name for e in examples for name in e.tags["families"].split("+")} == set(FAMILIES)


def test_families_are_about_as_frequent_in_one_salt_as_in_another() -> None:
    one = Counter(e.tags["family"] for e in loaded(count=3000)[:600])
    two = Counter(e.tags["family"] for e in loaded("B", "seed", 600))
    for name in FAMILIES:
        # The difference of two counts of some k has the standard deviation sqrt(2 k).
        assert abs(one[name] - two[name]) <= 5 * (one[name] + two[name] + 1) ** 0.5


def test_the_tags_say_what_a_problem_is_made_of() -> None:
    measured = json.loads((STUDENT / "mastery.json").read_text("utf-8"))
    for example in loaded(split="test"):
        program = program_of(example)
        tags = dict(example.tags)
        assert tags["families"] == "+".join(program.families)
        assert tags["steps"] == str(language.work(program).count("\n"))
        assert tags["split"] == "test"
        least = min(measured[name] for name in program.families)
        assert tags["family"] in program.families
        assert measured[tags["family"]] == least
        assert tags["mastered"] == ("yes" if least >= MASTERED else "no")
        assert set(tags) == {"families", "family", "mastered", "steps", "split"}


def test_the_student_was_measured_on_every_family() -> None:
    measured = json.loads((STUDENT / "mastery.json").read_text("utf-8"))
    assert set(FAMILIES) <= set(measured)
    assert all(0.0 <= measured[name] <= 1.0 for name in FAMILIES)


def test_long_problems_are_at_most_a_twentieth_of_the_pool() -> None:
    steps = Counter(int(example.tags["steps"]) for example in loaded(count=3000))
    assert set(steps) == {1, 2, 3, 4, 5, 6}
    assert steps[5] + steps[6] <= 150


def test_the_shares_of_uncommon_and_rare_problems_are_options() -> None:
    def share(group: str, uncommon: float, rare: float) -> float:
        examples = Pocket(seeds=300, uncommon=uncommon, rare=rare).load("seed")
        families = [example.tags["families"].split("+") for example in examples]
        return sum(any(FAMILIES[name].group == group for name in names) for names in families) / 300

    assert share("rare", 0.1, 0.0) == share("uncommon", 0.0, 0.4) == 0.0
    assert share("rare", 0.5, 0.5) + share("uncommon", 0.5, 0.5) == 1.0
    # 300 draws at 0.4, standard deviation 0.028
    assert 0.28 <= share("rare", 0.1, 0.4) <= 0.52


def test_the_check_at_length_runs_and_finds_nothing() -> None:
    script = Path(__file__).parents[2] / "scripts" / "check_pocket.py"
    done = subprocess.run(
        [sys.executable, str(script), "--problems", "100"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("100 problems read back exactly")
