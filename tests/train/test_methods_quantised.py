"""Adapters on a base in 4 or 8 bits."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from asft import quantised, scorer, student, train
from asft.tasks.pocket.task import Pocket
from asft.train import methods
from tests.train.by_hand import LORA, batch, fingerprint, logits

pytestmark = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
WAYS: tuple[quantised.Quantised, ...] = ("nf4", "int8")


@pytest.fixture(scope="module", params=WAYS)
def base(request: pytest.FixtureRequest) -> student.Loaded:
    return student.load(student.Student(quantise=request.param), "cpu")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base whose rows are whole blocks, as those of most models; a CPU with AVX512-BF16 repacks them."""
    folder = tmp_path_factory.mktemp("wide")
    torch.manual_seed(1)
    shape = LlamaConfig(
        vocab_size=904, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4
    )
    model: Any = LlamaForCausalLM(shape)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(student.POCKET).save_pretrained(folder)
    return str(folder)


def norms_of_gradients(loaded: student.Loaded) -> dict[str, float]:
    torch.manual_seed(0)
    model = methods.dress(loaded, None, LORA)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    model.train()
    model(**batch(loaded)).loss.backward()
    found = {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None}
    methods.undress(loaded, model)
    return found


# What bitsandbytes warns of where gradients are wrong; here they are looked at.
@pytest.mark.filterwarnings("ignore:bitsandbytes")
def test_a_forward_without_gradients_changes_no_gradient_of_later_training(wide: str) -> None:
    never = norms_of_gradients(student.load(student.Student(base=wide, quantise="nf4"), "cpu"))
    loaded = student.load(student.Student(base=wide, quantise="nf4"), "cpu")
    before = fingerprint(loaded.model)
    logits(loaded)
    # Two matrices for each of the seven layers of two blocks.
    assert len(never) == 2 * 7 * 2
    assert norms_of_gradients(loaded) == pytest.approx(never, rel=1e-5)
    assert fingerprint(loaded.model) == before


def test_quantised_weights_are_near_the_ones_that_they_stand_for(base: student.Loaded) -> None:
    """A layer that was read with the scales of other blocks is off by three times as much."""
    exact = student.load(student.Student(), "cpu").model
    how = base.student.quantise
    for name, layer in exact.model.layers.named_modules():
        if isinstance(layer, torch.nn.Linear):
            seen = base.model.model.layers.get_submodule(name)(torch.eye(layer.in_features))
            off = (seen.T - layer.weight).norm() / layer.weight.norm()
            assert off < (0.11 if how == "nf4" else 0.02)


def test_norms_in_half_precision_are_raised_while_an_adapter_is_trained(wide: str) -> None:
    model: Any = LlamaForCausalLM.from_pretrained(
        wide,
        dtype=torch.bfloat16,
        quantization_config=quantised.config("nf4", "cpu"),
        device_map={"": "cpu"},
    )
    quantised.mend(model)
    plain = student.load(student.Student(base=wide, quantise="nf4"), "cpu")
    base = replace(plain, model=model.eval())
    before = fingerprint(model)
    dressed = methods.dress(base, None, LORA)
    raised = [weight.dtype for name, weight in model.named_parameters() if "norm" in name]
    assert raised == [torch.float32] * 5
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    assert {w.dtype for w in dressed.parameters() if w.requires_grad} == {torch.float32}
    methods.undress(base, dressed)
    assert fingerprint(model) == before


def test_head_and_embeddings_are_not_quantised(base: student.Loaded) -> None:
    assert type(base.model.get_output_embeddings()) is torch.nn.Linear
    assert base.model.get_input_embeddings().weight.dtype == torch.float32


def test_a_round_that_scores_and_then_trains_leaves_the_base_and_lowers_the_loss(
    base: student.Loaded, tmp_path: Path
) -> None:
    examples = Pocket(seeds=16).load("seed")
    asked = student.prompt_ids(base.tokenizer, [one.prompt for one in examples])
    rows = list(zip(asked, student.answer_ids(base, [one.completion or "" for one in examples]), strict=True))
    before = fingerprint(base.model)

    def loss(loaded: student.Loaded) -> float:
        return sum(one.nll for one in scorer.score(loaded, rows)) / len(rows)

    first = loss(base)
    sft = {"max_steps": 50, "learning_rate": 2e-3, "logging_steps": 10, "per_device_train_batch_size": 4}
    done = train.train(base, examples, tmp_path / "adapter", sft=sft)
    assert fingerprint(base.model) == before
    assert loss(base) == first
    with student.wearing(base, done.student.adapter) as worn:
        assert loss(worn) < 0.5 * first
    assert fingerprint(base.model) == before
    # TRL would round it.
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert student.load(done.student, "cpu").student.quantise == base.student.quantise
