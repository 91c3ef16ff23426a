"""blocklist: phrases, patterns, files of them, and patterns that would never end."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from asft.errors import PluginError, RunError
from asft.types import Example, Filter, Verdict

Make = Callable[..., Filter]
Check = Callable[..., Verdict]


def example(prompt: str, completion: str | None = None) -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer="42", completion=completion)


@pytest.mark.parametrize(
    ("prompt", "phrase"),
    [
        ("Draw a graph of it.", "graph"),
        ("GRAPHS and Graph!", "graph"),
        ("Then they go\nto... the zoo", "go to"),
        ("A café, and nothing else", "CAFÉ"),
        ("图表是什么?", "图表"),
        ("as a large language model", "large language model"),
    ],
)
def test_whole_words_are_found_without_case_and_punctuation(check: Check, prompt: str, phrase: str) -> None:
    verdict = check("blocklist", example(prompt), options={"phrases": ["nothing of it", phrase]})
    assert (verdict.decision, verdict.reason) == ("drop", f"blocked phrase in the question: {phrase!r}")


@pytest.mark.parametrize(
    ("prompt", "phrase"),
    [
        ("A cargo total", "go to"),
        ("They go on to the zoo", "go to"),
        ("a paragraph, and graphs", "graph"),
        ("they go", "go to"),
    ],
)
def test_parts_of_words_and_of_phrases_are_not_found(check: Check, prompt: str, phrase: str) -> None:
    verdict = check("blocklist", example(prompt), options={"phrases": [phrase]})
    assert (verdict.decision, verdict.reason) == ("keep", "nothing blocked")


@pytest.mark.parametrize(
    ("pattern", "decision"),
    [
        (r"https?://", "drop"),
        (r"HTTPS", "keep"),
        (r"(?i)HTTPS", "drop"),
        (r"^at", "keep"),
        (r"(?m)^at", "drop"),
        (r"\d{4}", "keep"),
    ],
)
def test_a_pattern_is_searched_for_anywhere(check: Check, pattern: str, decision: str) -> None:
    verdict = check("blocklist", example("Look\nat https://a.example"), options={"patterns": [pattern]})
    assert verdict.decision == decision
    assert verdict.reason == (
        f"blocked pattern in the question: {pattern!r}" if decision == "drop" else "nothing blocked"
    )


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        ("both", "blocked phrase in the question: 'nuts'"),
        ("question", "blocked phrase in the question: 'nuts'"),
        ("answer", "blocked pattern in the answer: '#+ '"),
    ],
)
def test_question_and_answer_are_searched_or_one_of_them(check: Check, of: str, reason: str) -> None:
    options = {"phrases": ["nuts"], "patterns": ["#+ "], "of": of}
    assert check("blocklist", example("How many nuts?", "6 * 7\n#### 42"), options=options).reason == reason


def test_without_a_worked_answer_the_final_answer_is_searched(check: Check) -> None:
    assert check("blocklist", example("How many?"), options={"phrases": ["42"]}).decision == "drop"


def test_a_file_holds_phrases_and_patterns_line_by_line(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text("\ufeff# not for students\n\n \t\n  go to \nre: ^See [0-9]\ncafé\n", "utf-8")
    options = {"file": str(path), "phrases": ["map"]}
    for prompt, blocked in (
        ("They go to it", "phrase in the question: 'go to'"),
        ("See 3 of them", "pattern in the question: '^See [0-9]'"),
        ("a CAFÉ", "phrase in the question: 'café'"),
        ("a map", "phrase in the question: 'map'"),
    ):
        assert check("blocklist", example(prompt), options=options).reason == f"blocked {blocked}"
    assert check("blocklist", example("# not for students"), options=options).decision == "keep"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing is blocked; give phrases, patterns or a file with some"),
        ({"phrases": ["?!"]}, r"phrase '\?!' has no letter and no digit; write it as a pattern"),
        ({"patterns": ["(a"]}, r"pattern '\(a' is no regular expression: missing \) at position 2; mend it"),
        ({"patterns": ["a*"]}, r"pattern 'a\*' matches an empty text, and so every text; make it want"),
        ({"phrases": ["a"], "seconds": 0}, "seconds"),
        ({"file": "nowhere.txt"}, "file nowhere.txt cannot be read: .*No such file.*; give a text file in"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_before_anything_is_asked(
    make: Make, options: Mapping[str, object], message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        make("blocklist", options)


def test_an_empty_or_binary_file_is_refused(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text("# none\n", "utf-8")
    with pytest.raises(PluginError, match="nothing is blocked"):
        make("blocklist", {"file": str(path)})
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PluginError, match="cannot be read: 'utf-8' codec"):
        make("blocklist", {"file": str(path)})


def test_a_pattern_that_never_ends_stops_the_run_and_makes_no_verdict(check: Check) -> None:
    # Every "a" may be in one repeat or in the other: 2 to the power of 60 ways, none of which ends in "c".
    options = {"patterns": [r"(a|aa)+c"], "seconds": 0.02}
    with pytest.raises(RunError, match=r"the pattern '\(a\|aa\)\+c' takes more than 0.02 s to search the"):
        check("blocklist", example("c" + "a" * 60 + "b"), options=options)
    assert check("blocklist", example("aaac"), options=options).decision == "drop"
