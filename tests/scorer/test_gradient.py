"""The gradient by the head's weights: its norm and its sketch, beside autograd in float64."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from asft import scorer, student
from asft.scorer import Row
from asft.scorer.body import Apart, network
from asft.scorer.gradient import Gradient, Sketch, gradients
from asft.scorer.head import Head
from asft.tasks.pocket.task import Pocket

VOCAB = 2500
"""More than one piece of the vocabulary."""


def tiny(kind: str, **settings: Any) -> student.Loaded:
    config = AutoConfig.for_model(
        kind,
        **{
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "initializer_range": 0.3,
            "pad_token_id": 0,
            "tie_word_embeddings": False,
            **settings,
        },
    )
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(config).eval()
    return student.Loaded(student=student.Student(base=kind), model=model, tokenizer=None)


def rows(count: int, seed: int = 0) -> list[Row]:
    made = np.random.default_rng(seed)
    return [
        (
            made.integers(1, VOCAB, made.integers(1, 20)).tolist(),
            made.integers(1, VOCAB, made.integers(1, 25)).tolist(),
        )
        for _ in range(count)
    ]


def by_autograd(model: Any, row: Row) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The gradient of the answer's nll by the head's weights, `[vocab, d]`, as torch makes it."""
    prompt, answer = row
    model = copy.deepcopy(model).double()
    # The head alone: of tied weights, the embedding has a gradient of its own.
    head = model.get_output_embeddings()
    head = getattr(head, "base_layer", head)
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0]
    log_p = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
    nll = -log_p[torch.arange(len(answer)), torch.tensor(answer)].sum()
    [made] = torch.autograd.grad(nll, [head.weight])
    return np.asarray(made.numpy())


def found(
    loaded: student.Loaded, given: list[Row], *, dims: int = 4096, seed: int = 0, **settings: Any
) -> list[Gradient]:
    def work(model: Any, batch: Any) -> list[Gradient]:
        assert isinstance(model, Apart)
        return gradients(model, batch, dims=dims, seed=seed)

    return scorer.in_batches(loaded, given, work, **settings)[0]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True}),
        ("qwen2", {}),
        ("phi", {}),
        ("gemma2", {"head_dim": 8, "sliding_window": 8, "final_logit_softcapping": 5.0}),
        ("cohere", {"logit_scale": 0.3}),
    ],
)
def test_norm_and_sketch_are_those_of_the_gradient_by_autograd(kind: str, settings: dict[str, Any]) -> None:
    loaded, given = tiny(kind, **settings), rows(7)
    made = found(loaded, given, batch_tokens=120)
    head = network(loaded.model, given[0])
    assert isinstance(head, Apart)
    sketch = Sketch.of(head.head, dims=4096, seed=0)
    for row, one in zip(given, made, strict=True):
        exact = by_autograd(loaded.model, row)
        assert one.norm == pytest.approx(float(np.linalg.norm(exact)), rel=1e-5)
        assert one.sketch.dtype == np.float32
        np.testing.assert_allclose(one.sketch, naive_sketch(sketch, exact), atol=1e-4 * one.norm, rtol=0)


def naive_sketch(
    sketch: Sketch, matrix: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Each entry with its sign to its place, one after the other."""
    (places, signs), (more_places, more_signs) = (
        [part.numpy() for part in parts] for parts in (sketch.vocab, sketch.width)
    )
    made = np.zeros(sketch.dims)
    where = (places[:, None] + more_places) % sketch.dims
    np.add.at(made, where, matrix * signs[:, None] * more_signs)
    return made


@pytest.mark.parametrize("lora", [{"target_modules": "all-linear"}, {"target_modules": ["lm_head"]}])
def test_an_adapter_counts(lora: dict[str, Any]) -> None:
    loaded, given = tiny("llama"), rows(4)
    torch.manual_seed(6)
    config = LoraConfig(r=4, lora_alpha=24, init_lora_weights=False, task_type="CAUSAL_LM", **lora)
    worn = replace(loaded, model=get_peft_model(loaded.model, config).eval())
    for row, one in zip(given, found(worn, given), strict=True):
        exact = by_autograd(worn.model, row)
        assert one.norm == pytest.approx(float(np.linalg.norm(exact)), rel=1e-5)


def test_a_token_that_is_all_but_certain_keeps_an_exact_gradient() -> None:
    loaded = tiny("llama")
    with torch.no_grad():
        loaded.model.lm_head.weight *= 40
    prompt = [5, 6, 7]
    with torch.inference_mode():
        token = int(loaded.model(input_ids=torch.tensor([prompt])).logits[0, -1].argmax())
    exact = by_autograd(loaded.model, (prompt, [token]))
    [one] = found(loaded, [(prompt, [token])])
    # Its p is 1 in float32: p - 1 would be 0.
    assert 0 < np.linalg.norm(exact) < 1e-6
    assert one.norm == pytest.approx(float(np.linalg.norm(exact)), rel=1e-3)


def test_inner_products_of_sketches_are_on_average_those_of_the_matrices() -> None:
    rng = np.random.default_rng(1)
    head = Head(weight=torch.zeros(30, 7), bias=None, updates=())
    a, b = (rng.standard_normal((3, 30, 7)).sum(0) for _ in range(2))
    b += 0.5 * a
    dims, seeds = 64, 2000
    products = []
    for seed in range(seeds):
        sketch = Sketch.of(head, dims=dims, seed=seed)
        products.append(float(naive_sketch(sketch, a) @ naive_sketch(sketch, b)))
    bound = np.sqrt(11 / dims) * np.linalg.norm(a) * np.linalg.norm(b)
    assert np.std(products) < bound
    # Four standard errors; a sketch that is off by its own norm would be seen.
    assert np.mean(products) == pytest.approx(float((a * b).sum()), abs=4 * np.std(products) / np.sqrt(seeds))
    assert (a * b).sum() > 20 * np.std(products) / np.sqrt(seeds)


def test_inner_products_of_the_pocket_student_s_references_are_near_the_exact_ones() -> None:
    loaded = student.load(student.Student(), "cpu")
    examples = Pocket(seeds=12).load("seed")
    asked = student.prompt_ids(loaded.tokenizer, [e.prompt for e in examples])
    answers = student.answer_ids(loaded, [e.completion or "" for e in examples])
    given: list[Row] = list(zip(asked, answers, strict=True))
    exact = np.stack([by_autograd(loaded.model, row).ravel() for row in given])
    made = found(loaded, given)
    norms = np.linalg.norm(exact, axis=1)
    assert [one.norm for one in made] == pytest.approx(norms.tolist(), rel=1e-4)
    sketches = np.stack([one.sketch for one in made])
    off = (sketches @ sketches.T - exact @ exact.T) / np.outer(norms, norms)
    # Of 4096 dims, the bound on the standard deviation is sqrt(11 / 4096) = 0.052.
    assert np.sqrt((off**2).mean()) < 0.052
    assert np.abs(off).max() < 4 * 0.052


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_sketch() -> None:
    loaded, given = tiny("qwen2"), rows(5)
    one, same, other = (found(loaded, given, dims=256, seed=seed) for seed in (3, 3, 4))
    for a, b, c in zip(one, same, other, strict=True):
        assert a.sketch.tobytes() == b.sketch.tobytes()
        assert a.norm == b.norm == pytest.approx(c.norm, rel=1e-6)
        assert not np.allclose(a.sketch, c.sketch)


def test_order_and_batches_change_nothing_but_rounding() -> None:
    loaded, given = tiny("qwen2"), rows(6)
    straight, alone = found(loaded, given), found(loaded, given[::-1], batch_tokens=1)[::-1]
    for a, b in zip(straight, alone, strict=True):
        np.testing.assert_allclose(a.sketch, b.sketch, atol=1e-4 * a.norm)


def test_half_precision_gives_float32_near_the_exact_gradient() -> None:
    loaded, given = tiny("llama"), rows(5)
    exact = [float(np.linalg.norm(by_autograd(loaded.model, row))) for row in given]
    made = found(replace(loaded, model=loaded.model.bfloat16()), given)
    assert [one.sketch.dtype for one in made] == [np.float32] * 5
    assert [one.norm for one in made] == pytest.approx(exact, rel=0.05)
