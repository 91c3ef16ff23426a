"""vLLM inside the process decodes for the student, against a fake of it that has the same model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from asft import decoder, measure, needs, student
from asft.decoder.vllm.in_process import OwnVLLM
from asft.decoding import who_decodes
from asft.errors import DataError, FatalError, RequestError
from asft.recipe import StudentOptions, StudentVLLM
from asft.tasks.pocket.task import Pocket
from tests.decoder import fake_vllm

SEEDS = Pocket(seeds=4).load("seed")
PROMPTS = [example.prompt for example in SEEDS]
IDS = [example.id for example in SEEDS]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, pocket: student.Loaded) -> list[fake_vllm.Engine]:
    return fake_vllm.install(monkeypatch, pocket.model)


@pytest.fixture
def vllm(tmp_path: Path) -> Iterator[OwnVLLM]:
    made = OwnVLLM(at_once=3, memory=0.5, args=["--max-num-seqs", "8"], log=tmp_path / "logs" / "vllm.log")
    yield made
    made.close()


def adapter(folder: Path, rank: int) -> str:
    base = student.load(student.Student(), "cpu")
    get_peft_model(base.model, LoraConfig(r=rank, task_type="CAUSAL_LM")).save_pretrained(str(folder))
    return str(folder)


def test_greedy_answers_are_those_of_transformers_with_the_nll_of_their_tokens(
    pocket: student.Loaded, engines: list[fake_vllm.Engine], vllm: OwnVLLM
) -> None:
    expected = decoder.decode(pocket, PROMPTS, max_new_tokens=40, stats=True)
    found = decoder.decode(pocket, PROMPTS, max_new_tokens=40, stats=True, by=vllm)
    assert {one.answer.finish for one in found} == {"stop", "length"}
    for one, wanted in zip(found, expected, strict=True):
        assert (one.answer.text, one.answer.finish) == (wanted.answer.text, wanted.answer.finish)
        assert one.token_ids == wanted.token_ids
        assert one.tokens is None
        assert one.nll is not None
        assert wanted.nll is not None
        np.testing.assert_allclose(one.nll, wanted.nll, atol=1e-4)


def test_it_is_asked_for_what_the_student_would_do(
    pocket: student.Loaded, engines: list[fake_vllm.Engine], vllm: OwnVLLM
) -> None:
    decoder.sample(pocket, PROMPTS[:1], IDS[:1], k=2, temperature=0.7, top_p=0.9, max_new_tokens=5, by=vllm)
    decoder.answer(pocket, PROMPTS[:1], max_new_tokens=6, by=vllm)
    [engine] = engines
    assert (engine.options.model, engine.options.dtype) == (str(student.POCKET), "float32")
    assert (engine.options.max_num_seqs, engine.options.enable_lora) == ("8", False)
    assert engine.options.gpu_memory_utilization == "0.5"
    first, second, greedy = engine.params
    seeds = [decoder.Chance(seed=0, example_id=IDS[0], index=i, temperature=0.7).number for i in (0, 1)]
    assert [first.seed, second.seed] == seeds
    assert (first.temperature, first.top_p, first.max_tokens) == (0.7, 0.9, 5)
    assert (greedy.temperature, greedy.top_p, greedy.max_tokens) == (0.0, 1.0, 6)
    for params in engine.params:
        assert (params.top_k, params.min_p, params.repetition_penalty) == (-1, 0.0, 1.0)
        assert params.stop_token_ids == sorted(pocket.end_ids)
        assert params.logprobs is None


def test_samples_do_not_depend_on_the_order(
    pocket: student.Loaded, engines: list[fake_vllm.Engine], vllm: OwnVLLM
) -> None:
    def sampled(rows: list[int]) -> dict[str, list[tuple[int, ...]]]:
        found = decoder.sample(
            pocket,
            [PROMPTS[i] for i in rows],
            [IDS[i] for i in rows],
            k=2,
            temperature=5.0,
            max_new_tokens=6,
            by=vllm,
        )
        return {IDS[i]: [one.token_ids for one in several] for i, several in zip(rows, found, strict=True)}

    found = sampled([0, 1, 2, 3])
    assert sampled([2, 3, 1, 0]) == found
    assert len({ids for rows in found.values() for ids in rows}) == 8


def test_it_starts_when_it_is_first_asked_and_once_for_all_that_fits(
    pocket: student.Loaded, engines: list[fake_vllm.Engine], vllm: OwnVLLM, tmp_path: Path
) -> None:
    assert engines == []
    small, large = adapter(tmp_path / "small", 4), adapter(tmp_path / "large", 12)
    for folder in (None, small, None, large, small):
        with student.wearing(pocket, folder) as loaded:
            decoder.answer(loaded, PROMPTS[:1], max_new_tokens=2, by=vllm)
    bare, eight, sixteen = engines
    assert [one.options.max_lora_rank for one in engines] == [None, "8", "16"]
    assert [one.running for one in engines] == [False, False, True]
    assert bare.adapters == [None]
    [first, second] = eight.adapters
    assert (first.lora_path, second) == (str(Path(small).resolve()), None)
    assert [one.lora_path for one in sixteen.adapters] == [str(Path(f).resolve()) for f in (large, small)]
    assert len({one.lora_int_id for one in (first, *sixteen.adapters)}) == 2
    vllm.close()
    assert not sixteen.running


def test_what_was_trained_whole_is_an_engine_of_its_own(
    engines: list[fake_vllm.Engine], vllm: OwnVLLM, pocket: student.Loaded, tmp_path: Path
) -> None:
    whole = str(tmp_path / "whole")
    pocket.model.save_pretrained(whole)
    worn = replace(pocket, student=student.Student(adapter=whole))
    for loaded in (pocket, worn, worn):
        decoder.answer(loaded, PROMPTS, max_new_tokens=2, by=vllm)
    assert [one.options.model for one in engines] == [str(student.POCKET), whole]
    assert [one.running for one in engines] == [False, True]
    assert engines[1].adapters == [None] * 8


def test_entropy_and_margin_come_from_the_scorer_and_the_nll_from_vllm(
    pocket: student.Loaded, engines: list[fake_vllm.Engine], vllm: OwnVLLM
) -> None:
    task = Pocket(seeds=2)
    pool = measure.Pool(task=task, examples=tuple(task.load("seed")), max_new_tokens=12, batch_size=4)
    wanted = (needs.OWN, needs.samples(2, 1e-4))
    expected = measure.measure(pocket, pool, wanted)
    with_vllm = measure.Pool(task=task, examples=pool.examples, max_new_tokens=12, batch_size=4, decoder=vllm)
    found = measure.measure(pocket, with_vllm, wanted)
    for part in ("nll", "entropy", "margin"):
        np.testing.assert_allclose(
            getattr(found.tokens["own"], part), getattr(expected.tokens["own"], part), atol=1e-3
        )
    for one, other in zip(found.observations, expected.observations, strict=True):
        assert one.own is not None
        assert other.own is not None
        assert (one.own.text, one.own.grade) == (other.own.text, other.own.grade)
        assert [sample.text for sample in one.samples] == [sample.text for sample in other.samples]


def test_a_prompt_that_it_refuses_ends_the_step(
    pocket: student.Loaded, engines: list[fake_vllm.Engine], vllm: OwnVLLM
) -> None:
    with pytest.raises(RequestError, match="vLLM refuses a request: The prompt is too long"):
        decoder.answer(pocket, ["7" * 2100], max_new_tokens=2, by=vllm)


def test_a_model_that_asks_for_what_vllm_does_not_know_is_told(
    engines: list[fake_vllm.Engine], vllm: OwnVLLM
) -> None:
    loaded = student.load(student.Student(), "cpu")
    loaded.model.generation_config.update(repetition_penalty=1.1)
    decoder.answer(loaded, PROMPTS[:1], max_new_tokens=2, by=vllm)
    assert engines[0].params[0].repetition_penalty == 1.1
    loaded.model.generation_config.update(no_repeat_ngram_size=3)
    with pytest.raises(DataError, match=r"sets no_repeat_ngram_size, which vLLM does not know.*decoder: hf"):
        decoder.answer(loaded, PROMPTS[:1], max_new_tokens=2, by=vllm)


def test_where_vllm_is_not_installed_that_is_told(
    pocket: student.Loaded, vllm: OwnVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asft.decoder.vllm.in_process.find_spec", lambda name: None)
    with pytest.raises(FatalError, match=r"vLLM is not installed here; .*decoder: hf"):
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=2, by=vllm)


def test_the_dtype_is_that_of_the_student(engines: list[fake_vllm.Engine], vllm: OwnVLLM) -> None:
    loaded = student.load(student.Student(), "cpu")
    loaded.model.to(torch.bfloat16)
    decoder.answer(loaded, PROMPTS[:1], max_new_tokens=1, by=vllm)
    assert engines[0].options.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("alone", "said", "taken"), [(True, None, "0.5"), (False, None, "0.5"), (True, 0.3, "0.3")]
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_on_a_cpu_it_takes_half_of_the_memory_or_what_is_said(
    engines: list[fake_vllm.Engine],
    pocket: student.Loaded,
    tmp_path: Path,
    alone: bool,
    said: float | None,
    taken: str,
) -> None:
    options = StudentOptions(base="pocket", decoder="vllm", vllm=StudentVLLM(gpu_memory_utilization=said))
    with who_decodes(options, tmp_path / "vllm.log", alone=alone) as by:
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=2, by=by)
    assert engines[0].options.gpu_memory_utilization == taken
