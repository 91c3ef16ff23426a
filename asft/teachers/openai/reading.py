"""Reads an answer of an endpoint: takes what is there, for endpoints leave out what they like."""

import json
import re
from collections.abc import Mapping
from typing import Any

from asft.budget import ceiling_of, estimated_tokens
from asft.types import Reply, Request

_THOUGHT = re.compile(r"\s*<think>(.*?)(?:</think>|\Z)", re.DOTALL)
_CLOSED = re.compile(r"\n\s*</think>")


class UnreadableError(Exception):
    """An answer that holds no reply; the message says why."""

    def __init__(self, why: str, status: int | None = None) -> None:
        """`status`: the error that the endpoint tells in an answer with status 200."""
        super().__init__(why)
        self.status = status


def read(request: Request, body: bytes) -> Reply:
    """The reply in the body of an answer, without its price. Raises UnreadableError."""
    try:
        answer = json.loads(body)
    except ValueError as error:
        begins = body[:60].decode("utf-8", "replace")
        raise UnreadableError(f"it is no JSON ({error}): {begins!r}") from None
    answer = _mapping(answer)
    choices = answer.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        told = answer.get("error")
        if told is None:
            raise UnreadableError("it holds no message")
        code = _mapping(told).get("code")
        raise UnreadableError(message_of(answer) or str(told), code if isinstance(code, int) else None)
    text, reasoning = _apart(message)
    usage = _mapping(answer.get("usage"))
    read, written, thought = _counts(usage)
    estimated = read is None or written is None
    if read is None:
        asked = estimated_tokens(turn.content for turn in request.messages)
        read = min(asked, ceiling_of(request).input_tokens)
    if written is None:
        written = min(estimated_tokens([text, reasoning]), request.sampling.max_tokens)
    return Reply(
        text=text,
        reasoning=reasoning,
        # Whatever else ended it (a filter, a tool) has cut the answer off.
        finish="stop" if choice.get("finish_reason") in (None, "stop") else "length",
        input_tokens=read,
        output_tokens=written,
        cached_tokens=min(_cached(usage), read),
        reasoning_tokens=min(thought, written),
        estimated=estimated,
    )


def models_of(body: bytes) -> list[str]:
    """The names in a list of models; empty where it is none."""
    try:
        listed = _mapping(json.loads(body)).get("data")
    except ValueError:
        return []
    named = [_mapping(one).get("id") for one in listed] if isinstance(listed, list) else []
    return [name for name in named if isinstance(name, str)]


def message_of(body: Any) -> str:
    """The endpoint's own words on what went wrong; empty where it says nothing that is known."""
    body = _mapping(body)
    for part in (body.get("error"), body):
        told = part if isinstance(part, str) else _mapping(part).get("message")
        if isinstance(told, str) and told:
            return told
    return ""


def _apart(message: Mapping[str, Any]) -> tuple[str, str]:
    """The answer, and what was thought aloud before it: in a field or a part of its own, or in <think>."""
    said, thought = _parts(message.get("content"))
    thoughts = [_parts(message.get(name))[0] for name in ("reasoning_content", "reasoning")]
    # Some endpoints tell it under both names.
    thoughts = [*dict.fromkeys(thoughts), thought]
    found = _THOUGHT.match(said)
    if found is not None:
        thoughts.append(found[1])
        said = said[found.end() :].lstrip()
    elif "<think>" not in said and (closed := _CLOSED.search(said)) is not None:
        # Templates of some models open it in the prompt.
        thoughts.append(said[: closed.start()])
        said = said[closed.end() :].lstrip()
    return said, "\n\n".join(filter(None, (one.strip() for one in thoughts)))


def _parts(content: Any) -> tuple[str, str]:
    """Text and thoughts in a content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content, ""
    text, thought = "", ""
    for part in content if isinstance(content, list) else []:
        part = _mapping(part)
        if part.get("type") == "thinking":
            thought += "".join(_parts(part.get("thinking")))
        elif isinstance(part.get("text"), str):
            text += part["text"]
    return text, thought


def _counts(usage: Mapping[str, Any]) -> tuple[int | None, int | None, int]:
    """Tokens read, written and spent on reasoning; None where it is not told."""
    read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    thought = _count(_mapping(usage.get("completion_tokens_details")), "reasoning_tokens") or 0
    total = _count(usage, "total_tokens")
    if read is not None and written is not None and total is not None and total > read + written:
        # Some endpoints leave the reasoning out of what was written; it is charged like the rest.
        thought = max(thought, total - read - written)
        written = total - read
    return read, written, thought


def _cached(usage: Mapping[str, Any]) -> int:
    told = _count(_mapping(usage.get("prompt_tokens_details")), "cached_tokens")
    return told or _count(usage, "prompt_cache_hit_tokens") or 0


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
