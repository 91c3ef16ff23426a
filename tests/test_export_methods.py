"""`asft export` of students that were trained whole, or on quantised weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from asft import export, loop, recipe, student
from asft.cli import main
from asft.errors import RunError
from asft.progress import Progress
from asft.rundir import clear, digest, read_json, write_json

NANO: dict[str, Any] = {
    "name": "nano",
    "rounds": 1,
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 4, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 40},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
    "train": {"max_steps": 2, "learning_rate": 0.01, "warmup_steps": 0},
}
QUESTION = "Amy has 3 apples and gets 4 more. How many has she now?"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "nano"
    with (out.parent / "told.txt").open("w") as told:
        loop.run(recipe.read(NANO), out, source="", command=["asft"], redo=None, progress=Progress(told))
    return out


@pytest.fixture(scope="module")
def whole(run: Path) -> Path:
    """The same run, had it trained every weight."""
    changed = Path(shutil.copytree(run, run.with_name("whole")))
    folder = changed / "round-01" / "adapter"
    base = student.load(student.Student(adapter=str(folder)), "cpu")
    merged: Any = base.model.merge_and_unload()
    clear(folder)
    merged.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    manifest = read_json(changed / "round-01" / "train.manifest.json")
    manifest["outputs"]["adapter"] = digest(folder)
    write_json(changed / "round-01" / "train.manifest.json", manifest)
    _say(changed, lora=False)
    return changed


def _say(run: Path, **settings: Any) -> None:
    write_json(run / "recipe.lock.json", {**read_json(run / "recipe.lock.json"), **settings})


def exported(run: Path, out: Path, **options: Any) -> str:
    told = out.parent / "told.txt"
    with told.open("a") as file:
        export.export(run, out, progress=Progress(file), **options)
    return told.read_text("utf-8")


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor(student.prompt_ids(tokenizer, [QUESTION]))).logits
    return found


def test_a_model_that_was_trained_whole_is_exported_as_it_is(whole: Path, tmp_path: Path) -> None:
    told = exported(whole, tmp_path / "out", parts=export.PARTS)
    assert "Round 1 trained every weight (lora: false): it has no adapter, and `merged` is the model" in told
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["data", "export.json", "lm-eval", "merged"]
    model = AutoModelForCausalLM.from_pretrained(out / "merged").eval()
    tokenizer = AutoTokenizer.from_pretrained(out / "merged")
    assert not hasattr(model, "peft_config")
    base = student.load(student.Student(), "cpu")
    with student.wearing(base, str(whole / "round-01" / "adapter")) as worn:
        assert torch.equal(logits(model, tokenizer), logits(worn.model, worn.tokenizer))
    card = (out / "merged" / "README.md").read_text("utf-8")
    assert "| method | full finetuning: every weight was trained |" in card
    assert "lora" not in card


def test_an_adapter_that_is_not_there_is_refused_where_it_is_asked_for(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"trained every weight .*no adapter; export the model with --only merged"
    ):
        exported(whole, tmp_path / "out", parts=["adapter", "data"])
    assert not (tmp_path / "out").exists()


def test_the_cards_of_a_quantised_student_say_what_was_measured(run: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(run, tmp_path / "run"))
    _say(changed, student={**read_json(run / "recipe.lock.json")["student"], "quantise": "nf4"})
    exported(changed, tmp_path / "out", parts=["adapter", "merged", "lm-eval"])
    for part in ("adapter", "merged"):
        card = (tmp_path / "out" / part / "README.md").read_text("utf-8")
        assert "| method | QLoRA: LoRA on the base in NF4, with double quantisation |" in card
        assert "It was trained and measured on its base in nf4 (bitsandbytes)" in card
    told = (tmp_path / "out" / "lm-eval" / "README.md").read_text("utf-8")
    assert "The run's student has its base in nf4; the merged model has not." in told
    # The merged model is the base as it is, and needs no bitsandbytes.
    config = json.loads((tmp_path / "out" / "merged" / "config.json").read_text("utf-8"))
    assert "quantization_config" not in config


def test_the_student_of_a_run_is_quantised_as_the_run_was(run: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(run, tmp_path / "run"))
    about = read_json(run / "run.json")
    write_json(changed / "run.json", {**about, "student": {**about["student"], "quantise": "int8"}})
    found = student.of(str(changed))
    assert found == student.Student(quantise="int8", adapter=str(changed / "round-01" / "adapter"))


def test_a_run_that_trained_every_weight_is_evaluated_by_its_name(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(whole)]) == 0
    accuracy = read_json(whole / "round-01" / "summary.json")["evaluate"]["accuracy"]
    assert f"{100 * accuracy:.1f}%" in capsys.readouterr().out
