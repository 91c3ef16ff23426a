"""Gradients of answers of the pool: which answer, which label, who has none."""

import copy

import numpy as np
import pytest
import torch

from asft import measure, needs, student
from asft.errors import DataError
from asft.types import Measurements, Need
from tests.measure.conftest import MakePool, Tiny


def measured(loaded: student.Loaded, pool: measure.Pool, *wanted: Need) -> Measurements:
    return measure.measure(loaded, pool, needs.joined(wanted))


def norm(loaded: student.Loaded, prompt: str, answer: list[int]) -> float:
    """Of the gradient of the answer's nll by the head's weights, from all logits in float64."""
    [ids] = student.prompt_ids(loaded.tokenizer, [prompt])
    with torch.inference_mode():
        made = copy.deepcopy(loaded.model).double()(
            input_ids=torch.tensor([[*ids, *answer]]), output_hidden_states=True
        )
    at = slice(len(ids) - 1, -1)
    g = torch.softmax(made.logits[0, at], -1)
    g[range(len(answer)), answer] -= 1
    return float(torch.linalg.norm(g.T @ made.hidden_states[-1][0, at]))


def test_own_answers_take_their_tokens_as_labels_up_to_the_end_token(
    pocket: student.Loaded, make_pool: MakePool
) -> None:
    pool = make_pool(6, max_new_tokens=60)
    found = measured(pocket, pool, needs.gradient("own", 256))
    finishes = set()
    for example, one in zip(pool.examples, found.observations, strict=True):
        assert one.own is not None
        finishes.add(one.own.finish)
        end = [pocket.tokenizer.eos_token_id] if one.own.finish == "stop" else []
        expected = norm(pocket, example.prompt, [*one.own.token_ids, *end])
        assert one.signals["gradient_norm"] == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert finishes == {"stop", "length"}
    assert found.arrays["gradient"].shape == (6, 256)


def test_references_are_taken_where_there_are_some_and_others_have_no_gradient(
    tiny: Tiny, make_pool: MakePool
) -> None:
    loaded, pool = tiny("qwen2"), make_pool(5, bare=(1, 4))
    found = measured(loaded, pool, needs.gradient("gold", 128))
    assert np.isnan(found.arrays["gradient"]).all(1).tolist() == [False, True, False, False, True]
    assert np.isnan(found.arrays["gradient"]).any(1).tolist() == [False, True, False, False, True]
    for i, (example, one) in enumerate(zip(pool.examples, found.observations, strict=True)):
        if i in (1, 4):
            assert one.signals["gradient_norm"] is None
        else:
            [answer] = student.answer_ids(loaded, [example.completion or ""])
            assert one.signals["gradient_norm"] == pytest.approx(
                norm(loaded, example.prompt, answer), rel=1e-4
            )


def test_references_are_drawn_by_the_seed_and_sketched_as_the_pool_is(
    tiny: Tiny, make_pool: MakePool
) -> None:
    loaded = tiny("qwen2")
    drawn = []
    for seed in (1, 1, 2):
        pool = make_pool(12, bare=(0, 3), seed=seed)
        found = measured(loaded, pool, needs.gradient("gold", 128), needs.reference_gradient(4, 128))
        rows = [one.signals["reference_row"] for one in found.observations]
        assert [row for row in rows if row is not None] == [0.0, 1.0, 2.0, 3.0]
        assert rows[0] is rows[3] is None
        references = found.arrays["reference_gradient"]
        for number, row in enumerate(rows):
            if row is not None:
                mine = found.arrays["gradient"][number]
                np.testing.assert_allclose(
                    references[int(row)], mine, atol=1e-4 * float(np.linalg.norm(mine))
                )
        drawn.append(rows)
    assert drawn[0] == drawn[1] != drawn[2]


def test_more_references_than_there_are_is_all_of_them(tiny: Tiny, make_pool: MakePool) -> None:
    found = measured(tiny("qwen2"), make_pool(4, bare=(2,)), needs.reference_gradient(100, 64))
    assert found.arrays["reference_gradient"].shape == (3, 64)


def test_a_pool_without_references_is_told(tiny: Tiny, make_pool: MakePool) -> None:
    with pytest.raises(DataError, match="no example of the pool has a worked reference"):
        measured(tiny("qwen2"), make_pool(2, bare=(0, 1)), needs.reference_gradient(1, 64))


def test_a_student_whose_head_is_not_known_is_told(tiny: Tiny, make_pool: MakePool) -> None:
    with pytest.raises(DataError, match="'squared' does something of its own"):
        measured(tiny("squared"), make_pool(2), needs.gradient("gold", 64))


def test_the_same_settings_give_the_same_bytes(tiny: Tiny, make_pool: MakePool) -> None:
    one, two = (
        measured(tiny("qwen2"), make_pool(6, seed=3), needs.gradient("gold", 128)).arrays["gradient"]
        for _ in range(2)
    )
    assert one.tobytes() == two.tobytes()
