"""A vLLM server of our own decodes for the student, against a fake of it that has been told the answers."""

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from asft import decoder, student
from asft.decoder.vllm import served
from asft.decoder.vllm.own_server import OwnServer
from asft.errors import FatalError
from asft.tasks.pocket.task import Pocket
from tests.teachers import fake_vllm_server

PROMPTS = [example.prompt for example in Pocket(seeds=3).load("seed")]
LENGTH = 20


@pytest.fixture(scope="module")
def expected(pocket: student.Loaded) -> list[decoder.Decoded]:
    """What transformers answers."""
    return decoder.decode(pocket, PROMPTS, max_new_tokens=LENGTH)


@pytest.fixture
def log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pocket: student.Loaded,
    expected: list[decoder.Decoded],
) -> Path:
    """The log of a server that has these answers, in the environment in which it is vLLM's."""
    prompts = student.prompt_ids(pocket.tokenizer, PROMPTS)
    known = {" ".join(map(str, ids)): list(one.token_ids) for ids, one in zip(prompts, expected, strict=True)}
    (tmp_path / "answers.json").write_text(json.dumps(known), "utf-8")
    monkeypatch.setenv("FAKE_VLLM_ANSWERS", str(tmp_path / "answers.json"))
    monkeypatch.setenv("PYTHONPATH", fake_vllm_server.installed(tmp_path / "fake"))
    return tmp_path / "logs" / "student-vllm.log"


@pytest.fixture
def server(log: Path) -> Iterator[OwnServer]:
    made = OwnServer(python=sys.executable, at_once=2, memory=0.5, args=["--max-num-seqs", "8"], log=log)
    yield made
    made.close()


def starts(log: Path) -> list[list[str]]:
    """The flags of each start."""
    return [json.loads(found) for found in re.findall("flags: (.*)", log.read_text())]


def asked(log: Path) -> list[dict[str, Any]]:
    return [json.loads(found) for found in re.findall("asked: (.*)", log.read_text())]


def gone(log: Path) -> bool:
    """Whether what the last server had started is gone, soon."""
    stat = Path("/proc", re.findall(r"worker: (\d+)", log.read_text())[-1], "stat")
    deadline = time.monotonic() + 30.0
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def adapter(folder: Path, rank: int) -> str:
    base = student.load(student.Student(), "cpu")
    get_peft_model(base.model, LoraConfig(r=rank, task_type="CAUSAL_LM")).save_pretrained(str(folder))
    return str(folder)


def test_its_answers_are_those_of_transformers_and_it_ends_with_all_that_it_started(
    pocket: student.Loaded, server: OwnServer, log: Path, expected: list[decoder.Decoded]
) -> None:
    found = decoder.decode(pocket, PROMPTS, max_new_tokens=LENGTH, stats=True, by=server)
    named = server.named()
    server.close()
    assert [one.answer.text for one in found] == [one.answer.text for one in expected]
    assert [one.token_ids for one in found] == [one.token_ids for one in expected]
    assert named == "vLLM 0.0.fake"
    [flags] = starts(log)
    assert flags[flags.index("--model") + 1] == str(student.POCKET)
    assert flags[flags.index("--dtype") + 1] == "float32"
    assert flags[flags.index("--max-num-seqs") + 1] == "8"
    assert "--enable-lora" not in flags
    assert gone(log)


def test_an_outline_of_the_student_is_asked_for_the_same_as_the_student(
    pocket: student.Loaded, server: OwnServer, log: Path
) -> None:
    for loaded in (pocket, student.outline(student.Student())):
        decoder.answer(loaded, PROMPTS[:1], max_new_tokens=LENGTH, by=server)
    first, second = asked(log)
    assert first == second
    assert len(starts(log)) == 1


def test_no_more_is_asked_for_than_the_model_takes(
    pocket: student.Loaded, server: OwnServer, log: Path
) -> None:
    decoder.answer(pocket, PROMPTS[:1], max_new_tokens=100_000, by=server)
    [body] = asked(log)
    assert body["max_tokens"] + len(body["prompt"]) == fake_vllm_server.LONGEST


def test_it_ends_an_answer_at_a_stop_string(pocket: student.Loaded, server: OwnServer, log: Path) -> None:
    [answer] = decoder.answer(pocket, PROMPTS[:1], max_new_tokens=LENGTH, stop=[" ", "<|user|>"], by=server)
    [body] = asked(log)
    assert (body["stop"], body["include_stop_str_in_output"]) == ([" ", "<|user|>"], True)
    special = pocket.tokenizer.convert_tokens_to_ids("<|user|>")
    assert body["stop_token_ids"] == sorted({*pocket.end_ids, special})
    assert " " not in answer.text


def test_it_starts_anew_for_an_adapter_that_it_has_no_room_for_and_for_a_whole_model(
    pocket: student.Loaded, server: OwnServer, log: Path, tmp_path: Path
) -> None:
    small, whole = adapter(tmp_path / "small", 4), str(tmp_path / "whole")
    pocket.model.save_pretrained(whole)
    for folder in (None, small, None, whole):
        worn = replace(pocket, student=student.Student(adapter=folder))
        decoder.answer(worn, PROMPTS[:1], max_new_tokens=LENGTH, by=server)
    models = [flags[flags.index("--model") + 1] for flags in starts(log)]
    assert models == [str(student.POCKET), str(student.POCKET), whole]
    assert ["--max-lora-rank" in flags for flags in starts(log)] == [False, True, False]
    names = [body["model"] for body in asked(log)]
    assert names == ["student", names[1], "student", "student"]
    assert names[1].startswith("asft-")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("dies", r"ends before it is ready(.|\n)*CUDA out of memory"),
        ("mortal", r"has ended in the middle of its work(.|\n)*the engine core is dead"),
    ],
)
def test_a_server_that_dies_is_told_with_the_end_of_its_log(
    pocket: student.Loaded,
    server: OwnServer,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    told: str,
) -> None:
    monkeypatch.setattr(served, "WAITS", (0.0,))
    monkeypatch.setenv("FAKE_VLLM", fault)
    with pytest.raises(FatalError, match=told):
        decoder.answer(pocket, PROMPTS, max_new_tokens=LENGTH, by=server)


def test_an_interpreter_without_vllm_is_told_before_anything_starts(
    pocket: student.Loaded, server: OwnServer, monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    monkeypatch.delenv("PYTHONPATH")
    with pytest.raises(FatalError, match=r"vLLM is not installed for .*asft\[vllm\]"):
        decoder.answer(pocket, PROMPTS[:1], max_new_tokens=LENGTH, by=server)
    assert not log.exists()


def test_an_outline_has_all_but_the_weights(pocket: student.Loaded, tmp_path: Path) -> None:
    made = student.outline(student.Student())
    assert {one.device.type for one in made.model.parameters()} == {"meta"}
    assert (made.model.dtype, made.end_ids) == (torch.float32, pocket.end_ids)
    assert made.model.generation_config.to_dict() == pocket.model.generation_config.to_dict()
    assert student.prompt_ids(made.tokenizer, PROMPTS) == student.prompt_ids(pocket.tokenizer, PROMPTS)
    pocket.model.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    bare = student.Student(adapter=str(tmp_path))
    assert (
        student.outline(bare).model.generation_config.to_dict()
        == student.load(bare, "cpu").model.generation_config.to_dict()
    )
