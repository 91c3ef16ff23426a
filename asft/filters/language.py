"""Whether a draft is written in the scripts that are wanted."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from asft.filters.verdicts import Finding, verdict
from asft.registry import plugin
from asft.types import AT_THE_DRAFT, Context, Draft, Example, Looks, Measured, Verdict

Script = Literal[
    "Arabic",
    "Armenian",
    "Bengali",
    "Cyrillic",
    "Devanagari",
    "Ethiopic",
    "Georgian",
    "Greek",
    "Gujarati",
    "Gurmukhi",
    "Han",
    "Hangul",
    "Hebrew",
    "Hiragana",
    "Kannada",
    "Katakana",
    "Khmer",
    "Lao",
    "Latin",
    "Malayalam",
    "Mongolian",
    "Myanmar",
    "Oriya",
    "Sinhala",
    "Tamil",
    "Telugu",
    "Thai",
    "Tibetan",
]
"""Of writing; Japanese is Han, Hiragana and Katakana."""

# Unicode names begin with the script, but for these. Signs that go with any script belong to none.
_NAMED_OTHERWISE = {"CJK": "Han", "IDEOGRAPHIC": "Han", "KATAKANA-HIRAGANA": "Katakana", "MODIFIER": ""}


@plugin
class Language:
    """A question and a worked answer whose letters are of the wanted scripts, all but a small share.

    It tells scripts and not languages: it sees a teacher that falls into Chinese or Russian, which is how a
    reply in another language most often looks, and never one that falls into French, where Latin letters are
    wanted. Telling languages apart takes a model, and none is downloaded for it.

    Letters are counted after NFKC, so that full-width and mathematical ones are what they stand for. Digits,
    signs and punctuation do not count; Greek letters of a formula do, and the share leaves room for them.
    """

    scripts: Annotated[tuple[Script, ...], Field(min_length=1)] = ("Latin",)
    """The scripts that are wanted."""
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """The least share of the letters that are in one of them; question and answer each have to reach it."""
    of: Literal["both", "question", "answer"] = "both"
    """What is looked at. answer: the worked answer, or the final answer where there is none."""

    looks: ClassVar[Looks] = AT_THE_DRAFT

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Undecided where there is no letter; a text without letters beside one with some does not count."""
        return verdict("language", draft, self._find)

    def _find(self, example: Example) -> Finding:
        texts = {"question": example.prompt, "answer": example.completion or example.answer}
        counted = {of: _letters(text) for of, text in texts.items() if self.of in (of, "both")}
        if not any(counted.values()):
            return "undecided", "no letters to tell a script by"
        for of, letters in counted.items():
            total, wanted = letters.total(), sum(letters[script] for script in self.scripts)
            if wanted < Fraction(str(self.share)) * total:
                most = max((count, script) for script, count in letters.items() if script not in self.scripts)
                found = f"{most[0]} of {total} letters are {most[1]}"
                return "drop", f"{of} in another script: {found}, {wanted} {' or '.join(self.scripts)}"
        return "keep", "in the wanted scripts"


def _letters(text: str) -> Counter[str]:
    """Script -> letters of it."""
    letters = unicodedata.normalize("NFKC", text)
    counted = Counter(
        {"Latin": sum(map(str.isalpha, letters))} if letters.isascii() else map(_script, letters)
    )
    del counted[""]
    return +counted


@lru_cache(maxsize=65536)
def _script(letter: str) -> str:
    """The script of a letter, "other" for one that has no name here; empty for what is no letter."""
    if not letter.isalpha():
        return ""
    first = unicodedata.name(letter, "").partition(" ")[0]
    script = _NAMED_OTHERWISE.get(first, first.capitalize())
    return script if script in ("", *get_args(Script)) else "other"
