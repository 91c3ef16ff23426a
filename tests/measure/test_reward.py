"""Rewards of own answers by tiny reward models that are real but for their weights."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
)

from asft import measure, needs, student
from asft.errors import DataError
from asft.types import Measurements
from tests.measure.conftest import MakePool

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_labels": 1,
    "initializer_range": 0.5,
}


def saved(folder: Path, kind: str, tokenizer: Any, **settings: Any) -> str:
    """A random reward model with a tokenizer, as a folder."""
    torch.manual_seed(4)
    given = {"vocab_size": len(tokenizer), **SMALL, **settings}
    model: Any = (
        LlamaForSequenceClassification(LlamaConfig(**given))
        if kind == "llama"
        else BertForSequenceClassification(BertConfig(**given))
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def measured(pocket: student.Loaded, pool: measure.Pool, model: str) -> Measurements:
    return measure.measure(pocket, pool, needs.joined([needs.reward(model)]))


def alone(folder: str, text: str, pair: str | None = None) -> float:
    """The one logit of a text by the model, without padding, in float64."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float64).eval()
    given = tokenizer(text, add_special_tokens=False) if pair is None else tokenizer(text, pair)
    with torch.inference_mode():
        return float(model(input_ids=torch.tensor([given["input_ids"]])).logits[0, 0])


def rewards(found: Measurements) -> list[float]:
    values = [one.signals["reward"] for one in found.observations]
    assert all(value is not None for value in values)
    return [value for value in values if value is not None]


def own(found: Measurements) -> list[str]:
    return [one.own.text for one in found.observations if one.own]


@pytest.mark.parametrize("pad", [0, None])
def test_a_reward_is_the_logit_of_the_chat_whatever_shares_its_batch(
    pocket: student.Loaded, make_pool: MakePool, tmp_path: Path, pad: int | None
) -> None:
    model = saved(tmp_path, "llama", pocket.tokenizer, pad_token_id=pad)
    pool = make_pool(9)
    found = measured(pocket, pool, model)
    expected = []
    for example, answer in zip(pool.examples, own(found), strict=True):
        chat = [{"role": "user", "content": example.prompt}, {"role": "assistant", "content": answer}]
        expected.append(alone(model, pocket.tokenizer.apply_chat_template(chat, tokenize=False)))
    assert rewards(found) == pytest.approx(expected, abs=1e-4)
    assert max(expected) - min(expected) > 0.1


def test_without_a_template_question_and_answer_are_two_lines(
    pocket: student.Loaded, make_pool: MakePool, tmp_path: Path
) -> None:
    tokenizer = copy.deepcopy(pocket.tokenizer)
    tokenizer.chat_template = None
    model = saved(tmp_path, "llama", tokenizer, pad_token_id=0)
    pool = make_pool(3)
    found = measured(pocket, pool, model)
    expected = [alone(model, f"{e.prompt}\n{a}") for e, a in zip(pool.examples, own(found), strict=True)]
    assert rewards(found) == pytest.approx(expected, abs=1e-4)


def test_without_a_template_a_tokenizer_that_parts_texts_is_given_two(
    pocket: student.Loaded, make_pool: MakePool, tmp_path: Path
) -> None:
    tokenizer = copy.deepcopy(pocket.tokenizer)
    tokenizer.chat_template = None
    tokenizer.sep_token = tokenizer.eos_token
    model = saved(tmp_path, "bert", tokenizer, max_position_embeddings=512)
    pool = make_pool(4)
    found = measured(pocket, pool, model)
    expected = [alone(model, e.prompt, a) for e, a in zip(pool.examples, own(found), strict=True)]
    assert rewards(found) == pytest.approx(expected, abs=1e-4)


def test_an_answer_longer_than_the_model_takes_has_no_reward(
    pocket: student.Loaded, make_pool: MakePool, tmp_path: Path
) -> None:
    pool = make_pool(9)
    lengths = sorted(
        len(ids) for ids in student.prompt_ids(pocket.tokenizer, [e.prompt for e in pool.examples])
    )
    limit = lengths[4] + 2
    model = saved(tmp_path, "llama", pocket.tokenizer, pad_token_id=0, max_position_embeddings=limit)
    values = [one.signals["reward"] for one in measured(pocket, pool, model).observations]
    assert 0 < sum(value is None for value in values) < len(values)


def test_the_same_answers_give_the_same_rewards(
    pocket: student.Loaded, make_pool: MakePool, tmp_path: Path
) -> None:
    model = saved(tmp_path, "llama", pocket.tokenizer, pad_token_id=0)
    one, two = (measured(pocket, make_pool(5), model) for _ in range(2))
    assert rewards(one) == rewards(two)


def test_a_model_that_is_not_there_is_told(pocket: student.Loaded, make_pool: MakePool) -> None:
    with pytest.raises(
        DataError, match=r"reward model '\./none' cannot be loaded .*give a folder or a hub name"
    ):
        measured(pocket, make_pool(1), "./none")


def test_a_model_with_several_labels_is_told(
    pocket: student.Loaded, make_pool: MakePool, tmp_path: Path
) -> None:
    model = saved(tmp_path, "llama", pocket.tokenizer, num_labels=3)
    with pytest.raises(DataError, match="gives 3 numbers for a text"):
        measured(pocket, make_pool(1), model)
