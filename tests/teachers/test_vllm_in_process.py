"""The `vllm` teacher inside the process, against a fake of vLLM as far as the teacher knows it."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from asft.errors import FatalError, RequestError
from asft.teachers.openai import seed_of
from asft.teachers.vllm import VLLM
from asft.types import Message, Reply, Request, Sampling

ASKED = Request(messages=(Message(role="user", content="hello"),), sampling=Sampling(max_tokens=20), draw=2)


async def ask(teacher: VLLM) -> Reply:
    async with teacher:
        return await teacher.reply(ASKED)


class FakeTokenizer:
    def apply_chat_template(self, chat: list[dict[str, str]], **options: Any) -> list[int]:
        if chat[0]["role"] == "system":
            raise ValueError("System role not supported")
        return list(range(len(chat[0]["content"])))


class FakeEngine:
    """Stands in for AsyncLLM: bound to the loop in which it is first asked, as that is."""

    made: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.params: list[SimpleNamespace] = []
        self.adapters: list[Any] = []
        self.done: list[str] = []
        self.loops: set[int] = set()
        self.model_config = SimpleNamespace(
            max_model_len=30, get_diff_sampling_param=lambda: {"top_k": 20, "temperature": 0.6}
        )

    @classmethod
    def from_engine_args(cls, options: argparse.Namespace) -> "FakeEngine":
        cls.made()
        return cls(options)

    def get_tokenizer(self) -> FakeTokenizer:
        return FakeTokenizer()

    async def generate(
        self, prompt: Mapping[str, Any], params: SimpleNamespace, name: str, lora_request: Any
    ) -> AsyncIterator[SimpleNamespace]:
        ids = prompt["prompt_token_ids"]
        if len(ids) >= self.model_config.max_model_len:
            raise ValueError(f"The prompt (length {len(ids)}) is too long")
        self.loops.add(id(asyncio.get_running_loop()))
        self.params.append(params)
        self.adapters.append(lora_request)
        await asyncio.sleep(0)
        answer = SimpleNamespace(text="hi", token_ids=[1, 2], finish_reason="length")
        yield SimpleNamespace(outputs=[answer], num_cached_tokens=4)

    async def sleep(self, level: int) -> None:
        self.done.append(f"sleep {level}")

    async def wake_up(self) -> None:
        self.done.append("wake")

    def shutdown(self) -> None:
        self.done.append("shutdown")


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """A fake vLLM, as far as the teacher knows it; the engines that are made."""
    made: list[FakeEngine] = []

    class Engine(FakeEngine):
        def __init__(self, options: argparse.Namespace) -> None:
            super().__init__(options)
            made.append(self)

    class EngineArgs:
        @staticmethod
        def add_cli_args(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
            for flag in ("--model", "--dtype", "--max-lora-rank"):
                parser.add_argument(flag)
            for flag in ("--enable-lora", "--enable-sleep-mode"):
                parser.add_argument(flag, action="store_true")
            return parser

        @staticmethod
        def from_cli_args(options: argparse.Namespace) -> argparse.Namespace:
            return options

    parts: dict[str, dict[str, Any]] = {
        "vllm": {},
        "vllm.inputs": {"tokens_input": lambda ids: {"type": "token", "prompt_token_ids": ids}},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": SimpleNamespace},
        "vllm.sampling_params": {
            "SamplingParams": SimpleNamespace,
            "RequestOutputKind": SimpleNamespace(FINAL_ONLY=2),
        },
        "vllm.engine": {},
        "vllm.engine.arg_utils": {"AsyncEngineArgs": EngineArgs},
        "vllm.utils": {},
        "vllm.utils.argparse_utils": {"FlexibleArgumentParser": argparse.ArgumentParser},
        "vllm.v1": {},
        "vllm.v1.engine": {},
        "vllm.v1.engine.async_llm": {"AsyncLLM": Engine},
        "vllm.v1.engine.exceptions": {"EngineDeadError": type("EngineDeadError", (Exception,), {})},
    }
    for name, values in parts.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    # What vLLM reads of the environment is set for good.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return made


def test_it_asks_as_the_server_would(engines: list[FakeEngine], tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 24}')
    teacher = VLLM(model="m", mode="in_process", adapter=str(tmp_path), sampling={"min_p": 0.1})

    reply = asyncio.run(ask(teacher))

    assert (reply.text, reply.finish, reply.cost_usd) == ("hi", "length", 0.0)
    assert (reply.input_tokens, reply.output_tokens, reply.cached_tokens) == (5, 2, 4)
    [engine] = engines
    [params] = engine.params
    assert vars(params) == {
        # The model's own default, the recipe's, and the request's, which goes before the model's.
        "top_k": 20,
        "min_p": 0.1,
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 20,
        "seed": seed_of(ASKED),
        "output_kind": 2,
    }
    assert [worn.lora_path for worn in engine.adapters] == [str(tmp_path)]
    assert (engine.options.enable_lora, engine.options.max_lora_rank) == (True, "32")
    assert engine.done == ["shutdown"]
    assert "VLLM_LOGGING_CONFIG_PATH" not in os.environ


def test_it_lives_in_one_loop_whatever_loops_ask(engines: list[FakeEngine], tmp_path: Path) -> None:
    teacher = VLLM(model="m", mode="in_process")
    asyncio.run(teacher.wake(tmp_path))
    for _ in range(2):
        asyncio.run(ask(teacher))
    asyncio.run(teacher.stop())

    [engine] = engines
    assert (len(engine.params), len(engine.loops)) == (2, 1)


def test_it_sleeps_and_wakes_where_there_is_a_device(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    teacher = VLLM(model="m", mode="in_process")

    async def two_rounds() -> None:
        for _ in range(2):
            await teacher.wake(tmp_path)
            await teacher.sleep()
        await teacher.stop()

    asyncio.run(two_rounds())

    [engine] = engines
    assert engine.options.enable_sleep_mode
    assert engine.done == ["sleep 1", "wake", "sleep 1", "shutdown"]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (Message(role="user", content="x" * 30), "too long"),
        (Message(role="system", content="x"), "chat template refuses a request: System role not supported"),
    ],
)
def test_what_it_refuses_is_a_refusal_and_no_failure(
    engines: list[FakeEngine], message: Message, told: str
) -> None:
    async def refused() -> None:
        async with VLLM(model="m", mode="in_process") as teacher:
            await teacher.reply(Request(messages=(message,)))

    with pytest.raises(RequestError, match=told):
        asyncio.run(refused())


def test_a_flag_of_the_server_alone_is_told(engines: list[FakeEngine]) -> None:
    teacher = VLLM(model="m", mode="in_process", args=["--reasoning-parser", "qwen3"])
    with pytest.raises(FatalError, match="--reasoning-parser qwen3, which vLLM's engine does not take"):
        asyncio.run(ask(teacher))


def test_a_start_that_fails_is_told_and_can_be_tried_again(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("Engine core initialization failed")

    teacher = VLLM(model="m", mode="in_process")
    with monkeypatch.context() as failing:
        failing.setattr(FakeEngine, "made", staticmethod(fail))
        with pytest.raises(FatalError, match=r"does not start .*Engine core initialization failed"):
            asyncio.run(ask(teacher))

    assert asyncio.run(ask(teacher)).text == "hi"


def test_a_start_that_takes_too_long_is_told(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeEngine, "made", staticmethod(lambda: time.sleep(2.0)))
    teacher = VLLM(model="m", mode="in_process", ready_within=0.05)
    with pytest.raises(FatalError, match="is not ready within `ready_within`"):
        asyncio.run(ask(teacher))
