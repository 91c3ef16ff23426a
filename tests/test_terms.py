"""Terms: reminders by host and by model, with a date and an address, which stop nothing."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import terms
from asft.cli import main
from asft.registry import make


def holding(model: str, base_url: str = "http://127.0.0.1:8000/v1") -> list[str]:
    """Whose terms hold for a model at an address."""
    teacher = make("teacher", "openai", {"model": model, "base_url": base_url})
    told = terms.reminders(teacher)
    return [row.who for row in terms.TABLE if any(f"teacher: {row.who} " in one for one in told)]


@pytest.mark.parametrize(
    ("host", "who"),
    [
        ("api.openai.com", "OpenAI"),
        ("eu.api.openai.com", "OpenAI"),
        ("api.anthropic.com", "Anthropic"),
        ("generativelanguage.googleapis.com", "Google"),
        ("api.x.ai", "xAI"),
        ("api.mistral.ai", "Mistral"),
        ("api.cohere.ai", "Cohere"),
        ("api.deepseek.com", "DeepSeek"),
        ("api.groq.com", "Groq"),
        ("api.together.xyz", "Together"),
        ("api.fireworks.ai", "Fireworks"),
        ("openrouter.ai", "OpenRouter"),
    ],
)
def test_a_provider_is_known_by_its_host(host: str, who: str) -> None:
    assert holding("some-model", f"https://{host}/v1") == [who]


LLAMA_OLD, LLAMA, GEMMA = (
    "The licence of Llama 2 and 3",
    "The licence of Llama since 3.1",
    "The licence of Gemma",
)


@pytest.mark.parametrize(
    ("model", "who"),
    [
        ("gpt-5-mini", "OpenAI"),
        ("openai/o3", "OpenAI"),
        ("anthropic/claude-opus-5", "Anthropic"),
        ("google/gemini-3-pro", "Google"),
        ("x-ai/grok-4", "xAI"),
        ("meta-llama/Llama-2-7b-chat-hf", LLAMA_OLD),
        ("codellama/CodeLlama-34b-Instruct-hf", LLAMA_OLD),
        ("llama3-8b-8192", LLAMA_OLD),
        ("meta-llama/Meta-Llama-3-70B-Instruct", LLAMA_OLD),
        ("meta-llama/Llama-3.3-70B-Instruct", LLAMA),
        ("accounts/fireworks/models/llama-v3p1-8b-instruct", LLAMA),
        ("llama3.2:3b", LLAMA),
        ("meta-llama/Llama-4-Maverick-17B", LLAMA),
        ("google/gemma-7b-it", f"{GEMMA} before 4"),
        ("gemma3:27b", f"{GEMMA} before 4"),
        ("google/gemma-2-9b-it", f"{GEMMA} before 4"),
        ("gemma-3n-E4B-it", f"{GEMMA} before 4"),
    ],
)
def test_a_model_is_known_by_its_name_wherever_it_runs(model: str, who: str) -> None:
    assert holding(model) == [who]


@pytest.mark.parametrize(
    "model",
    [
        "openai/gpt-oss-120b",
        "google/gemma-4-31b-it",
        "gemma4:12b",
        "Qwen/Qwen3-32B",
        "HuggingFaceTB/SmolLM3-3B",
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        "mistralai/Ministral-8B",
        "foo3",
    ],
)
def test_a_model_of_which_nothing_is_known_gets_no_reminder(model: str) -> None:
    assert holding(model) == []


def test_host_and_model_hold_both() -> None:
    assert holding("meta-llama/llama-3.3-70b-instruct", "https://openrouter.ai/api/v1") == [
        "OpenRouter",
        LLAMA,
    ]


def test_a_host_that_merely_ends_alike_is_another() -> None:
    assert holding("some-model", "https://notopenrouter.ai/v1") == []
    assert holding("some-model", "https://openrouter.ai.example/v1") == []


def test_every_row_says_since_when_and_where() -> None:
    for row in terms.TABLE:
        assert date.fromisoformat(row.known) <= date.fromisoformat(terms.READ)
        assert re.fullmatch(r"https://[\w.]+(/[\w./-]*)?", row.url)
        assert row.hosts or row.models


def test_what_a_recipe_says_takes_the_place_of_the_reminder() -> None:
    section = {"use": "openai", "model": "gpt-5"}
    said = make("teacher", "openai", {"model": "gpt-5", "terms": "Our contract\n allows it."})
    assert terms.reminders(said) == []
    assert terms.stated(said) == ["Our contract allows it."]
    mixed = make(
        "teacher", "pool", {"members": [section, {**section, "model": "claude-5", "terms": "Allowed."}]}
    )
    assert len(terms.reminders(mixed)) == 1
    assert terms.stated(mixed) == ["Allowed."]
    for_all = make("teacher", "pool", {"members": [section, section], "terms": "All allowed."})
    assert (terms.reminders(for_all), terms.stated(for_all)) == ([], ["All allowed."])


def test_members_of_a_pool_are_looked_at_one_by_one_and_told_once() -> None:
    section = {"use": "openai", "model": "gpt-5"}
    pool = make("teacher", "pool", {"members": [section, section, {"use": "rules"}]})
    assert len(terms.reminders(pool)) == 1


def test_a_teacher_without_address_and_model_gets_no_reminder() -> None:
    assert terms.reminders(make("teacher", "rules")) == []
    assert terms.reminders(object()) == []


NANO: dict[str, Any] = {
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 4, "tests": 4},
    "criterion": {"use": "loss"},
    "selector": {"use": "random"},
    "writer": {"use": "question_then_answer"},
}


def test_check_warns_and_lets_the_recipe_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")

    def told(**teacher: Any) -> str:
        path = tmp_path / "nano.yaml"
        section = {"use": "openai", "model": "gpt-5", **teacher}
        path.write_text(yaml.safe_dump({**NANO, "teacher": section}), "utf-8")
        assert main(["check", str(path)]) == 0
        return capsys.readouterr().out

    assert (
        "Warning: teacher: OpenAI forbids to use its output to develop models that compete with OpenAI "
        "(as known on 2024-01-31; https://openai.com/policies/)."
    ) in told()
    said = told(terms="Our contract allows it.")
    assert "terms     Our contract allows it." in said
    assert "forbids" not in said
