from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from asft import decoder, measure, measurements, needs, scorer, student
from asft.rundir import digest
from asft.tasks.pocket.task import Pocket


@pytest.fixture(scope="module")
def pocket() -> student.Loaded:
    return student.load(student.Student(), "cpu")


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


def tiny(pocket: student.Loaded, kind: str, **settings: Any) -> student.Loaded:
    """A random model of another kind with the pocket student's tokens; every eleventh ends an answer."""
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(pocket.tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.5,
        **settings,
    )
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(config).eval()
    model.generation_config.eos_token_id = list(range(1, len(pocket.tokenizer), 11))
    return student.Loaded(student=student.Student(base=kind), model=model, tokenizer=pocket.tokenizer)


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
    pocket: student.Loaded, kind: str, settings: dict[str, Any]
) -> None:
    loaded = tiny(pocket, kind, **settings)
    expected = by_generate(loaded, PROMPTS, 12)
    assert {finish for _, finish in expected} == {"stop", "length"}
    for batch_size in (1, 5, 100):
        assert by_asft(loaded, PROMPTS, 12, batch_size) == expected


def test_answers_may_end_at_once(pocket: student.Loaded) -> None:
    loaded = tiny(pocket, "qwen2")
    loaded.model.generation_config.eos_token_id = list(range(len(pocket.tokenizer)))
    assert by_asft(loaded, PROMPTS, 12, 5) == [([], "stop")] * len(PROMPTS)


@pytest.mark.parametrize("asked", [{"repetition_penalty": 3.0}, {"no_repeat_ngram_size": 1}])
def test_a_model_that_asks_for_more_than_plain_greedy_gets_it(
    pocket: student.Loaded, asked: dict[str, Any]
) -> None:
    plain, loaded = tiny(pocket, "qwen2"), tiny(pocket, "qwen2")
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


def test_progress_counts_references_and_own_answers(pocket: student.Loaded) -> None:
    seen: list[int] = []
    measure.measure(pocket, pool(5), (needs.GOLD, needs.OWN), progress=seen.append)
    assert seen == sorted(seen)
    assert 5 in seen
    assert {8, 10} <= set(seen)


def pool(seeds: int, **settings: Any) -> measure.Pool:
    task = Pocket(seeds=seeds)
    examples = tuple(task.load("seed"))
    return measure.Pool(task=task, examples=examples, **{"max_new_tokens": 2, "batch_size": 3, **settings})


def test_arrays_hold_the_tokens_of_each_answer_in_the_order_of_the_pool(pocket: student.Loaded) -> None:
    found = measure.measure(pocket, pool(5, max_new_tokens=60), (needs.GOLD, needs.OWN))
    for name, stats in (
        ("gold", [one.gold for one in found.observations]),
        ("own", [one.own.stats for one in found.observations if one.own]),
    ):
        ragged = found.tokens[name]
        for number, expected in enumerate(stats):
            assert expected is not None
            where = ragged.of(number)
            assert len(ragged.nll[where]) == expected.tokens
            assert ragged.nll[where].mean() == pytest.approx(expected.nll, rel=1e-5)
            assert ragged.entropy[where].mean() == pytest.approx(expected.entropy, rel=1e-5)


def test_measurements_are_read_as_they_were_written(pocket: student.Loaded, tmp_path: Path) -> None:
    found = measure.measure(pocket, pool(4), (needs.GOLD, needs.OWN), round=2)
    found = replace(found, arrays={"embedding": np.eye(4, 3, dtype=np.float32)})
    measurements.write(tmp_path, found)
    again = measurements.read(tmp_path, found.examples, round=2)
    assert again.observations == found.observations
    np.testing.assert_array_equal(again.arrays["embedding"], found.arrays["embedding"])
    for name in ("gold", "own"):
        for part in ("offsets", "nll", "entropy", "margin"):
            np.testing.assert_array_equal(
                getattr(again.tokens[name], part), getattr(found.tokens[name], part)
            )


def test_equal_measurements_are_equal_bytes_and_leave_nothing_of_others(
    pocket: student.Loaded, tmp_path: Path
) -> None:
    found = measure.measure(pocket, pool(4), (needs.GOLD,))
    measurements.write(tmp_path / "a", found)
    measurements.write(tmp_path / "b", replace(found, arrays={"more": np.zeros((4, 1), dtype=np.float32)}))
    measurements.write(tmp_path / "b", found)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
