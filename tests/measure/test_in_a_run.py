"""Measurements that a run has to help with: what to train with, and what was accepted before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asft import loop, recipe
from asft.errors import RunError
from asft.progress import Progress
from asft.rundir import read_json, read_jsonl

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 2,
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 5, "tests": 2},
    "student": {"base": "pocket", "max_new_tokens": 40},
    "teacher": {"use": "rules"},
    "criterion": {"use": "bald", "members": 2, "examples": 3},
    "selector": {"use": "kcenter"},
    "writer": {"use": "question_then_answer"},
    "train": {"max_steps": 1},
}


def run(out: Path, **changed: Any) -> None:
    made = recipe.read({**NANO, **changed})
    with (out.parent / "progress.txt").open("a") as told:
        loop.run(made, out, source="", command=["asft"], redo=None, progress=Progress(told))


def test_an_ensemble_and_embeddings_in_a_run_of_two_rounds(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out)
    for number in (1, 2):
        folder = out / f"round-0{number}"
        arrays = {path.stem: np.load(path) for path in (folder / "arrays").glob("*.npy")}
        assert arrays["ensemble_nll"].shape == (5, 2)
        assert np.isfinite(arrays["ensemble_nll"]).all()
        # Nothing is accepted before round 1, and two examples before round 2.
        assert len(arrays["accepted_embedding"]) == 2 * (number - 1)
        assert all(row["signals"]["bald"] >= 0 for row in read_jsonl(folder / "measure.jsonl"))
        settings = read_json(folder / "measure.manifest.json")["settings"]
        assert settings["train"] == {"max_steps": 1}
        assert {"seed", "lora"} <= set(settings)
    costs = (out / "logs" / "needs.jsonl").read_text().splitlines()
    assert [json.loads(line)["need"] for line in costs] == ["own", "embedding", "ensemble"] * 2

    run(out)
    assert (out / "logs" / "needs.jsonl").read_text().splitlines() == costs
    with pytest.raises(RunError, match="measure"):
        run(out, train={"max_steps": 2})
