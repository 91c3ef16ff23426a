"""Answers drawn by chance: by which numbers, from which distribution, and in any batch the same."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from asft import decoder, measure, needs, scorer, student
from asft.decoder.chance import Chance, draw
from asft.tasks.pocket.task import Pocket

Tiny = Callable[..., student.Loaded]

SEEDS = Pocket(seeds=6).load("seed")
PROMPTS = [example.prompt for example in SEEDS]
IDS = [example.id for example in SEEDS]


def sampled(loaded: student.Loaded, rows: list[int] | None = None, **settings: Any) -> dict[str, list[Any]]:
    """Example id -> the token ids of its samples."""
    rows = list(range(len(PROMPTS))) if rows is None else rows
    given = {"k": 3, "temperature": 2.0, "max_new_tokens": 20, **settings}
    found = decoder.sample(loaded, [PROMPTS[i] for i in rows], [IDS[i] for i in rows], **given)
    return {IDS[i]: [one.answer.token_ids for one in several] for i, several in zip(rows, found, strict=True)}


def drawn(p: list[float], uniform: float, *, temperature: float = 1.0, top_p: float = 1.0) -> int:
    numbers = (torch.tensor([value], dtype=torch.float64) for value in (uniform, temperature, top_p))
    return int(draw(torch.tensor([p], dtype=torch.float64).log(), *numbers))


@pytest.mark.parametrize("batch_size", [1, 2, 4, 7, 100])
def test_samples_are_the_same_in_any_batch(pocket: student.Loaded, batch_size: int) -> None:
    assert sampled(pocket, batch_size=batch_size) == sampled(pocket)


def test_samples_are_the_same_in_any_order_and_in_any_company(pocket: student.Loaded) -> None:
    everything = sampled(pocket)
    assert sampled(pocket, [4, 0, 5, 3, 1, 2]) == everything
    assert sampled(pocket, [3]) == {IDS[3]: everything[IDS[3]]}


def test_other_seeds_ids_and_indices_give_other_samples(pocket: student.Loaded) -> None:
    first = sampled(pocket, [0])[IDS[0]]
    assert len(set(first)) == 3
    assert sampled(pocket, [0], seed=1)[IDS[0]] != first
    [other] = decoder.sample(pocket, PROMPTS[:1], ["other"], k=3, temperature=2.0, max_new_tokens=20)
    assert [one.answer.token_ids for one in other] != first


def test_more_samples_and_longer_ones_begin_with_the_fewer_and_the_shorter(pocket: student.Loaded) -> None:
    fewer = sampled(pocket, k=2, max_new_tokens=10)
    more = sampled(pocket, k=5)
    assert {name: [ids[:10] for ids in rows[:2]] for name, rows in more.items()} == fewer


def test_a_stream_is_the_same_on_every_machine_and_in_every_version() -> None:
    stream = Chance(seed=1, example_id="a", index=0, temperature=1.0)
    np.testing.assert_allclose(stream.uniforms(3), STREAM, rtol=1e-15)
    assert stream.number == NUMBER


STREAM = [0.13736986390965555, 0.4354504411878496, 0.9866005462422742]
NUMBER = 2962647361165594503


def test_first_tokens_are_as_frequent_as_the_distribution_says(tiny: Tiny) -> None:
    n, temperature, loaded = 3000, 1.5, tiny("qwen2")
    [found] = decoder.sample(
        loaded, PROMPTS[:1], IDS[:1], k=n, temperature=temperature, max_new_tokens=1, batch_size=1000
    )
    seen = Counter(one.token_ids[0] for one in found)
    ids = torch.tensor(student.prompt_ids(loaded.tokenizer, PROMPTS[:1]))
    with torch.inference_mode():
        logits = loaded.model(input_ids=ids).logits[0, -1].double()
    expected = n * torch.softmax(logits / temperature, dim=-1)
    common = [token for token in range(len(expected)) if expected[token] >= 5]
    assert len(common) >= 10
    cells = [(seen[token], float(expected[token])) for token in common]
    rest = n - sum(there for there, _ in cells), n - sum(wanted for _, wanted in cells)
    square = sum((there - wanted) ** 2 / wanted for there, wanted in [*cells, rest])
    # Its mean is the number of free cells, its variance twice that; six deviations are far out.
    assert square < len(common) + 6 * (2 * len(common)) ** 0.5


def test_each_token_has_its_part_of_the_numbers() -> None:
    p = [0.5, 0.3, 0.15, 0.05]
    assert [drawn(p, u) for u in (0.0, 0.49, 0.51, 0.79, 0.81, 0.94, 0.96, 1 - 2**-53)] == [
        *(0, 0, 1, 1, 2, 2, 3, 3),
    ]


def test_temperature_sharpens_and_flattens() -> None:
    # Squared and normalised: 16/17 and 1/17; square roots: 2/3 and 1/3.
    assert [drawn([0.8, 0.2], u, temperature=0.5) for u in (0.94, 0.95)] == [0, 1]
    assert [drawn([0.8, 0.2], u, temperature=2.0) for u in (0.66, 0.67)] == [0, 1]


@pytest.mark.parametrize(
    ("top_p", "left"),
    [(0.01, {1}), (0.49, {1}), (0.51, {1, 2}), (0.79, {1, 2}), (0.81, {0, 1, 2}), (1.0, {0, 1, 2, 3})],
)
def test_top_p_leaves_the_fewest_likeliest_tokens_that_reach_it(top_p: float, left: set[int]) -> None:
    p = [0.15, 0.5, 0.3, 0.05]
    assert {drawn(p, u / 100, top_p=top_p) for u in range(100)} == left


def test_what_top_p_leaves_is_drawn_in_proportion() -> None:
    # Of 0.5 and 0.3, the first has 5/8.
    assert [drawn([0.15, 0.5, 0.3, 0.05], u, top_p=0.7) for u in (0.62, 0.63)] == [1, 2]


def test_tokens_as_likely_as_the_last_that_top_p_leaves_stay() -> None:
    assert {drawn([0.4, 0.2, 0.2, 0.2], u / 100, top_p=0.5) for u in range(100)} == {0, 1, 2, 3}


def test_top_p_reaches_far_into_a_flat_vocabulary() -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.softmax(torch.randn(3, 5000, generator=generator, dtype=torch.float64), dim=-1)
    uniform = torch.linspace(0, 1 - 1e-9, 400, dtype=torch.float64)
    for row in p:
        rows = (len(uniform), 1)
        tokens = draw(
            row.log().repeat(rows),
            uniform,
            torch.ones_like(uniform),
            torch.full_like(uniform, 0.9),
        )
        order = row.argsort(descending=True)
        needed = int((row[order].cumsum(0) < 0.9).sum()) + 1
        assert needed > 1000
        assert set(tokens.tolist()) <= set(order[:needed].tolist())
        assert row[tokens].min() < 2 * row[order[needed - 1]]


def test_a_token_that_is_ruled_out_is_never_drawn() -> None:
    assert {drawn([0.5, 0.0, 0.5, 0.0], u / 50) for u in range(50)} == {0, 2}


def test_near_temperature_0_samples_are_greedy(pocket: student.Loaded) -> None:
    greedy = decoder.answer(pocket, PROMPTS, max_new_tokens=20)
    assert sampled(pocket, k=2, temperature=1e-5) == {
        name: [one.token_ids] * 2 for name, one in zip(IDS, greedy, strict=True)
    }


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"temperature": 0.0}, "temperature = 0"), ({"top_p": 0.0}, "top_p = 0"), ({"top_p": 1.1}, "top_p = 1")],
)
def test_what_is_no_law_of_chance_is_refused(
    pocket: student.Loaded, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        sampled(pocket, **settings)


def test_statistics_of_samples_are_of_the_distribution_without_temperature(pocket: student.Loaded) -> None:
    found = decoder.sample(
        pocket, PROMPTS, IDS, k=2, temperature=1.7, top_p=0.9, max_new_tokens=30, batch_size=5, stats=True
    )
    flat = [one for several in found for one in several]
    assert {one.answer.finish for one in flat} == {"stop", "length"}
    asked = [row for row in student.prompt_ids(pocket.tokenizer, PROMPTS) for _ in range(2)]
    scored = scorer.per_token(pocket, [(ids, one.token_ids) for ids, one in zip(asked, flat, strict=True)])
    for one, expected in zip(flat, scored.tokens, strict=True):
        assert one.tokens is not None
        np.testing.assert_allclose(one.tokens.nll, expected.nll, atol=1e-3)
        np.testing.assert_allclose(one.tokens.entropy, expected.entropy, atol=1e-3)
        np.testing.assert_allclose(one.tokens.margin, expected.margin, atol=1e-3)


def test_a_prompt_is_run_once_for_all_of_its_samples() -> None:
    loaded = student.load(student.Student(), "cpu")
    shapes: list[tuple[int, ...]] = []
    loaded.model.register_forward_pre_hook(
        lambda _, __, given: shapes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    sampled(loaded, k=4, batch_size=12, max_new_tokens=3)
    prompts = [rows for rows, width in shapes if width > 1]
    assert prompts == [3, 3]
    assert all(rows <= 12 for rows, _ in shapes)
    assert len(shapes) <= 2 * 3


def test_samples_of_a_model_that_asks_for_more_are_drawn_by_the_same_numbers(tiny: Tiny) -> None:
    plain, by_generate = tiny("qwen2"), tiny("qwen2")
    # It asks for what never happens in so few tokens, so that only the way of computing differs.
    by_generate.model.generation_config.no_repeat_ngram_size = 30
    expected = sampled(plain, max_new_tokens=12)
    for batch_size in (1, 5, 100):
        assert sampled(by_generate, max_new_tokens=12, batch_size=batch_size) == expected


def test_what_a_model_asks_for_holds_for_its_samples(tiny: Tiny) -> None:
    loaded = tiny("qwen2")
    loaded.model.generation_config.no_repeat_ngram_size = 1
    for rows in sampled(loaded, k=6, temperature=0.2).values():
        assert all(len(set(ids)) == len(ids) for ids in rows)


def test_a_batch_for_which_memory_runs_out_is_halved() -> None:
    loaded = student.load(student.Student(), "cpu")
    expected = decoder.answer(loaded, PROMPTS, max_new_tokens=8)
    sizes: list[int] = []

    def small(_: Any, __: Any, given: dict[str, Any]) -> None:
        sizes.append(len(given["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError

    loaded.model.register_forward_pre_hook(small, with_kwargs=True)
    assert decoder.answer(loaded, PROMPTS, max_new_tokens=8) == expected
    assert sizes[:3] == [6, 3, 1]


def test_progress_counts_prompts(pocket: student.Loaded) -> None:
    seen: list[int] = []
    sampled(pocket, batch_size=6, max_new_tokens=2, progress=seen.append)
    assert seen == [2, 4, 6]


def test_measured_samples_are_graded_and_belong_to_their_examples(pocket: student.Loaded) -> None:
    task = Pocket(seeds=5)
    examples = tuple(task.load("seed"))
    pool = measure.Pool(task=task, examples=examples, seed=4, max_new_tokens=60, batch_size=4)
    found = measure.measure(pocket, pool, (needs.samples(3, 0.7, 0.95),))
    for example, one in zip(examples, found.observations, strict=True):
        assert one.own is None
        assert len(one.samples) == 3
        for index, answer in enumerate(one.samples):
            assert answer.grade == task.grade(example, answer.text).value
            assert answer.stats is not None
            assert answer.stats.tokens == len(answer.token_ids) + (answer.finish == "stop")
            again = decoder.sample(
                pocket,
                [example.prompt],
                [example.id],
                k=index + 1,
                temperature=0.7,
                top_p=0.95,
                seed=4,
                max_new_tokens=60,
            )
            assert again[0][index].answer.token_ids == answer.token_ids
