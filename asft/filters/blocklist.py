"""Whether a draft says what it must not say."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from asft.errors import RunError
from asft.filters.verdicts import Finding, verdict
from asft.filters.words import plain_words
from asft.registry import plugin
from asft.types import AT_THE_DRAFT, Context, Draft, Example, Looks, Measured, Verdict

_PATTERN = "re:"


@plugin
class Blocklist:
    """No blocked word, phrase or regular expression in the question or in its worked answer.

    Self-Instruct (arXiv 2212.10560) so drops instructions that a language model cannot follow ("image",
    "graph", "file", "draw", "go to", ...); its list is not built in, because for another task those words
    may be right.

    A regular expression that backtracks without end is stopped after a time. No verdict comes of that, or the
    training set would depend on the machine: the run stops, and the pattern is named.
    """

    phrases: tuple[str, ...] = ()
    """Words, and phrases of several words. Whole words count, without case and punctuation: "go to" is in
    "Go to!" and not in "cargo total"; another form of a word is another word."""
    patterns: tuple[str, ...] = ()
    """Regular expressions, searched for anywhere; case counts, unless one begins with (?i). Their syntax
    is that of the `regex` package, which is that of `re` and more."""
    file: Path | None = None
    """A text file with more of them: a phrase a line, and patterns behind "re:". Blank lines, and lines
    that begin with #, are passed over."""
    of: Literal["both", "question", "answer"] = "both"
    """What is searched. answer: the worked answer, or the final answer where there is none."""
    seconds: Annotated[float, Field(gt=0.0)] = 1.0
    """Processor time that a pattern may take for one text, before the run stops."""

    def __post_init__(self) -> None:
        """Read everything now, so that a bad pattern or file is told before anything is asked."""
        if not (self._rules.phrases or self._rules.patterns):
            raise ValueError("nothing is blocked; give phrases, patterns or a file with some")

    looks: ClassVar[Looks] = AT_THE_DRAFT

    def check(
        self,
        draft: Draft,
        context: Context,
        accepted: Sequence[Example],
        measured: Measured | None = None,
    ) -> Verdict:
        """Drop for a phrase that is found, or else a pattern. Raises RunError for one that takes too long."""
        return verdict("blocklist", draft, self._find)

    def _find(self, example: Example) -> Finding:
        texts = {"question": example.prompt, "answer": example.completion or example.answer}
        for of, text in texts.items():
            if self.of in (of, "both"):
                if (phrase := self._rules.phrase_in(text)) is not None:
                    return "drop", f"blocked phrase in the {of}: {phrase!r}"
                if (pattern := self._pattern_in(text, of)) is not None:
                    return "drop", f"blocked pattern in the {of}: {pattern!r}"
        return "keep", "nothing blocked"

    def _pattern_in(self, text: str, of: str) -> str | None:
        for pattern in self._rules.patterns:
            try:
                found = pattern.search(text, timeout=self.seconds)
            except TimeoutError:
                raise RunError(
                    f"filter blocklist: the pattern {pattern.pattern!r} takes more than {self.seconds:g} s "
                    f"to search the {of} {text[:60]!r}... ({len(text)} characters); write it without repeats "
                    "within repeats, or raise `seconds`"
                ) from None
            if found is not None:
                return str(pattern.pattern)
        return None

    @cached_property
    def _rules(self) -> "_Rules":
        phrases, patterns = list(self.phrases), list(self.patterns)
        for line in _lines(self.file) if self.file is not None else []:
            if line.startswith(_PATTERN):
                patterns.append(line.removeprefix(_PATTERN).strip())
            else:
                phrases.append(line)
        return _Rules(_by_first_word(phrases), [_compiled(pattern) for pattern in patterns])


@dataclass(frozen=True)
class _Rules:
    """What is blocked, ready to be searched for."""

    phrases: dict[str, list[tuple[list[str], str]]]
    """First word -> the phrases that begin with it: their words, and as they were written."""
    patterns: list[Any]

    def phrase_in(self, text: str) -> str | None:
        words = plain_words(text)
        for at, word in enumerate(words):
            for phrase, written in self.phrases.get(word, ()):
                if words[at : at + len(phrase)] == phrase:
                    return written
        return None


def _by_first_word(phrases: Sequence[str]) -> dict[str, list[tuple[list[str], str]]]:
    found: dict[str, list[tuple[list[str], str]]] = {}
    for phrase in phrases:
        words = plain_words(phrase)
        if not words:
            raise ValueError(f"phrase {phrase!r} has no letter and no digit; write it as a pattern")
        found.setdefault(words[0], []).append((words, phrase))
    return found


def _compiled(pattern: str) -> Any:
    import regex

    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"pattern {pattern!r} is no regular expression: {error}; mend it") from None
    if compiled.search("", timeout=1.0) is not None:
        raise ValueError(
            f"pattern {pattern!r} matches an empty text, and so every text; make it want something"
        )
    return compiled


def _lines(path: Path) -> list[str]:
    try:
        text = path.expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"file {path} cannot be read: {error}; give a text file in UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
