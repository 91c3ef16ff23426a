"""Points for questions, beside a naive float64 mean, and those of a named model."""

import copy
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from asft import measure, needs, student
from asft.errors import DataError
from asft.types import Measurements
from tests.measure.conftest import MakePool, Tiny


def naive(loaded: student.Loaded, prompt: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Mean last hidden state over the prompt's tokens, alone and in float64, of unit length."""
    ids = torch.tensor(student.prompt_ids(loaded.tokenizer, [prompt]))
    with torch.inference_mode():
        made = copy.deepcopy(loaded.model).double()(input_ids=ids, output_hidden_states=True)
    mean = made.hidden_states[-1][0].mean(0).numpy()
    return np.asarray(mean / np.linalg.norm(mean))


def measured(loaded: student.Loaded, pool: measure.Pool, model: str | None = None) -> Measurements:
    return measure.measure(loaded, pool, (needs.embedding(model),))


@pytest.mark.parametrize("kind", ["pocket", "qwen2", "gemma2", "squared"])
def test_a_point_is_the_mean_of_the_last_hidden_states_over_the_prompt(
    pocket: student.Loaded, tiny: Tiny, make_pool: MakePool, kind: str
) -> None:
    loaded = pocket if kind == "pocket" else tiny(kind, **({"head_dim": 8} if kind == "gemma2" else {}))
    pool = make_pool(9)
    points = measured(loaded, pool).arrays["embedding"]
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, [naive(loaded, e.prompt) for e in pool.examples], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-6)


def test_an_adapter_and_a_missing_template_count(pocket: student.Loaded, make_pool: MakePool) -> None:
    tokenizer = copy.deepcopy(pocket.tokenizer)
    tokenizer.chat_template = None
    pool = make_pool(3)
    bare = measured(replace(pocket, tokenizer=tokenizer), pool).arrays["embedding"]
    assert np.abs(bare - measured(pocket, pool).arrays["embedding"]).max() > 1e-3
    torch.manual_seed(6)
    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    worn = replace(
        pocket, model=get_peft_model(copy.deepcopy(pocket.model), lora).eval(), tokenizer=tokenizer
    )
    points = measured(worn, pool).arrays["embedding"]
    np.testing.assert_allclose(points, [naive(worn, e.prompt) for e in pool.examples], atol=1e-5)
    assert np.abs(bare - points).max() > 1e-3


def test_what_was_accepted_before_has_points_of_its_own(tiny: Tiny, make_pool: MakePool) -> None:
    loaded, others = tiny("qwen2"), make_pool(8).examples[5:]
    found = measured(loaded, make_pool(4, accepted=others)).arrays
    assert found["embedding"].shape == (4, 32)
    np.testing.assert_allclose(
        found["accepted_embedding"], [naive(loaded, e.prompt) for e in others], atol=1e-5
    )
    assert measured(loaded, make_pool(4)).arrays["accepted_embedding"].shape == (0, 32)


def test_the_same_questions_give_the_same_bytes(tiny: Tiny, make_pool: MakePool) -> None:
    one, two = (measured(tiny("qwen2"), make_pool(7)).arrays["embedding"] for _ in range(2))
    assert one.tobytes() == two.tobytes()


def test_half_precision_gives_float32_near_the_exact_points(tiny: Tiny, make_pool: MakePool) -> None:
    loaded, pool = tiny("qwen2"), make_pool(5)
    exact = [naive(loaded, e.prompt) for e in pool.examples]
    points = measured(replace(loaded, model=loaded.model.bfloat16()), pool).arrays["embedding"]
    assert points.dtype == np.float32
    np.testing.assert_allclose((points * exact).sum(1), 1, atol=1e-2)


NAMED = """
import numpy as np

class SentenceTransformer:
    def __init__(self, name, device):
        if name != "small":
            raise OSError(f"{name} is not a folder\\nand more")
        assert device == "cpu"

    def encode(self, texts, convert_to_numpy, show_progress_bar):
        assert convert_to_numpy and not show_progress_bar
        return np.array([[3.0 * len(text), 4.0 * len(text)] for text in texts])
"""


@pytest.fixture
def with_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of the name that is like it in what is called."""
    (tmp_path / "sentence_transformers.py").write_text(NAMED)
    monkeypatch.syspath_prepend(tmp_path)
    before = sys.modules.pop("sentence_transformers", None)
    yield
    del sys.modules["sentence_transformers"]
    if before is not None:
        sys.modules["sentence_transformers"] = before


@pytest.mark.usefixtures("with_package")
def test_a_named_model_is_asked_and_its_points_have_unit_length(tiny: Tiny, make_pool: MakePool) -> None:
    others = make_pool(8).examples[6:]
    found = measured(tiny("qwen2"), make_pool(3, accepted=others), "small").arrays
    # (3, 4) has length 5.
    np.testing.assert_allclose(found["embedding"], [[0.6, 0.8]] * 3, rtol=1e-6)
    np.testing.assert_allclose(found["accepted_embedding"], [[0.6, 0.8]] * 2, rtol=1e-6)


@pytest.mark.usefixtures("with_package")
def test_a_named_model_that_is_not_there_is_told_with_the_next_step(tiny: Tiny, make_pool: MakePool) -> None:
    with pytest.raises(DataError, match=r"'large' cannot be loaded \(large is not a folder\); give a folder"):
        measured(tiny("qwen2"), make_pool(2), "large")


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None, reason="the package is installed"
)
def test_a_missing_package_is_told_by_the_name_under_which_pip_has_it(
    tiny: Tiny, make_pool: MakePool
) -> None:
    with pytest.raises(DataError, match="pip install sentence-transformers"):
        measured(tiny("qwen2"), make_pool(2), "small")
