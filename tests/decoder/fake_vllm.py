"""Stands in for the package vllm, as far as a student is decoded with it: an engine with a model of ours."""

import argparse
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch


class Engine:
    """Decodes one request after the other with a model in memory."""

    def __init__(self, model: Any, options: argparse.Namespace) -> None:
        self.model = model
        self.options = options
        self.model_config = SimpleNamespace(max_model_len=2048)
        self.params: list[SimpleNamespace] = []
        self.adapters: list[Any] = []
        self.running = True

    async def generate(
        self, prompt: Mapping[str, Any], params: SimpleNamespace, name: str, lora_request: Any
    ) -> AsyncIterator[SimpleNamespace]:
        self.params.append(params)
        self.adapters.append(lora_request)
        ids = list(prompt["prompt_token_ids"])
        if len(ids) > 2000:
            raise ValueError("The prompt is too long")
        yield SimpleNamespace(outputs=[written(self.model, ids, vars(params))], num_cached_tokens=0)

    def shutdown(self) -> None:
        self.running = False


@torch.inference_mode()
def written(model: Any, ids: list[int], params: Mapping[str, Any]) -> SimpleNamespace:
    """An answer as vLLM gives it: with the token that ends it, and log-probabilities without temperature."""
    tokens: list[int] = []
    logprobs: list[dict[int, SimpleNamespace]] = []
    generator = torch.Generator().manual_seed(params.get("seed") or 0)
    while len(tokens) < params["max_tokens"]:
        logits = model(input_ids=torch.tensor([ids + tokens])).logits[0, -1]
        if params["temperature"] == 0.0:
            token = int(logits.argmax())
        else:
            p = torch.softmax(logits / params["temperature"], dim=-1)
            token = int(torch.multinomial(p, 1, generator=generator))
        tokens.append(token)
        logprobs.append({token: SimpleNamespace(logprob=float(torch.log_softmax(logits, dim=-1)[token]))})
        if token in params["stop_token_ids"]:
            break
    ended = tokens[-1] in params["stop_token_ids"]
    return SimpleNamespace(
        token_ids=tuple(tokens),
        logprobs=None if params["logprobs"] is None else logprobs,
        finish_reason="stop" if ended else "length",
    )


def install(monkeypatch: pytest.MonkeyPatch, model: Any) -> list[Engine]:
    """Put it where vllm is imported from; the engines that are made."""
    made: list[Engine] = []

    def engine(options: argparse.Namespace) -> Engine:
        made.append(Engine(model, options))
        return made[-1]

    def add_cli_args(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
        named = ("model", "dtype", "revision", "max-lora-rank", "max-num-seqs", "gpu-memory-utilization")
        for flag in (f"--{name}" for name in named):
            parser.add_argument(flag)
        parser.add_argument("--enable-lora", action="store_true")
        parser.add_argument("--no-enable-chunked-prefill", action="store_true")
        return parser

    args = SimpleNamespace(add_cli_args=add_cli_args, from_cli_args=lambda options: options)
    parts: dict[str, dict[str, Any]] = {
        "vllm": {"__version__": "0.0.fake"},
        "vllm.inputs": {"tokens_input": lambda ids: {"prompt_token_ids": ids}},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": SimpleNamespace},
        "vllm.sampling_params": {
            "SamplingParams": SimpleNamespace,
            "RequestOutputKind": SimpleNamespace(FINAL_ONLY=2),
        },
        "vllm.engine": {},
        "vllm.engine.arg_utils": {"AsyncEngineArgs": args},
        "vllm.utils": {},
        "vllm.utils.argparse_utils": {"FlexibleArgumentParser": argparse.ArgumentParser},
        "vllm.v1": {},
        "vllm.v1.engine": {},
        "vllm.v1.engine.async_llm": {"AsyncLLM": SimpleNamespace(from_engine_args=engine)},
        "vllm.v1.engine.exceptions": {"EngineDeadError": type("EngineDeadError", (Exception,), {})},
    }
    for name, values in parts.items():
        module = ModuleType(name)
        module.__spec__ = importlib.util.spec_from_loader(name, None)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    # What vLLM reads of the environment is set for good.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return made
