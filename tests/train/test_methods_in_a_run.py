"""Whole runs of a nano recipe by each method: measured, trained, evaluated, and gone on from."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from asft import loop, recipe, scorer, scoring, student
from asft.progress import Progress
from asft.rundir import read_json, read_jsonl
from asft.tasks.pocket.task import Pocket

pytestmark = pytest.mark.slow

NANO: dict[str, Any] = {
    "name": "nano",
    "rounds": 2,
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 6, "tests": 4},
    "student": {"max_new_tokens": 40},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
    "train": {"max_steps": 2, "learning_rate": 0.01, "warmup_steps": 0},
    "lora": {"r": 4},
}


def run(out: Path, **changed: Any) -> Path:
    with (out.parent / "told.txt").open("a") as told:
        made = recipe.read({**NANO, **changed})
        loop.run(made, out, source="", command=["asft"], redo=None, progress=Progress(told))
    return out


def scored(out: Path) -> list[float | None]:
    """What `asft score` makes of the run's last student."""
    found = scoring.score(str(out), criteria=[{"use": "loss", "of": "gold"}], limit=3)
    [scores] = found.scores.values()
    return list(scores)


def measured(out: Path, number: int) -> list[float]:
    """The losses of the first references that a round found before it trained."""
    rows = read_jsonl(out / f"round-{number:02d}" / "measure.jsonl")
    return [row["gold"]["nll"] for row in rows[:3]]


def losses(loaded: student.Loaded) -> list[float]:
    """The same, by hand."""
    seeds = Pocket(seeds=6).load("seed")[:3]
    asked = student.prompt_ids(loaded.tokenizer, [one.prompt for one in seeds])
    answers = student.answer_ids(loaded, [one.completion or "" for one in seeds])
    return [one.nll for one in scorer.score(loaded, list(zip(asked, answers, strict=True)))]


def test_a_run_trains_every_weight_and_goes_on_from_the_round_before(tmp_path: Path) -> None:
    out = run(tmp_path / "full", lora=False, data={"start_from": "previous"})
    assert read_json(out / "recipe.lock.json")["lora"] is False
    for number in (1, 2):
        assert student.is_whole(str(out / f"round-{number:02d}" / "adapter"))
        assert read_json(out / f"round-{number:02d}" / "summary.json")["evaluate"]["items"] == 4
    scores = scored(out)
    assert None not in scores
    assert scores != pytest.approx(measured(out, 2), rel=1e-2)


def test_a_run_on_merged_rounds_has_one_adapter_of_all_ranks(tmp_path: Path) -> None:
    out = run(tmp_path / "merged", data={"start_from": "merged", "validation": {"examples": 2}})
    ranks = [read_json(out / f"round-{n:02d}" / "adapter" / "adapter_config.json")["r"] for n in range(1, 3)]
    assert ranks == [4, 8]
    assert None not in scored(out)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
@pytest.mark.parametrize("how", ["nf4", "int8"])
def test_a_run_is_quantised_throughout(tmp_path: Path, how: str) -> None:
    out = run(tmp_path / how, student={"max_new_tokens": 40, "quantise": how})
    found = student.of(str(out))
    assert found.quantise == how
    base = losses(student.load(student.Student(quantise=found.quantise), "cpu"))
    assert measured(out, 1) == pytest.approx(base, rel=1e-3)
    assert measured(out, 1) != pytest.approx(losses(student.load(student.Student(), "cpu")), rel=1e-2)
    assert scored(out) == pytest.approx(losses(student.load(found, "cpu")), rel=1e-3)
