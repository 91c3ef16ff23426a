"""The likeliest answers, in any batch, by any model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from asft import decoder, scorer, student
from asft.tasks.pocket.task import Pocket

Tiny = Callable[..., student.Loaded]


def test_greedy_answers_are_the_most_likely_tokens_one_by_one(pocket: student.Loaded) -> None:
    prompts = [e.prompt for e in Pocket(seeds=7).load("seed")]
    answers = decoder.answer(pocket, prompts, batch_size=3)
    for prompt, answer in zip(prompts, answers, strict=True):
        ids = student.prompt_ids(pocket.tokenizer, [prompt])[0]
        for token in [
            *answer.token_ids,
            *([] if answer.finish == "length" else [pocket.tokenizer.eos_token_id]),
        ]:
            with torch.inference_mode():
                logits = pocket.model(input_ids=torch.tensor([ids])).logits[0, -1]
            # Padding changes sums in the last bits; a tie within them may fall either way.
            assert logits[token] >= logits.max() - 1e-3
            ids = [*ids, token]


def by_generate(loaded: student.Loaded, prompts: list[str], limit: int) -> list[tuple[list[int], str]]:
    """Token ids and finish by transformers' own generate, one prompt at a time."""
    found = []
    for prompt in prompts:
        ids = torch.tensor(student.prompt_ids(loaded.tokenizer, [prompt]))
        out = loaded.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=limit,
            do_sample=False,
            eos_token_id=sorted(loaded.end_ids),
            pad_token_id=loaded.tokenizer.pad_token_id,
        )[0, ids.shape[1] :].tolist()
        ended = out[-1] in loaded.end_ids
        found.append((out[:-1], "stop") if ended else (out, "length"))
    return found


def by_asft(
    loaded: student.Loaded, prompts: list[str], limit: int, batch_size: int
) -> list[tuple[list[int], str]]:
    answers = decoder.answer(loaded, prompts, max_new_tokens=limit, batch_size=batch_size)
    return [(list(a.token_ids), a.finish) for a in answers]


PROMPTS = ["Hi", *(e.prompt for e in Pocket(seeds=7).load("seed")), "What is 6*7? " * 9]


def test_answers_of_the_pocket_student_are_those_of_generate(pocket: student.Loaded) -> None:
    expected = by_generate(pocket, PROMPTS, 50)
    assert {finish for _, finish in expected} == {"stop", "length"}
    for batch_size in (1, 5, 100):
        assert by_asft(pocket, PROMPTS, 50, batch_size) == expected


def test_statistics_of_own_answers_are_those_that_the_scorer_finds(pocket: student.Loaded) -> None:
    found = decoder.decode(pocket, PROMPTS, max_new_tokens=50, batch_size=4, stats=True)
    answers = [one.answer for one in found]
    assert {answer.finish for answer in answers} == {"stop", "length"}
    asked = student.prompt_ids(pocket.tokenizer, PROMPTS)
    end = [pocket.tokenizer.eos_token_id]
    ids = [[*a.token_ids, *(end if a.finish == "stop" else [])] for a in answers]
    scored = scorer.per_token(pocket, list(zip(asked, ids, strict=True)))
    for one, expected in zip(found, scored.tokens, strict=True):
        assert one.tokens is not None
        np.testing.assert_allclose(one.tokens.nll, expected.nll, atol=1e-3)
        np.testing.assert_allclose(one.tokens.entropy, expected.entropy, atol=1e-3)
        np.testing.assert_allclose(one.tokens.margin, expected.margin, atol=1e-3)
        assert one.answer.stats == one.tokens.stats


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("qwen2", {}), ("mistral", {"sliding_window": 16}), ("gpt_neox", {}), ("phi3", {"pad_token_id": 0})],
)
def test_answers_of_other_models_are_those_of_generate(
    tiny: Tiny, kind: str, settings: dict[str, Any]
) -> None:
    loaded = tiny(kind, **settings)
    expected = by_generate(loaded, PROMPTS, 12)
    assert {finish for _, finish in expected} == {"stop", "length"}
    for batch_size in (1, 5, 100):
        assert by_asft(loaded, PROMPTS, 12, batch_size) == expected


def test_answers_may_end_at_once(pocket: student.Loaded, tiny: Tiny) -> None:
    loaded = tiny("qwen2")
    loaded.model.generation_config.eos_token_id = list(range(len(pocket.tokenizer)))
    assert by_asft(loaded, PROMPTS, 12, 5) == [([], "stop")] * len(PROMPTS)


@pytest.mark.parametrize("asked", [{"repetition_penalty": 3.0}, {"no_repeat_ngram_size": 1}])
def test_a_model_that_asks_for_more_than_plain_greedy_gets_it(tiny: Tiny, asked: dict[str, Any]) -> None:
    plain, loaded = tiny("qwen2"), tiny("qwen2")
    loaded.model.generation_config.update(**asked)
    expected = by_generate(loaded, PROMPTS, 12)
    assert by_asft(loaded, PROMPTS, 12, 1) == expected
    assert by_asft(plain, PROMPTS, 12, 1) != expected


def test_answers_with_an_adapter_are_those_of_generate_and_leave_the_student_as_it_was(
    pocket: student.Loaded, tmp_path: Path
) -> None:
    base = student.load(student.Student(), "cpu")
    torch.manual_seed(5)
    wide = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(base.model, wide).save_pretrained(str(tmp_path))
    base = student.load(student.Student(), "cpu")
    bare = by_asft(base, PROMPTS, 30, 5)
    with student.wearing(base, str(tmp_path)) as dressed:
        expected = by_generate(dressed, PROMPTS, 30)
        assert expected != bare
        assert by_asft(dressed, PROMPTS, 30, 5) == expected
        assert by_generate(dressed, PROMPTS, 30) == expected
    assert by_asft(base, PROMPTS, 30, 5) == bare


def test_an_answer_that_the_limit_cuts_off_says_so(pocket: student.Loaded) -> None:
    prompts = [e.prompt for e in Pocket(seeds=3).load("seed")]
    for answer in decoder.answer(pocket, prompts, max_new_tokens=4):
        assert answer.finish == "length"
        assert len(answer.token_ids) == 4


def test_progress_is_told_after_each_batch(pocket: student.Loaded) -> None:
    seen: list[int] = []
    prompts = [e.prompt for e in Pocket(seeds=5).load("seed")]
    decoder.answer(pocket, prompts, max_new_tokens=2, batch_size=2, progress=seen.append)
    assert seen == [2, 4, 5]
