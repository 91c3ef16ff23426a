"""What of a student is trained, by a few steps by hand, and that the base is left as it was."""

import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from peft import PeftModel

from asft import student, train
from asft.errors import DataError
from asft.train import methods
from tests.train.by_hand import EXAMPLES, LORA, batch, fingerprint, logits, losses, trained


@pytest.fixture(scope="module")
def base() -> student.Loaded:
    return student.load(student.Student(), "cpu")


@pytest.fixture(autouse=True)
def _leaves_the_base_as_it_was(base: student.Loaded) -> Any:
    """Whatever a test does with it."""
    before = fingerprint(base.model), base.model.config.to_dict()
    yield
    assert (fingerprint(base.model), base.model.config.to_dict()) == before
    assert not base.model.training
    assert "forward" not in vars(base.model)
    assert not any("lora" in name for name, _ in base.model.named_modules())


# Every weight


def test_full_training_changes_every_weight_of_a_copy(base: student.Loaded, tmp_path: Path) -> None:
    model = methods.dress(base, None, False)
    losses(base, model, 3, lr=1e-3)
    before = dict(base.model.named_parameters())
    unchanged = [name for name, weight in model.named_parameters() if torch.equal(weight, before[name])]
    assert unchanged == []
    methods.undress(base, model)


def test_a_whole_model_is_worn_loaded_and_gone_on_from(base: student.Loaded, tmp_path: Path) -> None:
    first = trained(base, tmp_path / "first", False, lr=1e-3)
    with student.wearing(base, first) as worn:
        once = logits(worn)
        assert worn.student == student.Student(adapter=first)
        assert worn.model.config.use_cache == base.model.config.use_cache
    assert not torch.allclose(once, logits(base), atol=1e-2)
    # No step at all: what is saved is where it started.
    second = trained(base, tmp_path / "second", False, start=Path(first), steps=0)
    assert torch.equal(logits(student.load(student.Student(adapter=second), "cpu")), once)
    # A model like any other.
    assert torch.equal(logits(student.load(student.of(first), "cpu")), once)


def test_a_whole_model_is_kept_in_the_dtype_of_the_base_and_trained_in_float32(tmp_path: Path) -> None:
    loaded = student.load(student.Student(), "cpu")
    loaded.model.to(torch.bfloat16)
    model = methods.dress(loaded, None, False)
    assert model.dtype == torch.float32
    methods.save(loaded, model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text("utf-8"))["dtype"] == "bfloat16"


def test_training_starts_from_what_it_can_go_on_with(base: student.Loaded, tmp_path: Path) -> None:
    whole = trained(base, tmp_path / "whole", False, steps=0)
    adapter = trained(base, tmp_path / "adapter", steps=0)
    with pytest.raises(DataError, match=r"holds a whole model, and LoRA training cannot start from it"):
        methods.dress(base, whole, LORA)
    with pytest.raises(DataError, match=r"holds no whole model, and full training cannot start from it"):
        methods.dress(base, adapter, False)


@pytest.mark.parametrize("lora", [{"r": 4}, False], ids=["lora", "full"])
def test_rounds_leave_no_model_and_no_adapter_in_memory(
    base: student.Loaded, tmp_path: Path, lora: dict[str, Any] | Literal[False]
) -> None:
    def alive() -> tuple[int, int]:
        gc.collect()
        there = [one for one in gc.get_objects() if issubclass(type(one), torch.nn.Module)]
        return sum(type(one) is type(base.model) for one in there), len(there)

    before = alive()
    for number in range(2):
        out = str(tmp_path / f"{number}")
        train.train(base, EXAMPLES, Path(out), sft={"max_steps": 1}, lora=lora)
        with student.wearing(base, out) as worn:
            logits(worn)
        del worn
        assert alive() == before


# LoRA


def test_an_adapter_goes_on_from_the_one_before(base: student.Loaded, tmp_path: Path) -> None:
    first = trained(base, tmp_path / "first")
    second = trained(base, tmp_path / "second", start=Path(first), steps=0)
    with student.wearing(base, first) as one:
        before = logits(one)
    with student.wearing(base, second) as other:
        assert torch.equal(logits(other), before)


def test_what_a_trainer_turns_on_for_checkpointing_is_off_again(base: student.Loaded) -> None:
    model = methods.dress(base, None, LORA)
    model.enable_input_require_grads()
    with student.renamed_checkpointing():
        model.gradient_checkpointing_enable()
    model.config.use_cache = False
    losses(base, model, 1)
    methods.undress(base, model)
    assert not any(getattr(part, "gradient_checkpointing", False) for part in base.model.modules())
    assert not base.model.get_input_embeddings()._forward_hooks


# Merged


@pytest.mark.parametrize("more", [{}, {"use_rslora": True, "lora_alpha": 6}], ids=["plain", "rslora"])
def test_rounds_on_top_of_each_other_are_one_adapter_that_equals_all_of_them_merged(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    loaded = student.load(student.Student(), "cpu")
    loaded.model.double()
    start: Path | None = None
    for number in range(3):
        model = methods.dress(loaded, str(start) if start else None, {**LORA, **more}, merged=True)
        losses(loaded, model, 2)
        model.save_pretrained(str(tmp_path / f"alone{number}"), selected_adapters=[methods.ADAPTER])
        start = tmp_path / f"{number}"
        methods.save(loaded, model, start)
        methods.undress(loaded, model)
        config = json.loads((start / "adapter_config.json").read_text("utf-8"))
        assert config["r"] == 4 * (number + 1)
    with student.wearing(loaded, str(start)) as worn:
        found = logits(worn)
    merged: Any = loaded.model
    for number in range(3):
        merged = PeftModel.from_pretrained(merged, tmp_path / f"alone{number}").merge_and_unload()
    expected = logits(replace(loaded, model=merged))
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)
    assert not torch.allclose(found, logits(student.load(student.Student(), "cpu")).double(), atol=1e-1)


def test_the_adapter_beneath_is_not_trained_and_drops_nothing(base: student.Loaded, tmp_path: Path) -> None:
    lora = {**LORA, "lora_dropout": 0.9}
    # Its settings say that it is dropped, too.
    first = trained(base, tmp_path / "first", lora)
    with student.wearing(base, first) as worn:
        expected = logits(worn)
    model = methods.dress(base, first, lora, merged=True)
    given = batch(base)
    model.train()
    found = model(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
    # A fresh adapter changes nothing yet.
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    wanting = {name.split(".")[-2] for name, weight in model.named_parameters() if weight.requires_grad}
    assert wanting == {methods.ADAPTER}
    below = {name: weight.clone() for name, weight in model.named_parameters() if ".beneath." in name}
    losses(base, model, 2)
    after = dict(model.named_parameters())
    assert below
    assert all(torch.equal(weight, after[name]) for name, weight in below.items())
    methods.undress(base, model)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"bias": "lora_only"}, "trained biases"),
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
    ],
)
def test_what_cannot_be_one_adapter_is_not_trained_on_top_of_another(
    base: student.Loaded, tmp_path: Path, more: dict[str, Any], what: str
) -> None:
    first = trained(base, tmp_path / "first", steps=0)
    with pytest.raises(DataError, match=f"start_from: merged: the recipe has {what}, which cannot be merged"):
        methods.dress(base, first, {**LORA, **more}, merged=True)
    other = trained(base, tmp_path / "other", {**LORA, "target_modules": ["q_proj"]}, steps=0)
    with pytest.raises(DataError, match=r"other is on other layers than the recipe's lora.target_modules"):
        methods.dress(base, other, LORA, merged=True)
