"""How a split was asked, pass@k, maj@k and the worst groups: in all formats, and in the terminal."""

import json
from pathlib import Path
from typing import Any

import pytest

from asft.evaluate import summarise
from asft.report import as_json, evaluated, read_facts
from asft.report.html import page
from asft.report.markdown import markdown
from asft.report.sentences import extremes
from tests.report.conftest import change

ASKED: dict[str, Any] = {
    "prompt": "<|system|>Add.<|user|>6*7?<|assistant|>",
    "by": "answers",
    "system": "Add.",
    "shots": ["a", "b"],
    "max_new_tokens": 64,
    "stop": ["\n\n"],
    "samples": {"k": 2, "temperature": 0.7, "top_p": 1.0},
}


def sample(final: str | None, grade: float | None) -> dict[str, Any]:
    return {"final": final, "grade": grade, "finish": "stop"}


def told() -> dict[str, Any]:
    """Four items; samples: both right, one of two right, none right, no final answer."""
    samples = [
        [sample("7", 1.0), sample("7", 1.0)],
        [sample("8", 0.0), sample("7", 1.0)],
        [sample("8", 0.0), sample("8", 0.0)],
        [sample(None, None), sample(None, None)],
    ]
    rows = [
        {"grade": grade, "finish": "stop", "tags": {"level": level, "kind": kind}, "samples": drawn}
        for grade, level, kind, drawn in zip((1.0, 1.0, 0.0, None), "1122", "xyxy", samples, strict=True)
    ]
    return {**summarise(rows, least_group=2), "asked": ASKED}


@pytest.fixture
def sampled(copy: Path) -> Path:
    """A run whose last round tells of samples, groups and the prompt."""
    change(copy / "round-03/summary.json", lambda value: value["evaluate"].update(told()))
    return copy


def test_the_facts_are_those_of_the_summary(sampled: Path) -> None:
    facts = read_facts(sampled)
    last = facts.rounds[-1].samples
    assert last is not None
    # pass@1: (2/2 + 1/2 + 0 + 0) / 4; pass@2: two of four items; the vote: a tie that the wrong one won.
    assert {size: one.share for size, one in last.passed.items()} == {1: 0.375, 2: 0.5}
    assert (last.majority.right, last.ties, last.without) == (1, 1, 1)
    assert facts.rounds[0].samples is None
    [first] = facts.extremes
    assert (first.tag, first.worst, first.best, first.gap) == ("level", "2", "1", 1.0)
    assert facts.asked is not None
    assert facts.asked.prompt == ASKED["prompt"]
    assert dict(facts.asked.settings) == {
        "Answered by": "answers",
        "System prompt": "Add.",
        "Cut off after, tokens": "64",
        "Shots": "2",
        "Stop strings": r"'\n\n'",
        "Samples": "k 2, temperature 0.7, top-p 1.0",
    }


def test_all_formats_have_the_prompt_pass_at_k_and_the_worst_group(sampled: Path) -> None:
    facts = read_facts(sampled)
    html, text = page(facts), markdown(facts)
    for figure in ("pass@2", "maj@2", "37.5%", "Worst and best groups", "+100.0", "Sampled answers"):
        assert figure in html
        assert figure in text.replace("\\", "")
    assert "&lt;|user|&gt;6*7?&lt;|assistant|&gt;" in html
    assert "```text\n<|system|>Add.<|user|>6*7?<|assistant|>\n```" in text
    assert "The worst group is level 2 with 0.0%" in extremes(facts)
    assert json.loads(as_json(facts))["rounds"][-1]["samples"]["passed"]["2"]["share"] == 0.5


def test_a_run_that_tells_of_none_of_it_has_a_report_without(run: Path) -> None:
    facts = read_facts(run)
    assert (facts.asked, facts.extremes, facts.rounds[-1].samples) == (None, (), None)
    assert "Sampled answers" not in markdown(facts)
    assert "The run does not tell how the test split was asked." in page(facts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": 3, "groups": [], "asked": "x"},
        {"samples": {"k": 2, "majority": {"items": 0, "right": 0}}, "groups": {"a": 3}, "asked": {}},
        {"samples": {"k": "2"}, "groups": {"a": {"worst": {"items": 1, "right": 2}}}, "asked": {"prompt": 3}},
    ],
)
def test_a_summary_that_tells_nonsense_tells_nothing(copy: Path, wrong: dict[str, Any]) -> None:
    change(copy / "round-03/summary.json", lambda value: value["evaluate"].update(wrong))
    facts = read_facts(copy)
    assert (facts.asked, facts.extremes, facts.rounds[-1].samples) == (None, (), None)


def test_the_terminal_has_the_figures_the_groups_and_the_end_of_the_prompt() -> None:
    lines = evaluated(told()).splitlines()
    # Wilson of 2 of 4, and of the bootstrap of two zeros and two ones.
    assert lines[1].split() == ["Accuracy", "50.0%", "(15.0", "to", "85.0)", "2", "of", "4"]
    assert lines[2].startswith("Accuracy, by bootstrap  50.0% (0.0 to 100.0)")
    assert lines[3].startswith("pass@1")
    assert "maj@2" in lines[5]
    assert "1 of 4; 1 tie, 1 without an answer" in lines[5]
    assert any(line.startswith("level") and line.endswith("+100.0") for line in lines)
    assert lines[-2:] == ["The first prompt:", "  <|system|>Add.<|user|>6*7?<|assistant|>"]
    long = {**told(), "asked": {**ASKED, "prompt": "\n".join(map(str, range(20)))}}
    assert evaluated(long).splitlines()[-13:] == [
        "The first prompt (8 lines before):",
        *(f"  {number}" for number in range(8, 20)),
    ]
