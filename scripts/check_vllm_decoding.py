"""Check that vLLM decodes for the student as transformers does; for an interpreter that has vLLM.

    python scripts/check_vllm_decoding.py --adapter DIR [--prompts 60] [--logs DIR]

The pocket student answers, greedily, bare and with the adapter, by transformers, by vLLM inside the process
and by a vLLM server that is given the adapter while it runs. Their token ids must be the same, but where two
tokens are as good as equally likely, and the log-probabilities of vLLM's tokens those of the scorer. Samples
must not depend on what else is asked for. Exits with 1 where something is wrong.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from asft import decoder, scorer, student
from asft.decoder.vllm.in_process import OwnVLLM
from asft.decoder.vllm.served import Served
from asft.tasks.pocket.task import Pocket
from asft.teachers.vllm.server import Server

TIE = 1e-3
"""Nats between the two likeliest tokens, below which either may be chosen."""
CLOSE = 1e-3
"""Nats between two computations of the same log-probability."""
LENGTH = 120
FLAGS = ["--enforce-eager", "--max-model-len", "1024"]


def compare(name: str, loaded: student.Loaded, prompts: Sequence[str], by: decoder.Decoder) -> list[str]:
    """What is wrong with greedy answers."""
    expected = decoder.decode(loaded, prompts, max_new_tokens=LENGTH, stats=True)
    began = time.monotonic()
    found = decoder.decode(loaded, prompts, max_new_tokens=LENGTH, stats=True, by=by)
    seconds = time.monotonic() - began
    wrong, ties = [], 0
    for number, (one, wanted) in enumerate(zip(found, expected, strict=True)):
        if one.token_ids == wanted.token_ids:
            continue
        pairs = zip(one.token_ids, wanted.token_ids, strict=False)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if at is None or wanted.tokens is None or wanted.tokens.margin[at] > TIE:
            wrong.append(f"{name}: prompt {number} is answered otherwise: {one.answer.text!r}")
        ties += 1
    asked = student.prompt_ids(loaded.tokenizer, prompts)
    rows = [(ids, one.token_ids) for ids, one in zip(asked, found, strict=True)]
    scored = scorer.per_token(loaded, rows).tokens
    worst = max(
        float(abs(one.nll - row.nll).max())
        for one, row in zip(found, scored, strict=True)
        if one.nll is not None
    )
    tokens = sum(len(one.token_ids) for one in found)
    print(
        f"{name}: {len(found)} answers, {ties} ties fell otherwise, nll within {worst:.1e} nats, "
        f"{tokens} tokens in {seconds:.1f} s",
        flush=True,
    )
    if worst > CLOSE:
        wrong.append(f"{name}: the nll is {worst} nats from the scorer's")
    return wrong


def samples(name: str, loaded: student.Loaded, prompts: Sequence[str], by: decoder.Decoder) -> list[str]:
    """What is wrong with samples."""

    def drawn(order: Sequence[int]) -> dict[int, list[tuple[int, ...]]]:
        found = decoder.sample(
            loaded,
            [prompts[i] for i in order],
            [str(i) for i in order],
            k=3,
            temperature=1.5,
            top_p=0.95,
            max_new_tokens=LENGTH,
            by=by,
        )
        return {i: [one.token_ids for one in several] for i, several in zip(order, found, strict=True)}

    numbers = range(len(prompts))
    once, again = drawn(numbers), drawn(list(reversed(numbers)))
    same = sum(once[i] == again[i] for i in numbers)
    different = sum(len(set(rows)) > 1 for rows in once.values())
    print(f"{name}: samples of {same} of {len(prompts)} prompts are the same in another order", flush=True)
    # Its kernels promise no equal sums in other batches, and a few numbers fall between two tokens.
    return [] if same >= 0.9 * len(prompts) and different else [f"{name}: samples depend on the order"]


@contextmanager
def server(logs: Path) -> Iterator[str]:
    """The URL of a vLLM server with the pocket student."""
    flags = ["--model", str(student.POCKET), "--served-model-name", "pocket", "--dtype", "float32"]
    made = Server(
        python=sys.executable,
        flags=[*flags, *FLAGS, "--no-enable-chunked-prefill", "--enable-lora", "--max-lora-rank", "16"],
        environment={**os.environ, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"},
        asked_as="pocket",
        extra_body={},
        timeout=600.0,
        ready_within=900.0,
    )
    asyncio.run(made.start(logs / "server.log"))
    try:
        yield made.url
    finally:
        asyncio.run(made.stop())


def check(name: str, adapter: str, prompts: Sequence[str], by: OwnVLLM | Served) -> list[str]:
    wrong = []
    base = student.load(student.Student(), "cpu")
    try:
        for worn in (None, adapter):
            with student.wearing(base, worn) as loaded:
                what = f"{name}, {'with the adapter' if worn else 'bare'}"
                wrong += compare(what, loaded, prompts, by)
                wrong += samples(what, loaded, prompts[:20], by)
    finally:
        by.close()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--prompts", type=int, default=60)
    parser.add_argument("--logs", type=Path)
    options = parser.parse_args()
    prompts = [example.prompt for example in Pocket(seeds=options.prompts).load("seed")]
    with tempfile.TemporaryDirectory() as temporary:
        logs = options.logs or Path(temporary)
        own = OwnVLLM(at_once=64, memory=0.5, args=FLAGS, log=logs / "in-process.log")
        wrong = check("in process", options.adapter, prompts, own)
        with server(logs) as url:
            served = Served(base_url=url, at_once=64, model=None, key=None)
            wrong += check("server", options.adapter, prompts, served)
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
