"""Texts as their words: case, punctuation and spacing do not count.

Two readings. `words_of` is for telling questions apart: numbers and signs of arithmetic count, so that
"3 + 4" and "3 - 4" are two questions, and thousands separators do not. `plain_words` is that of ROUGE, for
measures that are compared with published ones.
"""

import re
import unicodedata

RUN = 8
"""Words in a run."""

"""Words in a run."""
_WORD = re.compile(
    r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]+|[+*/=<>^%×÷√]"
    # A minus stands beside a number, a bracket or a single letter; any other hyphen is punctuation.
    r"|(?:(?<=[0-9)])|(?<=[0-9)]\s))-(?!-)|(?<!-)-(?=\s?(?:[0-9(.]|[^\W\d_](?![^\W\d_])))"
)
_GROUPED = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


def words_of(text: str) -> tuple[str, ...]:
    """Words, numbers and signs of a text."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("−", "-")
    return tuple(_WORD.findall(_GROUPED.sub("", text)))


def runs_of(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All runs of RUN words in their order; none of fewer words."""
    return [words[at : at + RUN] for at in range(len(words) - RUN + 1)]


# ROUGE's own reading.

_PLAIN = re.compile(r"[a-z0-9]+")
# Thai, Lao, Tibetan, Myanmar, Khmer; Hiragana, Katakana and Han with their extensions.
_NO_SPACES = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)


def plain_words(text: str) -> list[str]:
    """Runs of letters and digits in lower case, as the rouge-score package cuts them (without its stemmer).

    That package knows ASCII alone, and reads nothing in "三只猫" and "caf" in "café". Here the letters, marks
    and digits of every script count (after NFKC), and a letter of a script that is written without spaces
    is a word by itself. A text whose letters and digits are ASCII gives the same words in both.
    """
    if text.isascii():
        return _PLAIN.findall(text.lower())
    words: list[str] = []
    word = ""
    for letter in unicodedata.normalize("NFKC", text).lower():
        kind = unicodedata.category(letter)[0]
        if kind in "LN":
            if word and (_NO_SPACES.match(letter) or _NO_SPACES.match(word)):
                words.append(word)
                word = ""
            word += letter
        elif kind == "M":
            # What a mark stands on may be no letter: a keycap, an emoji.
            word += letter if word else ""
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words
