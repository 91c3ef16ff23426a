"""language: shares of letters by script, and what they cannot tell."""

from collections.abc import Callable, Mapping

import pytest

from asft.errors import PluginError
from asft.types import Example, Filter, Verdict

Make = Callable[..., Filter]
Check = Callable[..., Verdict]


def example(prompt: str, completion: str | None = None) -> Example:
    return Example.make(task="gsm8k", prompt=prompt, answer="42", completion=completion)


@pytest.mark.parametrize(
    ("prompt", "options", "decision", "reason"),
    [
        ("How many nuts are 6 x 7?", {}, "keep", "in the wanted scripts"),
        # It tells no languages: French, and even English nonsense, are Latin letters.
        ("Combien de noix a-t-elle ? Où ça ?", {}, "keep", "in the wanted scripts"),
        (
            "Сколько орехов?",
            {},
            "drop",
            "question in another script: 13 of 13 letters are Cyrillic, 0 Latin",
        ),
        # 9 of 10 letters are enough, 8 of 9 are not.
        ("abcdefghi π", {}, "keep", "in the wanted scripts"),
        ("abcdefgh π", {}, "drop", "question in another script: 1 of 9 letters are Greek, 8 Latin"),
        ("abcdefgh π", {"share": 0.88}, "keep", "in the wanted scripts"),
        # 7 of 25 letters are 0.28 of them, though in floats 0.28 * 25 is more than 7.
        ("a" * 7 + "я" * 18, {"share": 0.28}, "keep", "in the wanted scripts"),
        # The script that most of the unwanted letters are of is named; of two the later in the alphabet.
        ("猫яя", {}, "drop", "question in another script: 2 of 3 letters are Cyrillic, 0 Latin"),
        ("小明有三只猫。3 + 4?", {"scripts": ["Han"]}, "keep", "in the wanted scripts"),
        (
            "ねこが三匹、カードが々ー。",
            {"scripts": ["Han", "Hiragana", "Katakana"]},
            "keep",
            "in the wanted scripts",
        ),
        (
            "小明 has 3 cats",
            {"scripts": ["Han", "Hiragana"]},
            "drop",
            "question in another script: 7 of 9 letters are Latin, 2 Han or Hiragana",
        ),
        ("한국어로 쓴 문제", {"scripts": ["Hangul"]}, "keep", "in the wanted scripts"),
        ("हिन्दी में सवाल", {"scripts": ["Devanagari"]}, "keep", "in the wanted scripts"),
        ("ᏣᎳᎩ", {}, "drop", "question in another script: 3 of 3 letters are other, 0 Latin"),
        # Full-width and mathematical letters are Latin.
        ("Ａｎｎ 𝐀𝒏𝓷 ª", {}, "keep", "in the wanted scripts"),
        ("ʼ 6 × 7 = ? 😀", {}, "undecided", "no letters to tell a script by"),
        ("6 * 7 = ?", {}, "undecided", "no letters to tell a script by"),
    ],
)
def test_the_letters_of_a_question_are_counted_by_script(
    check: Check, prompt: str, options: Mapping[str, object], decision: str, reason: str
) -> None:
    verdict = check("language", example(prompt), options=options)
    assert (verdict.decision, verdict.reason) == (decision, reason)


@pytest.mark.parametrize(
    ("prompt", "completion", "of", "decision"),
    [
        ("How many?", "Это сорок два. #### 42", "both", "drop"),
        ("How many?", "Это сорок два. #### 42", "question", "keep"),
        ("Сколько?", "These are 42.", "answer", "keep"),
        ("Сколько?", "These are 42.", "both", "drop"),
        # A text without letters does not count beside one with some.
        ("How many?", None, "both", "keep"),
        ("6 * 7 = ?", "These are 42.", "both", "keep"),
        ("6 * 7 = ?", "Это 42.", "both", "drop"),
        ("How many?", None, "answer", "undecided"),
    ],
)
def test_question_and_worked_answer_each_have_to_reach_the_share(
    check: Check, prompt: str, completion: str | None, of: str, decision: str
) -> None:
    assert check("language", example(prompt, completion), options={"of": of}).decision == decision


def test_a_script_that_is_not_known_is_refused(make: Make) -> None:
    with pytest.raises(PluginError, match="'Latin', 'Malayalam'"):
        make("language", {"scripts": ["English"]})
    with pytest.raises(PluginError, match="scripts"):
        make("language", {"scripts": []})
