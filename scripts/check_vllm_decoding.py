"""Check that vLLM decodes for the student as transformers does; for an interpreter that has vLLM.

    python scripts/check_vllm_decoding.py [--adapter DIR] [--items 60] [--dtype float32]
                                          [--task gsm8k --set source=FOLDER]

The pocket student answers a task's test split, greedily, bare and with the adapter, by transformers, by vLLM
inside the process and by a vLLM server of its own, which is given the adapter while it runs. Their token ids
must be the same, but where two tokens are as good as equally likely, and the log-probabilities of vLLM's
tokens those of the scorer. Samples must not depend on what else is asked for. Each item that is answered
otherwise is shown. Exits with 1 where something is wrong.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from asft import decoder, recipe, registry, scorer, student
from asft.decoder.vllm.in_process import OwnVLLM
from asft.decoder.vllm.own_server import OwnServer
from asft.types import Example, Task

CLOSE = {"float32": 1e-3, "bfloat16": 0.2}
"""Nats between the two likeliest tokens, below which either may be chosen; and between two computations of
the same log-probability."""
LENGTH = 120
FLAGS = ["--enforce-eager", "--max-model-len", "1024"]


def compare(
    name: str,
    loaded: student.Loaded,
    task: Task,
    examples: Sequence[Example],
    by: decoder.Decoder,
    close: float,
) -> list[str]:
    """What is wrong with greedy answers."""
    prompts = [example.prompt for example in examples]
    expected = decoder.decode(loaded, prompts, max_new_tokens=LENGTH, stats=True)
    began = time.monotonic()
    found = decoder.decode(loaded, prompts, max_new_tokens=LENGTH, stats=True, by=by)
    seconds = time.monotonic() - began
    wrong, other = [], 0
    for number, (example, one, wanted) in enumerate(zip(examples, found, expected, strict=True)):
        if one.token_ids == wanted.token_ids:
            continue
        pairs = zip(one.token_ids, wanted.token_ids, strict=False)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        margin = None if at is None or wanted.tokens is None else float(wanted.tokens.margin[at])
        grades = [task.grade(example, answer.answer.text).value for answer in (wanted, one)]
        print(f"  item {number}: other from token {at} on, margin {margin} nats; grades {grades}", flush=True)
        if margin is None or margin > close:
            wrong.append(f"{name}: item {number} is answered otherwise: {one.answer.text!r}")
        other += 1
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
        f"{name}, by {by.named()}: {len(found) - other} of {len(found)} answers are the same, nll within "
        f"{worst:.1e} nats, {tokens} tokens in {seconds:.1f} s",
        flush=True,
    )
    if worst > close:
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


def check(name: str, options: argparse.Namespace, by: OwnVLLM | OwnServer) -> list[str]:
    """What is wrong with one of vLLM's kinds."""
    task: Task = registry.make("task", options.task, recipe.options(options.overrides))
    examples = list(task.load("test"))[: options.items]
    base = student.load(student.Student(), "cpu")
    base.model.to(getattr(torch, options.dtype))
    wrong = []
    try:
        for worn in (None, *([options.adapter] if options.adapter else [])):
            with student.wearing(base, worn) as loaded:
                what = f"{name}, {'with the adapter' if worn else 'bare'}"
                wrong += compare(what, loaded, task, examples, by, CLOSE[options.dtype])
                wrong += samples(what, loaded, [example.prompt for example in examples[:20]], by)
    finally:
        by.close()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--adapter")
    parser.add_argument("--task", default="pocket")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--dtype", choices=CLOSE, default="float32")
    parser.add_argument("--logs", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        logs = options.logs or Path(temporary)
        own = OwnVLLM(at_once=64, memory=0.5, args=FLAGS, log=logs / "in-process.log")
        wrong = check("in process", options, own)
        server = OwnServer(python=sys.executable, at_once=64, memory=0.5, args=FLAGS, log=logs / "server.log")
        wrong += check("server", options, server)
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
