"""FLOPs are what torch's counter counts where models really run, and what is worked out by hand."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from asft import decoder, flops, needs, student
from asft.errors import DataError
from asft.flops import Adapter, Shape
from asft.flops.__main__ import MODELS
from asft.flops.shape import KINDS as KNOWN
from asft.flops.shape import Attention, Work
from asft.scorer.body import Apart, network, statistics
from asft.scorer.gradient import gradients
from asft.types import Need

VOCAB = 100

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {}),
    ("llama", {"tie_word_embeddings": True, "head_dim": 16}),
    ("qwen2", {}),
    ("qwen3", {"head_dim": 16}),
    ("smollm3", {}),
    ("mistral", {"sliding_window": 8}),
    ("gemma", {"head_dim": 16}),
    ("gemma2", {"head_dim": 16, "sliding_window": 8}),
    ("gemma3_text", {"head_dim": 16, "sliding_window": 8}),
    ("granite", {}),
    ("olmo2", {}),
    ("phi3", {}),
    ("gpt2", {}),
    ("gpt2", {"n_inner": 40}),
    ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    ("qwen3_moe", {"num_experts": 4, "num_experts_per_tok": 3, "moe_intermediate_size": 24}),
]
MATRICES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def config(kind: str, **settings: Any) -> Any:
    given = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **({} if kind == "gpt2" else {"intermediate_size": 48, "num_key_value_heads": 2}),
        **settings,
    }
    return AutoConfig.for_model(kind, **given)


def tiny(kind: str, **settings: Any) -> Any:
    """A random model whose attention is made of products that the counter sees, as its kernels are not."""
    made = config(kind, **settings)
    how = {"experts_implementation": "eager"} if Shape.of(made).experts else {}
    torch.manual_seed(3)
    return AutoModelForCausalLM.from_config(made, attn_implementation="eager", **how).eval()


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, VOCAB, (rows, length), generator=torch.Generator().manual_seed(rows))


def counted(work: Any) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def names(kind: str, settings: dict[str, Any]) -> str:
    return f"{kind}-{'-'.join(settings)}"


# Reading


def test_a_layer_is_worked_out_by_hand() -> None:
    shape = Shape(layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, intermediate=16, vocab=10)
    # A layer: queries and out 8 x 8, keys and values 8 x 4, three of the MLP 8 x 16: 64 + 64 + 32 + 32 + 384.
    assert shape.work == Work(body=2 * 576, head=80, vocab=10, attention=(Attention(layers=2, width=8),))
    # Three tokens see 1, 2 and 3: 6 pairs, in 2 layers, by 2 products of width 8; the last one has logits.
    assert flops.read(shape.work, [3], head=1) == 2 * (1152 * 3 + 80) + 2 * 2 * 2 * 8 * 6
    # All 9 pairs.
    assert flops.read(shape.work, [3], head=1, square=True) == 2 * (1152 * 3 + 80) + 2 * 2 * 2 * 8 * 9


@pytest.mark.parametrize(("kind", "settings"), KINDS, ids=[names(*one) for one in KINDS])
def test_reading_takes_what_the_counter_counts(kind: str, settings: dict[str, Any]) -> None:
    model = tiny(kind, **settings)
    with torch.no_grad():
        found = counted(lambda: model(ids(2, 12), use_cache=False))
    assert flops.read(Shape.of(model.config).work, [12, 12], head=24, square=True) == found


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(0, 9), st.none() | st.integers(1, 15)
)
def test_attention_is_counted_over_the_tokens_that_are_seen(
    lengths: list[int], past: int, window: int | None
) -> None:
    work = Work(body=0, head=0, attention=(Attention(layers=1, width=1, window=window),))
    seen = sum(
        min(position + 1, window or position + 1) for one in lengths for position in range(past, past + one)
    )
    assert flops.read(work, lengths, head=0, past=past) == 4 * seen


@pytest.mark.parametrize(
    ("kind", "settings", "windowed"),
    [
        ("mistral", {"sliding_window": 8}, 3),
        ("mistral", {"sliding_window": None}, 0),
        ("gemma2", {"sliding_window": 8}, 2),
        ("gemma3_text", {"sliding_window": 8, "num_hidden_layers": 6}, 5),
        ("qwen2", {"sliding_window": 8}, 0),
    ],
)
def test_layers_with_a_window_are_known(kind: str, settings: dict[str, Any], windowed: int) -> None:
    shape = Shape.of(config(kind, **settings))
    assert (shape.windowed, shape.window) == (windowed, 8 if windowed else None)


# Scoring and writing


def test_scoring_takes_what_the_scorer_computes() -> None:
    model = tiny("llama")
    rows = [(ids(9, 7)[i].tolist(), ids(9, 5)[i].tolist()) for i in range(4)]
    taken_apart = network(model, rows[0])
    with torch.inference_mode():
        found = counted(lambda: statistics(taken_apart, rows))
    work = Shape.of(model.config).work
    assert flops.scored(work, [(7, 5)] * 4, square=True) == found
    # Eleven tokens are read, and five of them have logits.
    assert flops.scored(work, [(7, 5)]) == flops.read(work, [11], head=5)


def test_what_all_rows_begin_with_is_read_once() -> None:
    model = tiny("llama")
    begin = ids(1, 6)[0].tolist()
    rows = [([*begin, *ids(9, 3)[i].tolist()], ids(9, 5)[i].tolist()) for i in range(4)]
    taken_apart = network(model, rows[0])
    left = [(prompt[6:], answer) for prompt, answer in rows]
    with torch.inference_mode():
        after = taken_apart.after(begin, rows[0])
        assert after is not None
        found = counted(lambda: statistics(after, left))
        found += counted(lambda: taken_apart.states(torch.tensor([begin])))
    assert flops.scored(Shape.of(model.config).work, [(9, 5)] * 4, prefix=6, square=True) == found


def test_a_shared_prefix_saves_its_reading_and_nothing_else() -> None:
    work = Shape.of(config("llama")).work
    apart = flops.scored(work, [(9, 5)] * 4)
    assert apart - flops.scored(work, [(9, 5)] * 4, prefix=6) == 3 * flops.read(work, [6], head=0)


def endless(model: Any) -> student.Loaded:
    """A student whose answers nothing ends but their limit."""
    model.generation_config.eos_token_id = model.generation_config.bos_token_id = None
    tokenizer = SimpleNamespace(pad_token_id=0, eos_token_id=None)
    return student.Loaded(student=student.Student(base="tiny"), model=model, tokenizer=tokenizer)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_writing_takes_what_the_decoder_computes(kind: str) -> None:
    loaded = endless(tiny(kind))
    jobs = [decoder.Job(prompt=tuple(row)) for row in ids(3, 7).tolist()]
    found = counted(
        lambda: decoder.Batched().write(loaded, jobs, max_new_tokens=6, stats=False, progress=None)
    )
    work = Shape.of(loaded.model.config).work
    assert 3 * flops.written(work, 7, [6], square=True) == found


def test_answers_to_one_prompt_take_one_reading_of_it() -> None:
    loaded = endless(tiny("llama"))
    prompt = tuple(ids(1, 7)[0].tolist())
    jobs = [
        decoder.Job(prompt=prompt, chance=decoder.Chance(seed=1, example_id="a", index=i, temperature=1.0))
        for i in range(4)
    ]
    found = counted(
        lambda: decoder.Batched().write(loaded, jobs, max_new_tokens=6, stats=False, progress=None)
    )
    assert flops.written(Shape.of(loaded.model.config).work, 7, [6] * 4, square=True) == found


@given(st.integers(1, 40), st.integers(1, 40), st.none() | st.integers(1, 50))
def test_an_answer_costs_the_same_to_write_as_to_score(prompt: int, answer: int, window: int | None) -> None:
    work = Work(body=70, head=30, attention=(Attention(layers=2, width=5, window=window),))
    adapter = Adapter(weights=3)
    assert flops.written(work, prompt, [answer], adapter=adapter) == flops.scored(
        work, [(prompt, answer)], adapter=adapter
    )


def test_no_answers_take_nothing() -> None:
    work = Shape.of(config("llama")).work
    assert flops.written(work, 7, []) == 0
    assert flops.scored(work, [], prefix=6) == 0


# Training


def step(model: Any, rows: int = 2, length: int = 12) -> int:
    """Forward and backward of a batch."""
    batch = ids(rows, length)
    model.train()
    return counted(lambda: model(input_ids=batch, labels=batch, use_cache=False).loss.backward())


def dressed(model: Any, rank: int, targets: Sequence[str] | str) -> Any:
    to_peft = LoraConfig(
        r=rank,
        target_modules=targets if isinstance(targets, str) else [*targets],
        fan_in_fan_out=model.config.model_type == "gpt2",
    )
    return get_peft_model(model, to_peft)


@pytest.mark.parametrize(("kind", "settings"), KINDS, ids=[names(*one) for one in KINDS])
def test_training_all_weights_takes_what_the_counter_counts(kind: str, settings: dict[str, Any]) -> None:
    model = tiny(kind, **settings)
    work = Shape.of(model.config).work
    assert flops.trained(work, [12, 12], head=24, method="full", square=True) == step(model)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma3_text", "phi3", "gpt2"])
def test_training_an_adapter_takes_what_the_counter_counts(kind: str) -> None:
    model = tiny(kind)
    shape = Shape.of(model.config)
    adapter = shape.adapter(4)
    worn = dressed(model, 4, "all-linear")
    assert worn.get_nb_trainable_parameters()[0] == adapter.weights
    assert flops.trained(shape.work, [12, 12], head=24, adapter=adapter, square=True) == step(worn)


@pytest.mark.parametrize(
    "targets", [["q_proj", "v_proj"], ["o_proj"], ["down_proj"], ["gate_proj", "up_proj"]]
)
def test_an_adapter_on_a_few_matrices_takes_a_little_less_than_counted(targets: list[str]) -> None:
    model = tiny("llama")
    shape = Shape.of(model.config)
    adapter = shape.adapter(4, targets)
    worn = dressed(model, 4, targets)
    assert worn.get_nb_trainable_parameters()[0] == adapter.weights
    estimate = flops.trained(shape.work, [12, 12], head=24, adapter=adapter, square=True)
    # At most the gradients of attention in the first layer are not computed: two products, twice, 32 wide.
    assert 0 <= estimate - step(worn) <= 2 * (4 * 32 * 2 * 12 * 12)


def test_training_the_pocket_student_takes_what_the_counter_counts() -> None:
    loaded = student.load(student.Student(), "cpu")
    loaded.model.set_attn_implementation("eager")
    shape = Shape.of(loaded.model.config)
    adapter = shape.adapter(16)
    worn = dressed(loaded.model, 16, "all-linear")
    assert flops.trained(shape.work, [12, 12], head=24, adapter=adapter, square=True) == step(worn)


def test_checkpointing_takes_at_most_a_forward_of_the_body_more() -> None:
    model = tiny("llama")
    plain = step(model)
    model.zero_grad()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    work = Shape.of(model.config).work
    once = flops.read(work, [12, 12], head=0, square=True)
    estimate = flops.trained(work, [12, 12], head=24, method="full", checkpointing=True, square=True)
    assert estimate == plain + once
    # What a layer ends with is not computed again: nobody reads it. Here that is the MLP's last matrix.
    assert estimate - step(model) == 3 * 2 * 24 * 48 * 32


def test_a_part_of_an_adapter_is_worked_out_by_hand() -> None:
    shape = Shape(layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, intermediate=16, vocab=10)
    # Rank 3 on 8 x 8 and 8 x 4, in two layers; queries, keys and values of the first pass nothing on.
    assert shape.adapter(3, ["q_proj", "v_proj"]) == Adapter(
        weights=2 * 3 * (16 + 12), idle=64 + 32 + 32 + 3 * (8 + 8)
    )


# Steps

POOL = flops.Lengths(prompts=(10, 20), gold=(5, 0), own=(7, 3), samples=((2, 4), (6, 8)), accepted=(30,))
HAND = Work(body=1000, head=100, vocab=20)
"""Without attention: 2 x 1000 for a token, and 2 x 100 where it has logits."""


@pytest.mark.parametrize(
    ("need", "tokens", "logits"),
    [
        # All tokens but the last of each answer are read.
        (needs.GOLD, 14, 5),
        (needs.OWN, 16 + 22, 7 + 3),
        # Each prompt once, with logits behind it once, and answers without their last tokens.
        (needs.samples(2, 1.0), 10 + 1 + 3 + 20 + 5 + 7, 1 + 1 + 3 + 1 + 5 + 7),
        (needs.embedding(), 10 + 20 + 30, 0),
    ],
)
def test_measuring_takes_what_is_read_and_what_has_logits(need: Need, tokens: int, logits: int) -> None:
    assert flops.measuring(HAND, need, POOL) == 2000 * tokens + 200 * logits
    # An adapter is met by every token that is read.
    worn = flops.measuring(HAND, need, POOL, adapter=Adapter(weights=50))
    assert worn == 2100 * tokens + 200 * logits


def test_a_gradient_takes_a_reading_and_the_products_of_its_tokens() -> None:
    # Five tokens of gold, by 20 tokens of vocabulary and 5 of a state: 2 x 25 x 25.
    gold = flops.measuring(HAND, needs.GOLD, POOL)
    assert gold is not None
    assert flops.measuring(HAND, needs.gradient("gold"), POOL) == gold + 2 * 25 * 25
    # There is one reference only.
    assert flops.measuring(HAND, needs.reference_gradient(4), POOL) == gold + 2 * 25 * 25
    own = flops.measuring(HAND, needs.OWN, POOL)
    assert own is not None
    assert flops.measuring(HAND, needs.gradient("own"), POOL) == own + 2 * 25 * (49 + 9)


def test_the_gradient_of_the_head_takes_what_is_computed_for_it() -> None:
    model = tiny("llama")
    rows = [(ids(9, 7)[i].tolist(), ids(9, 5)[i].tolist()) for i in range(4)]
    taken_apart = network(model, rows[0])
    assert isinstance(taken_apart, Apart)
    with torch.inference_mode():
        found = counted(lambda: gradients(taken_apart, rows, dims=64, seed=0))
    work = Shape.of(model.config).work
    lengths = flops.Lengths(prompts=(7,) * 4, own=(5,) * 4)
    causal = flops.measuring(work, needs.gradient("own"), lengths)
    assert causal is not None
    squares = flops.scored(work, [(7, 5)] * 4, square=True) - flops.scored(work, [(7, 5)] * 4)
    assert causal + squares == found


def test_an_ensemble_takes_its_trainings_and_a_reading_by_each_member() -> None:
    own = flops.measuring(HAND, needs.OWN, POOL)
    assert own is not None
    need = needs.ensemble(3, "seed", 100)
    assert flops.measuring(HAND, need, POOL, member=10**6) == 3 * (10**6 + own)
    assert flops.measuring(HAND, need, POOL) is None


def test_what_another_model_takes_is_known_where_the_model_is() -> None:
    other = Work(body=10, head=1)
    for need, most in ((needs.reward("m"), 20 * 40 + 2 * 2), (needs.embedding("m"), 20 * 60)):
        assert flops.measuring(HAND, need, POOL) is None
        # No adapter of the student is on it.
        assert flops.measuring(HAND, need, POOL, other=other, adapter=Adapter(weights=50)) == most
    assert flops.measuring(HAND, Need(name="judge", kind="script"), POOL) is None


def test_a_ceiling_is_the_same_with_every_answer_as_long_as_it_may_be() -> None:
    most = POOL.at_most(8, samples=3)
    assert (most.own, most.samples, most.gold) == ((8, 8), ((8, 8, 8), (8, 8, 8)), (5, 0))
    for need in (needs.OWN, needs.samples(3, 1.0)):
        before, after = flops.measuring(HAND, need, most), flops.measuring(HAND, need, POOL)
        assert before is not None
        assert after is not None
        assert before > after


def test_training_is_its_rows_as_often_as_they_are_gone_through() -> None:
    # 25 and 12 tokens, of which 5 and 2 have logits: forward, and twice as much back.
    once = 3 * (2000 * 37 + 200 * 7)
    assert flops.training(HAND, [(20, 5), (10, 2)], passes=1, method="full") == once
    assert flops.training(HAND, [(20, 5), (10, 2)], passes=2.5, method="full") == round(2.5 * once)
    # By an adapter: its own forward and twice that back, and of the base no gradients of weights.
    adapter = Adapter(weights=50, idle=30)
    worn = (2000 * 2 + 3 * 100 - 60) * 37 + 2 * 200 * 7
    assert flops.training(HAND, [(20, 5), (10, 2)], passes=1, adapter=adapter) == worn


def test_what_max_length_cuts_off_is_not_trained_on() -> None:
    cut = flops.training(HAND, [(20, 5), (10, 2)], passes=1, max_length=22)
    assert cut == flops.training(HAND, [(20, 2), (10, 2)], passes=1)
    # Nothing is left of the answer to the first.
    assert flops.training(HAND, [(20, 5), (10, 2)], passes=1, max_length=20) == flops.training(
        HAND, [(10, 2)], passes=1
    )


def test_evaluating_reads_a_prompt_again_for_what_is_drawn() -> None:
    greedy = flops.evaluating(HAND, [10, 20], [7, 3])
    assert greedy == flops.measuring(HAND, needs.OWN, POOL)
    drawn = flops.measuring(HAND, needs.samples(2, 1.0), POOL)
    assert drawn is not None
    assert flops.evaluating(HAND, [10, 20], [7, 3], samples=[[2, 4], [6, 8]]) == greedy + drawn


# Calls


def test_a_call_is_two_flops_for_each_parameter_and_token_that_is_not_cached() -> None:
    # 2 x 7.6e9 x (100 - 40 + 10)
    assert flops.asked(7.6e9, input_tokens=100, cached_tokens=40, output_tokens=10) == 1_064_000_000_000
    assert flops.asked(0.0, input_tokens=100, output_tokens=10) == 0


# What is not known


@pytest.mark.parametrize("tied", [True, False])
def test_a_kind_that_is_not_known_is_counted_by_its_parameters(tied: bool) -> None:
    made = config("gpt_neox", tie_word_embeddings=tied)
    model = AutoModelForCausalLM.from_config(made, attn_implementation="eager").eval()
    with pytest.raises(DataError, match=r"kind 'gpt_neox' .* from its parameters only .* gemma, gemma2"):
        Shape.of(made)
    work = flops.by_parameters(model)
    assert (work.head, work.vocab, work.attention) == (32 * VOCAB, VOCAB, ())
    with torch.no_grad():
        found = counted(lambda: model(ids(2, 12), use_cache=False))
    # Norms and biases are parameters too, and attention has none: 4 x 3 layers x 32 wide x 12 x 12, twice.
    assert flops.read(work, [12, 12], head=24) == pytest.approx(found - 2 * 4 * 3 * 32 * 144, rel=0.05)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("qwen3_moe", {"num_experts": 4, "mlp_only_layers": [1]}, "experts in some of its layers only"),
        ("qwen3_moe", {"num_experts": 4, "decoder_sparse_step": 2}, "experts in some of its layers only"),
        ("llama", {"layer_types": ["full_attention", "chunked_attention"]}, "layers of chunked_attention"),
    ],
)
def test_what_a_config_lacks_is_told(kind: str, settings: dict[str, Any], message: str) -> None:
    made = config(kind)
    for name, value in settings.items():
        setattr(made, name, value)
    with pytest.raises(DataError, match=message):
        Shape.of(made)


def test_a_number_that_a_config_lacks_is_named() -> None:
    made = SimpleNamespace(model_type="llama", num_hidden_layers=2, hidden_size=8)
    made.get_text_config = lambda: made
    with pytest.raises(DataError, match="the config of a llama lacks num_attention_heads, so its FLOPs"):
        Shape.of(made)


@pytest.mark.parametrize("targets", [["q_proj", "lm_head"], ".*proj", []])
def test_matrices_that_are_not_known_are_told(targets: list[str] | str) -> None:
    with pytest.raises(DataError, match="all-linear, or a list out of down_proj, gate_proj"):
        Shape.of(config("llama")).adapter(4, targets)


def test_an_adapter_is_not_counted_on_experts() -> None:
    model = tiny("mixtral", num_local_experts=4, num_experts_per_tok=2)
    shape = Shape.of(model.config)
    worn = dressed(model, 4, MATRICES[:4])
    adapter = shape.adapter(4, MATRICES[:4])
    assert flops.trained(shape.work, [12, 12], head=24, adapter=adapter, square=True) == step(worn)
    with pytest.raises(DataError, match="an adapter on gate_proj takes"):
        shape.adapter(4, ["gate_proj"])


# Students


def test_a_student_is_read_without_its_weights(tmp_path: Path) -> None:
    config("gpt_neox").save_pretrained(tmp_path / "other")
    other = flops.of_student(str(tmp_path / "other"))
    assert other.work == flops.by_parameters(AutoModelForCausalLM.from_config(config("gpt_neox")))
    assert (other.method, other.adapter) == ("full", None)
    # 4 layers of 160 x 160, four times, and 160 x 448, three times; a head of 160 x 904.
    pocket = flops.of_student(student.place("pocket"))
    assert (pocket.work.body, pocket.work.head) == (4 * (4 * 160 * 160 + 3 * 160 * 448), 160 * 904)
    with pytest.raises(DataError, match=r"nowhere' cannot be read"):
        flops.of_student(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("lora", "weights"),
    [
        # 160 to 160, four times, and 160 to 448 or back, three times, in four layers.
        ({"r": 16, "target_modules": "all-linear"}, 16 * 4 * (4 * 320 + 3 * 608)),
        ({"r": 2, "target_modules": ["q_proj"], "lora_alpha": 4}, 2 * 4 * 320),
        # Peft is asked.
        ({"r": 2, "target_modules": r".*\.[0-2]\.self_attn\.q_proj"}, 2 * 3 * 320),
        ({"r": 2, "target_modules": ["q_proj"], "layers_to_transform": [0]}, 2 * 320),
        ({"r": 2, "target_modules": ["q_proj", "v_proj"], "rank_pattern": {"q_proj": 4}}, 6 * 4 * 320),
    ],
)
def test_an_adapter_is_as_large_as_the_recipe_makes_it(lora: dict[str, Any], weights: int) -> None:
    pocket = flops.of_student(student.place("pocket"), lora=lora)
    assert pocket.adapter is not None
    assert (pocket.method, pocket.adapter.weights) == ("lora", weights)


# The page

PAGE = (Path(__file__).parent.parent / "docs" / "compute.md").read_text("utf-8")


def test_the_table_of_the_page_is_what_the_command_prints() -> None:
    made = subprocess.run([sys.executable, "-m", "asft.flops"], check=True, capture_output=True, text=True)
    assert f"\n\n{made.stdout}\n" in PAGE


def test_the_page_names_every_kind_that_is_known() -> None:
    assert f"config of {', '.join(sorted(KNOWN)[:-1])} and {sorted(KNOWN)[-1]}." in " ".join(PAGE.split())
    assert {kind for kind, _ in KINDS} == set(KNOWN)


def test_the_sentence_under_the_table_is_true() -> None:
    small, large = (MODELS[name] for name in ("Qwen2.5-0.5B", "Qwen2.5-7B"))
    adapted = [flops.trained(one.work, [250], head=150, adapter=one.adapter(16)) for one in (small, large)]
    assert adapted[0] / flops.scored(small.work, [(100, 150)]) == pytest.approx(2, abs=0.1)
    calls = 1000 * flops.asked(7.6e9, input_tokens=500, output_tokens=300)
    assert calls / adapted[1] == pytest.approx(1750, rel=0.02)


def test_the_pocket_student_of_the_table_is_the_one_that_ships() -> None:
    assert MODELS["pocket"].work == flops.of_student(student.place("pocket")).work
