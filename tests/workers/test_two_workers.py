"""A run with two real workers gives what one process gives; one that is killed costs a step."""

import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from asft import loop, recipe, steps
from asft.errors import DataError, RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.rundir import RunDir, read_json, read_jsonl
from asft.train import methods
from asft.workers.ranks import Ranks

pytestmark = pytest.mark.slow

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 1,
    "per_round": 6,
    "student": {"base": "pocket"},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "kcenter"},
    "writer": {"use": "question_then_answer"},
    "filters": [{"use": "well_formed"}, {"use": "still_uncertain", "above": 0.0}],
    # 6 and 3 are no whole numbers of batches for two processes, so epochs and evaluations end unevenly.
    "data": {"validation": {"examples": 3, "patience": None}},
    "train": {"max_steps": 10, "logging_steps": 1, "eval_strategy": "steps", "eval_steps": 5},
}
ENOUGH = 1e-4
"""Nats that losses may differ by."""


def read(out: Path, **changed: Any) -> recipe.Recipe:
    task = {"use": f"{Path(__file__).with_name('plugged.py')}:Deadly", "deadly": str(out.parent / "deadly")}
    return recipe.read({**NANO, "task": task, **changed})


def run(out: Path, **changed: Any) -> None:
    with (out.parent / "progress.txt").open("a") as told:
        made = read(out, **changed)
        loop.run(made, out, source="", command=["asft"], redo=None, progress=Progress(told, every=0.0))


def workers_alive(mark: str) -> list[str]:
    """The processes that were started with this in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in environment:
            found.append(process.name)
    return found


def test_a_step_that_they_cannot_share_out_is_refused_before_one_is_started(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be shared out among 3 workers"):
        run(tmp_path / "run", workers={"processes": 3})
    assert not (tmp_path / "run" / "logs").exists()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One process, and two workers of which one is killed on the way."""
    folder = tmp_path_factory.mktemp("runs")
    run(folder / "one")
    (folder / "deadly").touch()
    mark = f"{folder}/mark"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setenv("ASFT_TESTS", mark)
        with pytest.raises(RunError, match="worker 1 was killed by SIGKILL in the middle of 'evaluate'"):
            run(folder / "two", workers={"processes": 2})
        assert workers_alive(mark) == []
        run(folder / "two", workers={"processes": 2})
    assert workers_alive(mark) == []
    return folder / "one", folder / "two"


def test_the_picks_and_the_training_set_are_the_same(runs: tuple[Path, Path]) -> None:
    one, two = (folder / "round-01" for folder in runs)
    assert (one / "dataset.jsonl").read_bytes() == (two / "dataset.jsonl").read_bytes()
    picks = [read_jsonl(folder / "select.jsonl") for folder in (one, two)]
    assert len(picks[0]) == 24
    for ours, theirs in zip(*picks, strict=True):
        assert {**ours, "score": None} == {**theirs, "score": None}
        assert ours["score"] == pytest.approx(theirs["score"], abs=ENOUGH)


def test_the_losses_of_ten_steps_are_the_same(runs: tuple[Path, Path]) -> None:
    one, two = (read_json(folder / "round-01" / "train.json") for folder in runs)
    assert len(one["losses"]) == 10
    assert two["losses"] == pytest.approx(one["losses"], abs=ENOUGH)


def test_the_tokens_that_are_trained_on_are_the_same(runs: tuple[Path, Path]) -> None:
    one, two = (read_json(folder / "round-01" / "train.json") for folder in runs)
    assert one["tokens_seen"] == 10 * one["tokens"], "one step is one pass"
    assert two["tokens_seen"] == one["tokens_seen"]


def test_the_losses_in_validation_are_the_same(runs: tuple[Path, Path]) -> None:
    one, two = (read_json(folder / "round-01" / "train.json")["validation"]["losses"] for folder in runs)
    assert [step for step, _ in one] == [step for step, _ in two] == [5, 10]
    assert [loss for _, loss in two] == pytest.approx([loss for _, loss in one], abs=ENOUGH)


def test_the_first_alone_keeps_what_they_train(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    monkeypatch.setattr(methods, "save", lambda loaded, model, out: kept.append(out))
    there = shutil.copytree(runs[0], tmp_path / "run")
    for rank in (1, 0):
        with RunDir(there) as where, Journal(tmp_path / "journal.sqlite") as journal:
            line = steps.Line(
                recipe=read(there, train={"max_steps": 1}),
                dir=where,
                journal=journal,
                progress=Progress(io.StringIO()),
                begin=lambda: None,
                ranks=Ranks(rank=rank, count=2),
            )
            steps.train(line, 1)
    assert kept == [there / "round-01" / "adapter"]


def test_the_answers_to_the_test_split_stand_in_its_order(runs: tuple[Path, Path]) -> None:
    for number in (0, 1):
        one, two = (read_jsonl(folder / f"round-0{number}" / "evaluate.jsonl") for folder in runs)
        assert [row["example_id"] for row in one] == [row["example_id"] for row in two]
        assert [row["text"] for row in one] == [row["text"] for row in two]


def test_steps_are_known_by_the_same_settings(runs: tuple[Path, Path]) -> None:
    one, two = runs
    manifests = sorted(path.relative_to(one) for path in one.glob("round-*/*.manifest.json"))
    assert len(manifests) == 6
    for path in manifests:
        assert read_json(one / path)["settings"] == read_json(two / path)["settings"], path


def test_run_json_tells_how_many_they_are(runs: tuple[Path, Path]) -> None:
    one, two = (read_json(folder / "run.json") for folder in runs)
    assert "workers" not in one["hardware"]
    assert two["hardware"]["workers"] == 2
    assert two["changes"] == []


def test_the_run_goes_on_in_one_process(runs: tuple[Path, Path]) -> None:
    """Which is told, and makes no finished step anew."""
    _, two = runs
    before = (two / "round-01" / "train.manifest.json").stat().st_mtime_ns
    run(two, rounds=2)
    assert (two / "round-01" / "train.manifest.json").stat().st_mtime_ns == before
    [mark] = read_json(two / "run.json")["changes"]
    assert mark["other"] == ["hardware.workers was 2, now None"]


def test_what_the_workers_do_is_told_as_if_they_were_this_process(runs: tuple[Path, Path]) -> None:
    told = (runs[0].parent / "progress.txt").read_text()
    assert told.count("round 1: train  6 examples, 10 steps") >= 2
