"""What a recipe may rely on, one question each. A field that is taken without effect is `ignored`."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asft.probe.asking import Answer, Asking
from asft.probe.findings import Finding

Check = Callable[[Asking, Answer], Awaitable[Finding]]

WORDS = "Write ten words that come to your mind, whatever they are, in one line."
SCHEMA = {
    "type": "object",
    "properties": {"asft_number": {"type": "integer"}},
    "required": ["asft_number"],
    "additionalProperties": False,
}
"""With a name that no model gives by itself."""
LENGTHS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx", "n_ctx_train")
"""What servers call the context length in their list of models."""
_CONTEXT = re.compile(
    r"context[ _](?:length|window|size)\D{0,40}?(\d[\d,]{2,})|max_model_len\D{0,20}?(\d[\d,]{2,})", re.I
)
_OUTPUT = re.compile(r"at most (\d[\d,]{2,})\D{0,12}(?:completion|output) tokens", re.I)
BEYOND = 50_000_000
"""Tokens; more than any context."""


async def _usage(asking: Asking, first: Answer) -> Finding:
    read, written = first.usage.get("prompt_tokens"), first.usage.get("completion_tokens")
    if isinstance(read, int) and isinstance(written, int):
        return _found("usage", "yes", f"{read} tokens in, {written} out")
    return _found("usage", "no", "no token counts: costs would be estimated from the length of the texts")


async def _reasoning(asking: Asking, first: Answer) -> Finding:
    for name in ("reasoning_content", "reasoning"):
        if first.message.get(name):
            return _found("reasoning", "yes", f"apart from the answer, as {name}")
    details = first.usage.get("completion_tokens_details")
    hidden = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    if isinstance(hidden, int) and hidden:
        return _found("reasoning", "yes", f"hidden; {hidden} tokens of {first.usage['completion_tokens']}")
    if "<think>" in first.text:
        return _found("reasoning", "yes", "within the answer, as <think>")
    return _found("reasoning", "no", "none that is told apart")


async def _logprobs(asking: Asking, first: Answer) -> Finding:
    answer = await asking.chat_patiently("Say hello.", 8, logprobs=True, top_logprobs=2)
    if not answer.ok:
        return _refused("logprobs", answer)
    found = answer.choices[0].get("logprobs")
    rows = found.get("content") if isinstance(found, Mapping) else None
    if isinstance(rows, list) and rows:
        return _found("logprobs", "yes", f"of {len(rows)} tokens, with the likeliest others")
    return _found("logprobs", "ignored", "none came")


async def _samples(asking: Asking, first: Answer) -> Finding:
    # Two greedy answers would be one, and some servers refuse that.
    answer = await asking.chat_patiently("Say hello.", 8, n=2, temperature=1.0)
    if not answer.ok:
        return _refused("n", answer)
    count = len(answer.choices)
    return _found("n", "yes" if count == 2 else "ignored", f"{count} of 2 answers to one request")


async def _seed(asking: Asking, first: Answer) -> Finding:
    if "seed" in asking.left_out:
        return _found("seed", "unknown", "the recipe leaves it out")
    answers = [await asking.chat_patiently(WORDS, 32, seed=seed, temperature=1.0) for seed in (7, 7, 8)]
    wrong = next((answer for answer in answers if not answer.ok), None)
    if wrong is not None:
        return _refused("seed", wrong)
    one, again, other = (answer.text for answer in answers)
    if not one:
        return _found("seed", "unknown", "32 tokens give no text")
    if one != again:
        return _found("seed", "ignored", "the same seed twice gives two texts at temperature 1")
    if one == other:
        return _found("seed", "unknown", "another seed gives the same text too, at temperature 1")
    return _found("seed", "yes", "the same seed gives the same text at temperature 1, another one another")


async def _schema(asking: Asking, first: Answer) -> Finding:
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
    answer = await asking.chat_patiently("Name a number.", 256, response_format=wanted)
    if not answer.ok:
        return _refused("JSON schema", answer)
    try:
        value = json.loads(answer.text)
    except ValueError:
        value = None
    if isinstance(value, dict) and set(value) == {"asft_number"} and isinstance(value["asft_number"], int):
        return _found("JSON schema", "yes", "response_format is obeyed")
    if not answer.text or answer.choices[0].get("finish_reason") == "length":
        return _found("JSON schema", "unknown", f"256 tokens give no whole answer: {answer.text!r:.40}")
    return _found("JSON schema", "ignored", f"the answer does not follow it: {answer.text!r:.40}")


async def _context(asking: Asking, first: Answer) -> Finding:
    listed = next((one for one in asking.models or () if one.get("id") == asking.model), {})
    meta = listed.get("meta")
    told: dict[str, Any] = {**(meta if isinstance(meta, Mapping) else {}), **listed}
    for name in LENGTHS:
        if isinstance(told.get(name), int) and told[name] > 0:
            return _found("context length", "yes", f"{told[name]:,} tokens, as {name} in the list of models")
    # Where there is no limit it ends at the first space.
    answer = await asking.chat_patiently("Say hello.", BEYOND, stop=[" ", "\n"])
    found = _CONTEXT.search(answer.told)
    if found:
        size = int((found[1] or found[2]).replace(",", ""))
        return _found("context length", "yes", f"{size:,} tokens, says the refusal of more")
    if most := _OUTPUT.search(answer.told):
        size = int(most[1].replace(",", ""))
        return _found("context length", "unknown", f"told nowhere; an answer has at most {size:,} tokens")
    return _found("context length", "unknown", "told nowhere")


async def _limits(asking: Asking, first: Answer) -> Finding:
    told = {
        name.lower().removeprefix("x-"): value
        for name, value in first.headers.items()
        if "ratelimit" in name.lower().replace("-", "").replace("_", "")
    }
    if not told:
        return _found("rate limits", "no", "no header tells them")
    return _found("rate limits", "yes", ", ".join(f"{name} {value}" for name, value in sorted(told.items())))


CHECKS: Mapping[str, Check] = {
    "usage": _usage,
    "reasoning": _reasoning,
    "rate limits": _limits,
    "context length": _context,
    "seed": _seed,
    "n": _samples,
    "logprobs": _logprobs,
    "JSON schema": _schema,
}
"""In the order in which they are told."""


def _found(name: str, verdict: Any, detail: str) -> Finding:
    return Finding(name=name, verdict=verdict, detail=detail)


def _refused(name: str, answer: Answer) -> Finding:
    """A refusal is a no; anything else that went wrong says nothing."""
    if answer.status in (400, 422):
        return _found(name, "no", f"refused: {answer.told}")
    said = f"{answer.status}: {answer.told}" if answer.status else answer.told
    return _found(name, "unknown", said or "no answer")
