"""Problems in English, and back: the wordings of PrOntoQA, read in any text and in any ontology.

Reading takes singular and plural for one word by rules for their endings, so that the published problems
about cats and prime numbers are read too.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from asft.tasks.prontoqa.problem import Claim, Problem, Proof

FORMS = 3
"""Wordings of a rule: "Each wumpus is a dumpus.", "Every ...", "Wumpuses are dumpuses."."""

_WORD = r"[A-Za-z0-9][A-Za-z0-9-]{0,30}"
_PHRASE = rf"{_WORD}(?: {_WORD}){{0,2}}?"
_SENTENCE = re.compile(
    rf"(?<![\w-])(?P<query>(?:(?:Query|Question):\s{{0,3}})?True or false:\s{{1,3}})?"
    rf"(?:(?P<each>Each|Every|All|An?|No) )?(?P<subject>{_PHRASE}) (?P<verb>is|are) (?P<not>not )?"
    rf"(?P<article>an? )?(?P<predicate>{_PHRASE})[.?]",
    re.IGNORECASE,
)
_QUERY = re.compile(r"True or false:", re.IGNORECASE)
_MOST_CLAIMS = 200


@dataclass(frozen=True, kw_only=True)
class Found:
    """A problem in a text, and its span."""

    problem: Problem
    start: int
    end: int


def rule(subject: str, predicate: str, *, holds: bool, kind: bool, form: int) -> Claim:
    """A sentence about all creatures of a kind; `kind` says that the predicate is one too."""
    negation = "" if holds else "not "
    if form < FORMS - 1:
        said = _with_article(predicate) if kind else predicate
        text = f"{('Each', 'Every')[form]} {subject} is {negation}{said}."
    else:
        text = f"{_plural(subject).capitalize()} are {negation}{_plural(predicate) if kind else predicate}."
    return Claim(subject=subject, predicate=predicate, holds=holds, general=True, text=text)


def fact(name: str, predicate: str, *, holds: bool, kind: bool) -> Claim:
    """A sentence about one creature."""
    said = f"{'' if holds else 'not '}{_with_article(predicate) if kind else predicate}"
    return Claim(subject=name, predicate=predicate, holds=holds, general=False, text=f"{name} is {said}.")


def question(problem: Problem) -> str:
    """The problem as a paragraph that ends with its query."""
    return " ".join([*(claim.text for claim in problem.claims), f"True or false: {problem.query.text}"])


def work(problem: Problem, proof: Proof) -> str:
    """The chain of thought, a rule and what it gives on each line, and the answer."""
    kinds = _kinds(problem)
    lines = [proof.given.text]
    for step in proof.steps:
        gained = fact(problem.query.subject, step.predicate, holds=step.holds, kind=step.predicate in kinds)
        lines.append(f"{step.rule.text} {gained.text}")
    return "\n".join([*lines, f"#### {proof.answer}"])


def find(text: str) -> list[Found]:
    """All problems in a text, in order: sentences one after the other, the last of which is a query."""
    if not _QUERY.search(text):
        return []
    found: list[Found] = []
    claims: list[Claim] = []
    start = end = 0
    for match in _SENTENCE.finditer(text):
        if text[end : match.start()].strip() or len(claims) == _MOST_CLAIMS:
            claims = []
        if not claims:
            start = match.start()
        end = match.end()
        claim = _claim(match)
        if claim is None:
            claims = []
        elif not match["query"]:
            claims.append(claim)
        else:
            if claims and not claim.general:
                problem = Problem(claims=tuple(claims), query=claim)
                found.append(Found(problem=problem, start=start, end=end))
            claims = []
    return found


@lru_cache(maxsize=1024)
def parse(text: str) -> Problem | None:
    """The problem of a text that is one problem and nothing else; None for any other text."""
    found = find(text)
    stripped = len(text) - len(text.lstrip()), len(text.rstrip())
    if len(found) == 1 and (found[0].start, found[0].end) == stripped:
        return found[0].problem
    return None


def sentences(text: str) -> list[Claim]:
    """All sentences of a chain of thought that say what something is, in order."""
    return [claim for match in _SENTENCE.finditer(text) if (claim := _claim(match)) and not match["query"]]


def _claim(match: re.Match[str]) -> Claim | None:
    if (match["each"] or "").lower() == "no":
        return None
    written = match[0][match.end("query") - match.start() if match["query"] else 0 :]
    # Only a name stands in the singular without "each".
    general = bool(match["each"]) or match["verb"].lower() == "are"
    return Claim(
        subject=singular(match["subject"]) if general else match["subject"],
        predicate=singular(match["predicate"]),
        holds=match["not"] is None,
        general=general,
        text=written,
    )


def _kinds(problem: Problem) -> set[str]:
    """The predicates that are kinds: they have an article or a plural, or something is said of them."""
    kinds = {claim.subject for claim in problem.claims if claim.general}
    for claim in (*problem.claims, problem.query):
        match = _SENTENCE.match(claim.text)
        if match and (match["article"] or match["predicate"].lower() != claim.predicate):
            kinds.add(claim.predicate)
    return kinds


def singular(words: str) -> str:
    """One form for "painted lady" and "Painted ladies"."""
    word = words.lower()
    for ending, instead in (("uses", "us"), ("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch")):
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _plural(word: str) -> str:
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "sh", "ch")) else "s")


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
