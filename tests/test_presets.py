"""Presets: each loads, says where it is from, and runs as an arm on the nano recipe."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from asft import loop, recipe, student
from asft.progress import Progress
from asft.rundir import read_jsonl
from asft.starter import recipes

PRESETS = sorted((recipes() / "presets").glob("*.yaml"))
NAMES = [path.stem for path in PRESETS]
NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 1,
    "per_round": 3,
    "task": {"use": "pocket", "seeds": 12, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 48},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
    "filters": [{"use": "well_formed"}],
    "train": {"max_steps": 1},
}
TWO_ROUNDS = {"curriculum", "lion", "self-instruct"}
"""Their second round is made otherwise than the first."""


def run(out: Path, name: str, **changed: Any) -> list[dict[str, Any]]:
    """Run a preset as an arm of the nano recipe; the summaries of its rounds."""
    laid = recipe.overlay({**NANO, **changed}, recipe.preset(name))
    if laid["criterion"]["use"] == "ensemble_variance":
        laid["criterion"] = {**laid["criterion"], "members": 2}
    if laid["criterion"]["use"] == "reward":
        laid["criterion"] = {**laid["criterion"], "model": reward_model(out.parent / "reward")}
    with (out.parent / "progress.txt").open("a") as told:
        made = recipe.read(laid)
        return loop.run(made, out, source="", command=["asft"], redo=None, progress=Progress(told))[1:]


def reward_model(folder: Path) -> str:
    """A reward model with random weights."""
    tokenizer = student.load(student.Student(), "cpu").tokenizer
    torch.manual_seed(4)
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_labels": 1,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model: Any = LlamaForSequenceClassification(LlamaConfig(**settings))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def prompts_of(out: Path, number: int) -> list[str]:
    return [row["prompt"] for row in read_jsonl(out / f"round-{number:02d}" / "dataset.jsonl")]


def test_the_presets_of_the_field_are_there() -> None:
    assert set(NAMES) >= {
        *("static", "random", "active-loss", "active-reward", "active-judge", "active-badge", "llm2llm"),
        *("lion", "self-instruct", "active-synthesis", "adde-text", "static-filtered"),
        *("curriculum", "real-only", "pool-uncertainty"),
    }


@pytest.mark.parametrize("path", PRESETS, ids=NAMES)
def test_a_preset_runs_alone_on_the_quickstart_and_names_its_source(path: Path) -> None:
    made = recipe.load(path)
    assert made.name == path.stem
    assert made.settings["task"]["use"] == "pocket"
    assert made.rounds * made.per_round == 510
    comment = path.read_text().partition("extends:")[0]
    assert comment.startswith(f"# {path.stem.removesuffix('-offline').removesuffix('-ensemble')}")
    assert "Source: " in comment or "extends: ../" not in path.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_runs_as_an_arm_and_tells_its_yield(name: str, tmp_path: Path) -> None:
    rounds = 2 if name in TWO_ROUNDS else 1
    done = run(tmp_path / "run", name, rounds=rounds)
    assert len(done) == rounds
    for figures in done:
        funnel = figures["funnel"]
        out = sum(n for by_reason in funnel["dropped"].values() for n in by_reason.values())
        assert 1 <= funnel["kept"] <= 3
        assert funnel["drafts"] == funnel["kept"] + out + sum(funnel["no_draft"].values())
        assert [one["filter"] for one in funnel["filters"]]


def test_real_data_alone_is_the_seeds_themselves_and_costs_no_request(tmp_path: Path) -> None:
    made = recipe.read(NANO)
    seeds = {seed.prompt: seed.completion for seed in made.task.load("seed")}
    for name in ("real-only", "pool-uncertainty"):
        [figures] = run(tmp_path / name, name)
        rows = read_jsonl(tmp_path / name / "round-01" / "dataset.jsonl")
        assert len({row["prompt"] for row in rows}) == 3
        assert all(seeds[row["prompt"]] == row["completion"] for row in rows)
        assert {row["role"] for row in figures["ledger"]} <= {"student"}


@pytest.mark.slow
def test_static_in_five_rounds_accepts_what_it_accepts_in_one_batch(tmp_path: Path) -> None:
    # 50 of 30 seeds: their order is gone round nearly twice.
    few = {
        "task": {"use": "pocket", "seeds": 30, "tests": 2},
        "student": {"base": "pocket", "max_new_tokens": 8},
    }
    run(tmp_path / "batch", "static", rounds=1, per_round=50, **few)
    run(tmp_path / "rounds", "static", rounds=5, per_round=10, **few)
    batch = prompts_of(tmp_path / "batch", 1)
    assert len(batch) == 50
    for number in range(1, 6):
        assert prompts_of(tmp_path / "rounds", number) == batch[: 10 * number]


def test_static_that_is_filtered_by_the_base_is_nested_too(tmp_path: Path) -> None:
    # A student that is trained so would find other drafts hard than the base does.
    few = {
        "task": {"use": "pocket", "seeds": 20, "tests": 2},
        "train": {"max_steps": 8, "learning_rate": 0.02},
    }
    run(tmp_path / "batch", "static-filtered-offline", rounds=1, per_round=6, **few)
    done = run(tmp_path / "rounds", "static-filtered-offline", rounds=2, per_round=3, **few)
    batch = prompts_of(tmp_path / "batch", 1)
    assert len(batch) == 6
    assert prompts_of(tmp_path / "rounds", 2) == batch
    assert sum(figures["funnel"]["drafts"] for figures in done) > 6


def test_a_curriculum_and_its_control_have_the_same_set_where_both_measure_the_base(tmp_path: Path) -> None:
    base = {"data": {"measured": "base"}, "train": {"max_steps": 4}}
    run(tmp_path / "ordered", "curriculum", rounds=2, **base)
    run(tmp_path / "shuffled", "curriculum-shuffled", rounds=2, **base)
    in_turn = [prompts_of(tmp_path / "ordered", number) for number in (1, 2)]
    assert sorted(in_turn[0] + in_turn[1]) == sorted(prompts_of(tmp_path / "shuffled", 2))
    for number in (1, 2):
        scores = [row["score"] for row in read_jsonl(tmp_path / f"ordered/round-{number:02d}/dataset.jsonl")]
        assert scores == sorted(scores)
    measured = [path.read_bytes() for path in tmp_path.glob("*/round-*/measure.jsonl")]
    assert len(measured) == 4
    assert set(measured) == {measured[0]}
