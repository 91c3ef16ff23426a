"""Finding problems with their worked solutions in a chat message, whatever is written around them.

A worked solution ends in a line `#### 72`; that line is the one mark that every wording keeps. Labels
("Question:", "**Q1.**", "<problem>") are used where there are some; else blank lines and the question mark
tell the question from its solution.
"""

import re
from dataclasses import dataclass

_FINAL = re.compile(r"^[ \t>]*####[ \t]*(?P<answer>[-−+]?[ \t]*[$€£]?[ \t]*[-−]?[.\d][^\n<]*)", re.MULTILINE)
_ADJECTIVES = (
    r"(?:(?:the|a|an|seed|original|example|given|sample|worked|reference|gold|correct|model"
    r"|step[- ]by[- ]step|final|word|math|student|existing|first|second|third)[ \t]{1,3}){0,4}"
)
_LINE = r"^[>#*_(\[ \t-]{0,20}(?:\d{1,3}[.)][ \t]{0,3})?[*_\"]{0,3}"
_CLOSE = (
    r"[ \t]{0,3}(?:no\.?)?[ \t]{0,3}#?\d{0,4}[)\]]?[*_\"]{0,3}[ \t]{0,3}"
    r"(?:[:.)][*_]{0,3}(?=\s|$)|$)[*_ \t]{0,9}"
)
_ASKED = r"questions?|problems?|q|exercise|task|prompt|instruction|input|user|human|examples?|seeds?"
_WORKED = r"answers?|solutions?|a|s|response|completion|output|assistant|explanation|working|worked"
_QUESTION_LABEL = re.compile(
    rf"{_LINE}{_ADJECTIVES}(?:{_ASKED}){_CLOSE}|<(?:{_ASKED})\b[^<>]*>", re.MULTILINE | re.IGNORECASE
)
_ANSWER_LABEL = re.compile(
    rf"{_LINE}{_ADJECTIVES}(?:{_WORKED}){_CLOSE}|<(?:{_WORKED})\b[^<>]*>|(?<=\s)[*_]*(?:Answer|Solution)[*_]*:[*_]*",
    re.MULTILINE | re.IGNORECASE,
)
_TAG = re.compile(r"</?[A-Za-z][\w -]*>")
_ITEM = re.compile(r"^(?:\d+[.)]|[-*•])[ \t]+")
_FENCE = re.compile(r"^(?:```\w*|-{3,}|={3,}|\*{3,})[ \t]*$", re.MULTILINE)
_MAX_QUESTION = 3000


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A problem with its worked solution, as they stand in a message."""

    question: str
    solution: str
    """Ends in `#### x`."""
    start: int
    end: int
    """The span from the question's first character to the solution's last."""


def find(text: str) -> list[Worked]:
    """All problems with a worked solution, in order."""
    found = []
    before = 0
    for final in _FINAL.finditer(text):
        end = final.start() + len(final.group().rstrip(" \t*_`\"'"))
        split = _labelled(text, before, final.start()) or _unlabelled(text, before, final.start())
        before = final.end()
        if split is None:
            continue
        (first, last), (solution_start, _) = split
        question, first = _trim(text, first, last)
        solution, _ = _trim(text, solution_start, end)
        if question and len(question) <= _MAX_QUESTION:
            found.append(Worked(question=question, solution=solution, start=first, end=end))
    return found


_Spans = tuple[tuple[int, int], tuple[int, int]]


def _labelled(text: str, start: int, final: int) -> _Spans | None:
    asked = [m for m in _QUESTION_LABEL.finditer(text, start, final) if m.group().strip()]
    answers = [m for m in _ANSWER_LABEL.finditer(text, start, final) if m.group().strip()]
    for label in reversed(asked):
        after = [m for m in answers if m.start() >= label.end()]
        if after:
            worked = next((m for m in after if _has_text(text, label.end(), m.start())), None)
            if worked is not None:
                return (label.end(), worked.start()), (worked.end(), final)
        elif _has_text(text, label.end(), final):
            return _unlabelled(text, label.end(), final)
    if answers:
        first, last = _last_paragraph(text, start, answers[-1].start())
        return (first, last), (answers[-1].end(), final)
    return None


def _has_text(text: str, start: int, end: int) -> bool:
    return bool(re.search(r"\w", _TAG.sub("", text[start:end])))


def _last_paragraph(text: str, start: int, end: int) -> tuple[int, int]:
    paragraphs = _paragraphs(text, start, end)
    return paragraphs[-1] if paragraphs else (start, start)


def _paragraphs(text: str, start: int, end: int) -> list[tuple[int, int]]:
    found = []
    at = start
    for gap in [*re.finditer(r"\n[ \t]*(?:\n[ \t]*)+", text[start:end]), None]:
        stop = end if gap is None else start + gap.start()
        if text[at:stop].strip() and not _FENCE.fullmatch(text[at:stop].strip()):
            found.append((at, stop))
        at = end if gap is None else start + gap.end()
    return found


def _unlabelled(text: str, start: int, final: int) -> _Spans | None:
    """The solution is the last paragraph (or those that hold annotations); the question stands before it."""
    paragraphs = _paragraphs(text, start, final)
    if not paragraphs:
        return None
    first = len(paragraphs) - 1
    while first > 0 and not _asks(text, *paragraphs[first]) and "<<" in text[slice(*paragraphs[first - 1])]:
        first -= 1
    at, stop = paragraphs[first]
    if asked := _asks(text, at, stop):
        return (at, asked), (asked, final)
    if first > 0:
        return paragraphs[first - 1], (at, final)
    line = text.find("\n", at + len(text[at:stop]) - len(text[at:stop].lstrip()), stop)
    return None if line < 0 else ((at, line), (line, final))


def _asks(text: str, start: int, end: int) -> int:
    """Where the last line that asks something ends, before the first annotation; 0 where none asks."""
    worked = text.find("<<", start, end)
    lines = list(re.finditer(r"\?[\"”')]*[ \t]*\n", text[start : worked if worked >= 0 else end]))
    return start + lines[-1].end() if lines else 0


def _trim(text: str, start: int, end: int) -> tuple[str, int]:
    """The text of a span without the tags, fences, list marks and quotes around it, and where it starts."""
    part = _FENCE.sub(lambda m: " " * len(m.group()), text[start:end])
    part = _TAG.sub(lambda m: " " * len(m.group()), part)
    part = re.sub(r"^\s+", lambda m: " " * len(m.group()), part)
    body = part.lstrip()
    body = _ITEM.sub("", body)
    body = body.strip().strip("`")
    if len(body) > 1 and body[0] == body[-1] == '"':
        body = body[1:-1]
    body = re.sub(r"^[*_]{1,3}\s+|\s{1,3}[*_]{1,3}$", "", body).strip()
    return body, start + max(0, part.find(body))
