import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from asft import scorer, student
from asft.scorer import Plan, Row, Tokens
from asft.scorer.body import Apart, Whole, network, statistics
from asft.scorer.plan import tokens
from asft.tasks.pocket.task import Pocket

VOCAB = 2500
"""More than one piece of the vocabulary."""


@pytest.fixture(scope="module")
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


def tiny(kind: str, **settings: Any) -> student.Loaded:
    """A random model of a kind; its logits are large enough for what bends them to show."""
    config = AutoConfig.for_model(
        kind,
        **{
            "vocab_size": VOCAB,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "initializer_range": 0.5,
            "pad_token_id": 0,
            **settings,
        },
    )
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        # Biases begin as 0, which would hide them.
        if parameter.ndim == 1:
            parameter.data += 0.2 * torch.randn_like(parameter)
    return student.Loaded(student=student.Student(base=kind), model=model, tokenizer=None)


def rows(count: int, seed: int = 0, prefix: Sequence[int] = ()) -> list[Row]:
    made = np.random.default_rng(seed)
    return [
        (
            [*prefix, *made.integers(1, VOCAB, made.integers(1, 20)).tolist()],
            made.integers(1, VOCAB, made.integers(1, 25)).tolist(),
        )
        for _ in range(count)
    ]


def naive(model: Any, row: Row) -> tuple[list[float], list[float], list[float]]:
    """nll, entropy and margin of each answer token by the model's own logits in float64, one by one."""
    prompt, answer = row
    with torch.inference_mode():
        made = copy.deepcopy(model).double()(input_ids=torch.tensor([[*prompt, *answer]])).logits[0]
    logits = made[-len(prompt) - len(answer) :]
    nll, entropy, margin = [], [], []
    for position, token in enumerate(answer, start=len(prompt)):
        log_p = torch.log_softmax(logits[position - 1], dim=-1)
        nll.append(-log_p[token].item())
        entropy.append(-sum(math.exp(x) * x for x in log_p.tolist() if x > -math.inf))
        best = sorted(log_p.tolist())
        margin.append(best[-1] - best[-2])
    return nll, entropy, margin


def agree(model: Any, given: Sequence[Row], found: Sequence[Tokens], within: float = 1e-4) -> None:
    assert len(found) == len(given)
    for row, made in zip(given, found, strict=True):
        for values, expected in zip((made.nll, made.entropy, made.margin), naive(model, row), strict=True):
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, expected, atol=within, rtol=0)


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {}),
    ("llama", {"tie_word_embeddings": True}),
    ("qwen2", {}),
    ("qwen3", {"head_dim": 8}),
    ("mistral", {"sliding_window": 8}),
    ("gemma2", {"head_dim": 8, "sliding_window": 8, "final_logit_softcapping": 5.0}),
    ("cohere", {"logit_scale": 0.3}),
    ("granite", {"logits_scaling": 4.0}),
    ("phi", {}),
    ("bloom", {"n_head": 4}),
]


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_every_token_is_that_of_a_naive_float64_loop(kind: str, settings: dict[str, Any]) -> None:
    loaded, given = tiny(kind, **settings), rows(9)
    assert isinstance(network(loaded.model, given[0]), Apart)
    agree(loaded.model, given, scorer.per_token(loaded, given, batch_tokens=120).tokens)
    assert isinstance(network(loaded.model.bfloat16(), given[0]), Apart)


class Squared(LlamaForCausalLM):
    """Makes of its logits what nobody foresees."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        made = super().forward(*args, **kwargs)
        made.logits = made.logits * made.logits.abs() / 8
        return made


class Ruling(LlamaForCausalLM):
    """Rules tokens out, in place."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        made = super().forward(*args, **kwargs)
        made.logits[:, :, 0] = -torch.inf
        return made


class Halved(LlamaForCausalLM):
    """Does something between its body and its head that nobody foresees."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.lm_head.register_forward_pre_hook(lambda _, given: (given[0] * 0.5,))


def adapted(kind: str, **lora: Any) -> student.Loaded:
    """A random model with an adapter that changes much."""
    loaded = tiny(kind, tie_word_embeddings=False)
    torch.manual_seed(6)
    config = LoraConfig(r=4, lora_alpha=24, init_lora_weights=False, task_type="CAUSAL_LM", **lora)
    model = get_peft_model(loaded.model, config).eval()
    return replace(loaded, model=model)


@pytest.mark.parametrize("kind", [Squared, Ruling, Halved])
def test_a_model_that_cannot_be_taken_apart_is_scored_as_a_whole(kind: type[LlamaForCausalLM]) -> None:
    plain, given = tiny("llama"), rows(5, prefix=range(1, 60))
    loaded = replace(plain, model=kind(plain.model.config).eval())
    loaded.model.load_state_dict(plain.model.state_dict())
    assert isinstance(network(loaded.model, given[0]), Whole)
    found = scorer.per_token(loaded, given, batch_tokens=200)
    agree(loaded.model, given, found.tokens)
    assert found.plan.prefix == 0


def test_a_model_with_tokens_of_an_adapter_before_each_row_is_scored_as_a_whole() -> None:
    plain, given = tiny("llama"), rows(5)
    torch.manual_seed(6)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    loaded = replace(plain, model=get_peft_model(plain.model, config).eval())
    assert isinstance(network(loaded.model, given[0]), Whole)
    agree(loaded.model, given, scorer.per_token(loaded, given).tokens)


@pytest.mark.parametrize("kind", ["llama", "gemma2"])
@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": "all-linear"},
        {"target_modules": ["q_proj", "down_proj", "lm_head"]},
        {"target_modules": ["v_proj"], "modules_to_save": ["lm_head"]},
    ],
)
def test_an_adapter_on_body_or_head_counts(kind: str, lora: dict[str, Any]) -> None:
    loaded, given = adapted(kind, **lora), rows(6)
    assert isinstance(network(loaded.model, given[0]), Apart)
    found = scorer.per_token(loaded, given).tokens
    agree(loaded.model, given, found)
    with loaded.model.disable_adapter():
        bare = scorer.per_token(loaded, given).tokens
        agree(loaded.model, given, bare)
    assert max(np.abs(a.nll - b.nll).max() for a, b in zip(found, bare, strict=True)) > 0.1


def test_an_adapter_of_another_make_on_the_head_is_left_to_the_model() -> None:
    loaded, given = adapted("llama", target_modules=["lm_head"], use_dora=True), rows(4)
    assert isinstance(network(loaded.model, given[0]), Whole)
    agree(loaded.model, given, scorer.per_token(loaded, given).tokens)


@pytest.mark.parametrize("template", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_pocket_student_s_references_are_those_of_a_naive_loop(
    pocket: student.Loaded, template: bool, side: str
) -> None:
    tokenizer = copy.deepcopy(pocket.tokenizer)
    tokenizer.padding_side = side
    if not template:
        tokenizer.chat_template = None
    loaded = replace(pocket, tokenizer=tokenizer)
    examples = Pocket(seeds=6).load("seed")
    asked = student.prompt_ids(tokenizer, [e.prompt for e in examples])
    answers = student.answer_ids(loaded, [e.completion or "" for e in examples])
    given = list(zip(asked, answers, strict=True))
    found = scorer.per_token(loaded, given, batch_tokens=300)
    agree(pocket.model, given, found.tokens)
    for stats, made in zip(scorer.score(loaded, given), found.tokens, strict=True):
        assert stats.tokens == len(made.nll)
        assert stats.nll_sum == pytest.approx(made.nll.sum(dtype=np.float64), abs=1e-3)
        assert stats.nll == pytest.approx(made.nll.mean(dtype=np.float64), abs=1e-5)
        assert stats.entropy == pytest.approx(made.entropy.mean(dtype=np.float64), abs=1e-5)


def test_they_are_those_of_a_batch_that_is_padded_on_the_left() -> None:
    loaded, given = tiny("qwen2"), rows(5)
    full = [[*prompt, *answer] for prompt, answer in given]
    width = max(map(len, full))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in full])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in full])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        logits = loaded.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    log_p = torch.log_softmax(logits.double(), -1)[:, :-1].gather(2, ids[:, 1:, None])[:, :, 0]
    for row, (_, answer), made in zip(log_p, given, scorer.per_token(loaded, given).tokens, strict=True):
        np.testing.assert_allclose(made.nll, -row[-len(answer) :], atol=1e-4, rtol=0)


def test_a_prefix_is_run_with_the_adapter_on() -> None:
    loaded, given = adapted("llama", target_modules="all-linear"), rows(9, prefix=range(1, 60))
    found = scorer.per_token(loaded, given)
    assert found.plan.prefix == 59
    agree(loaded.model, given, found.tokens)


def watched(loaded: student.Loaded, room: int = 10**9) -> list[int]:
    """How many tokens the model is given each time; it runs out of memory at more than there is room for."""
    seen: list[int] = []

    def look(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append((args[0] if args else kwargs["input_ids"]).numel())
        if seen[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    loaded.model.base_model.register_forward_pre_hook(look, with_kwargs=True)
    return seen


def same(one: Sequence[Tokens], other: Sequence[Tokens], within: float = 0.0) -> None:
    for a, b in zip(one, other, strict=True):
        for name in ("nll", "entropy", "margin"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=within, rtol=0)


def test_the_same_rows_give_the_same_bytes_in_whatever_order_they_come() -> None:
    loaded, given = tiny("llama"), rows(20)
    found = scorer.per_token(loaded, given, batch_tokens=100).tokens
    same(found, scorer.per_token(loaded, given, batch_tokens=100).tokens)
    back = scorer.per_token(loaded, given[::-1], batch_tokens=100).tokens
    same(found, back[::-1])


def test_the_size_of_batches_changes_nothing_but_rounding() -> None:
    loaded, given = tiny("gemma2"), rows(20)
    found = scorer.per_token(loaded, given).tokens
    for batch_tokens in (1, 60, 100_000):
        same(found, scorer.per_token(loaded, given, batch_tokens=batch_tokens).tokens, 1e-4)


@pytest.mark.parametrize(
    ("kind", "settings", "length"),
    [
        ("llama", {}, 40),
        ("qwen3", {}, 40),
        ("gemma2", {"sliding_window": 64}, 40),
        ("gemma2", {"sliding_window": 16}, 0),
        ("bloom", {"n_head": 4}, 40),
    ],
)
def test_a_prefix_that_all_rows_share_is_run_once(kind: str, settings: dict[str, Any], length: int) -> None:
    loaded, given = tiny(kind, **settings), rows(9, prefix=[*range(1, 40), 7])
    given.append(([*range(1, 40), 7, 5], [3]))
    seen = watched(loaded)
    found = scorer.per_token(loaded, given, batch_tokens=200)
    run = sum(seen)
    assert found.plan.prefix == length
    assert (run < sum(map(tokens, given))) == (length > 0)
    agree(loaded.model, given, found.tokens)
    again = scorer.per_token(loaded, given, plan=Plan(prefix=0, batches=found.plan.batches))
    same(found.tokens, again.tokens, 1e-4)


def test_where_memory_runs_out_smaller_batches_are_tried_and_the_plan_is_kept() -> None:
    loaded, given = tiny("llama"), rows(30)
    expected = scorer.per_token(loaded, given)
    watched(loaded, room=200)
    finished: list[int] = []
    found = scorer.per_token(loaded, given, progress=finished.append)
    same(found.tokens, expected.tokens, 1e-4)
    assert found.plan.fits(given)
    assert len(found.plan.batches) > len(expected.plan.batches)
    assert finished == [sum(map(len, found.plan.batches[: i + 1])) for i in range(len(finished))]
    seen = watched(loaded)
    again = scorer.per_token(loaded, given, plan=found.plan)
    same(again.tokens, found.tokens)
    assert again.plan == found.plan
    assert max(seen) <= 200


def test_a_row_for_which_there_is_no_room_at_all_is_an_error() -> None:
    loaded = tiny("llama")
    watched(loaded, room=20)
    with pytest.raises(torch.OutOfMemoryError):
        scorer.per_token(loaded, [([1] * 5, [2] * 5), ([1] * 20, [2] * 20)])


def test_logits_of_a_batch_never_exist_at_once() -> None:
    loaded, given = tiny("llama", vocab_size=20_000), rows(8)
    model = network(loaded.model, given[0])
    with torch.inference_mode(), torch.profiler.profile(record_shapes=True) as profiled:
        statistics(model, given)
    shapes = {tuple(shape) for event in profiled.events() for shape in event.input_shapes}
    # Weights aside, the largest is one piece of the vocabulary for each token of the answers.
    answers = sum(len(answer) for _, answer in given)
    assert max(math.prod(shape) for shape in shapes if 32 not in shape) == answers * 2048


def test_bfloat16_ranks_rows_as_float32_does() -> None:
    exact = tiny("llama", initializer_range=0.2)
    rounded = replace(exact, model=copy.deepcopy(exact.model).bfloat16())
    given = rows(40)
    one, other = (scorer.per_token(loaded, given).tokens for loaded in (exact, rounded))
    same(one, other, 0.5)
    for name in ("nll", "entropy"):
        means = [[float(getattr(made, name).mean()) for made in found] for found in (one, other)]
        assert spearman(*means) > 0.99


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    ranks = np.array([np.argsort(np.argsort(values)) for values in (one, other)], dtype=float)
    return float(np.corrcoef(ranks)[0, 1])


@pytest.mark.parametrize("row", [([1, 2], []), ([], [1])])
def test_a_row_without_tokens_of_prompt_or_answer_is_refused(row: Row) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        scorer.score(tiny("llama"), [([1], [2]), row])


def test_a_plan_of_other_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="not for these 2 rows"):
        scorer.per_token(tiny("llama"), rows(2), plan=Plan(prefix=0, batches=((0,),)))


def test_a_plan_with_a_prefix_is_refused_where_the_student_cannot_go_on_from_one() -> None:
    given = rows(2, prefix=[1, 2, 3])
    with pytest.raises(ValueError, match="gemma2 cannot go on"):
        scorer.per_token(tiny("gemma2", sliding_window=2), given, plan=Plan(prefix=2, batches=((0, 1),)))


def test_no_rows_have_no_statistics() -> None:
    found = scorer.per_token(tiny("llama"), [])
    assert (found.tokens, found.plan) == ((), Plan(prefix=0, batches=()))
