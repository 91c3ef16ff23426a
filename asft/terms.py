"""What well-known providers and licences say of training a model with their output.

A small table, each row with the day for which it is known, for terms change. It is a reminder and no legal
advice: it stops nothing, and what a recipe says of a teacher's terms takes its place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Those of a provider, or the licence of a family of models."""

    who: str
    says: str
    """What they say of training with output, after the name."""
    url: str
    known: str
    """The date of the version that was read, or of the reading where a page has none."""
    hosts: tuple[str, ...] = ()
    """Of the provider; hosts below them count too."""
    models: str = ""
    """Names of models, as a regular expression; a provider's terms hold behind other hosts too."""


READ = "2026-11-21"
_OTHERS = "serves models of others: its own terms hold, and those of the model"
_UNSURE = "has terms for what its output may be used for"

TABLE = (
    Terms(
        who="OpenAI",
        says="forbids to use its output to develop models that compete with OpenAI",
        url="https://openai.com/policies/",
        known="2024-01-31",
        hosts=("api.openai.com",),
        models=r"\b(gpt-(?!oss)|chatgpt|o[1-9]\b)",
    ),
    Terms(
        who="Anthropic",
        says="forbids to train models that compete with its own; specialised tools, such as classifiers, are "
        "named as allowed",
        url="https://support.claude.com/en/articles/12326764-can-i-use-my-outputs-to-train-an-ai-model",
        known=READ,
        hosts=("api.anthropic.com",),
        models=r"\bclaude",
    ),
    Terms(
        who="Google",
        says="forbids to use the Gemini API to develop models that compete with it",
        url="https://ai.google.dev/gemini-api/terms",
        known="2025-05-20",
        hosts=("generativelanguage.googleapis.com",),
        models=r"\bgemini",
    ),
    Terms(
        who="xAI",
        says="forbids to use its service or output to develop models that compete with xAI",
        url="https://x.ai/legal",
        known=READ,
        hosts=("api.x.ai",),
        models=r"\bgrok",
    ),
    Terms(
        who="Mistral",
        says=_UNSURE,
        url="https://legal.mistral.ai/terms",
        known=READ,
        hosts=("api.mistral.ai",),
    ),
    Terms(
        who="Cohere",
        says=_UNSURE,
        url="https://cohere.com/saas-agreement",
        known=READ,
        hosts=("api.cohere.com", "api.cohere.ai"),
    ),
    Terms(
        who="DeepSeek",
        says=_UNSURE,
        url="https://www.deepseek.com",
        known=READ,
        hosts=("api.deepseek.com",),
    ),
    Terms(
        who="Groq",
        says=_OTHERS,
        url="https://console.groq.com/docs/terms-of-sale",
        known=READ,
        hosts=("api.groq.com",),
    ),
    Terms(
        who="Together",
        says=_OTHERS,
        url="https://www.together.ai/terms-of-service",
        known=READ,
        hosts=("api.together.xyz", "api.together.ai"),
    ),
    Terms(
        who="Fireworks",
        says=_OTHERS,
        url="https://fireworks.ai/terms-of-service",
        known=READ,
        hosts=("api.fireworks.ai",),
    ),
    Terms(
        who="OpenRouter",
        says=_OTHERS,
        url="https://openrouter.ai/terms",
        known=READ,
        hosts=("openrouter.ai",),
    ),
    Terms(
        who="The licence of Llama 2 and 3",
        says="forbids to use its output to improve any other large language model",
        url="https://www.llama.com/llama3/license/",
        known="2024-04-18",
        models=r"llama[-_ ]?v?[23](?![._p]?\d)|codellama",
    ),
    Terms(
        who="The licence of Llama since 3.1",
        says='asks that a model trained with its output has a name that begins with "Llama" where it is '
        "passed on",
        url="https://www.llama.com/llama3_3/license/",
        known="2024-12-06",
        models=r"llama[-_ ]?v?(3[._p]\d|4)",
    ),
    Terms(
        who="The licence of Gemma before 4",
        says="counts a model trained with its output as a derivative, for which Gemma's terms and prohibited "
        "uses go on holding",
        url="https://ai.google.dev/gemma/terms",
        known="2024-04-01",
        # Gemma 7b is a first Gemma, and Gemma 4 is under Apache 2.0.
        models=r"\bgemma(?![-_ ]?[4-9](?![\db]))",
    ),
)


def reminders(teacher: Any) -> list[str]:
    """A sentence for each row that holds for a teacher, where the recipe says nothing of its terms."""
    if _of(teacher):
        return []
    return list(dict.fromkeys(_told(row) for one in _endpoints(teacher) for row in _holding(one)))


def stated(teacher: Any) -> list[str]:
    """What the recipe says of the terms of a teacher, or of the members of a pool."""
    return list(dict.fromkeys(filter(None, (_of(one) for one in (teacher, *_endpoints(teacher))))))


def _of(teacher: Any) -> str:
    return " ".join(str(getattr(teacher, "terms", "") or "").split())


def _endpoints(teacher: Any) -> Iterator[Any]:
    """The teacher, or the members of a pool."""
    members = getattr(teacher, "members", None)
    if not isinstance(members, tuple):
        yield teacher
        return
    for member in members:
        yield from _endpoints(getattr(member, "teacher", member))


def _holding(endpoint: Any) -> Iterator[Terms]:
    if _of(endpoint):
        return
    host = urlsplit(str(getattr(endpoint, "base_url", "") or "")).hostname or ""
    model = str(getattr(endpoint, "model", "") or "")
    for terms in TABLE:
        by_host = any(host == one or host.endswith(f".{one}") for one in terms.hosts)
        if by_host or (terms.models and re.search(terms.models, model, re.IGNORECASE)):
            yield terms


def _told(terms: Terms) -> str:
    return (
        f"teacher: {terms.who} {terms.says} (as known on {terms.known}; {terms.url}). Read the terms, and "
        "say what holds for you as `terms` in the section of the teacher"
    )
