"""What a teacher's reply says, whatever its dress: a question, a worked answer, both, or that it cannot.

Teachers are asked for a plain form and add bold marks, headings, tags, code fences and talk of their own.
Patterns are of bounded length, because a reply is any text at all.
"""

import re

_CANNOT = re.compile(
    r"(?i)(?:(?:i['’]m|i am|we['’]re|we are)\s+)?(?:(?:very|so|truly)\s+)?"
    r"(?:sorry|unfortunately|apologies|i apologi[sz]e)\b|as an ai\b"
    r"|(?:i|we)\s?(?:can\s?not|can['’]?t|could\s?n['’]t|won['’]t|will not|do not|don['’]t|['’]m unable"
    r"|['’]m not able|am unable|am not able)\s"
)
_OFFER = re.compile(
    r"(?i)(?:would you|do you want|is there|can i|could you|may i|shall i|how (?:can|may) i|let me know)\b"
    r"[^?]{0,200}\?\s{0,9}\Z"
)
_ADJECTIVES = (
    r"(?:(?:the|your|a|my|new|similar|another|original|seed|given|word|math|worked|full|detailed"
    r"|step-by-step)\s){0,4}"
)
_LABEL = re.compile(
    # At the start of a line: "Question:", "**New Problem 2:**", "## Solution" ...
    rf"(?im)^[ \t>#*_-]{{0,12}}(?:[0-9]{{1,2}}[.)][ \t])?[*_]{{0,3}}(?P<words>{_ADJECTIVES}"
    r"(?:(?P<q>question|problem|exercise)|(?P<a>answer|solution|explanation)))"
    r"(?:[ \t]#?[0-9]{1,2})?[*_]{0,3}(?:[ \t]?:[*_]{0,3}|[ \t]{0,9}$)"
    # ... or a tag, anywhere.
    r"|<(?P<tag>(?:new_)?(?:(?P<tq>question|problem)|answer|solution))>"
)
_CLOSE = re.compile(r"(?i)</(?:new_)?(?:question|problem|answer|solution)>")
_INLINE = re.compile(r"(?i)(?<=[?.!])\s{1,9}[*_]{0,3}(?:worked\s)?(?:answer|solution)[*_]{0,3}:[*_]{0,3}")
_LEAD = re.compile(
    r"(?i)(?:(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|got it)\s?[!.,:]\s{0,9}"
    r"(?:i(?:['’](?:d|ll|ve|m)|\s(?:will|would|have|am))\s[^\n:]{0,120}[\n:]\s{0,9})?)?"
    r"(?:(?:here(?:['’]s| is| are)|this is|below is)\b[^\n:]{0,80}"
    r"(?:problem|question|exercise|example|solution|answer|variant|version|one)\b[^\n:]{0,80}:\s{0,9})?"
)
_TRAIL = re.compile(
    r"(?i)\n\s{0,9}(?:let me know|i hope|would you like|do you want|feel free|is there any)\b"
)
_FENCE = re.compile(r"(?m)^[ \t]{0,3}```\w{0,20}[ \t]{0,9}$")
_RULE = re.compile(r"[-*_]{3,80}")


def says_that_it_cannot(text: str) -> bool:
    """Whether a reply only declines: it begins so, asks no question, and has no label or answer mark."""
    if not _CANNOT.match(text) or _LABEL.search(text) or "####" in text or "\\boxed" in text:
        return False
    return not _OFFER.sub("", text).rstrip().endswith("?")


def read_both(text: str) -> tuple[str | None, str | None]:
    """Question and worked answer of a reply in the form "Question: ... Answer: ...", whatever its dress.

    Bold and heading marks, tags, code fences, "Problem" and "Solution", and talk around them are taken.
    Of several pairs it is the first that is called new, else the first.
    """
    text = _unfenced(text)
    labels = list(_LABEL.finditer(text))
    pairs = []
    for at, label in enumerate(labels):
        before = labels[at - 1] if at else None
        if _asks(label) or (before and not _asks(before)):
            continue  # "Answer: 5" at the end of a solution belongs to it
        stop = next((later.start() for later in labels[at + 1 :] if _asks(later)), len(text))
        question, worked = _part(text, before, label.start()), _part(text, label, stop)
        pairs.append((before is not None and _is_new(before), question, worked))
    if not pairs:
        halves = [*_INLINE.split(text, maxsplit=1), ""][:2]
        return read_question(halves[0]), _clean(_without_offers(halves[1]))
    pairs.sort(key=lambda pair: (pair[1] is None or pair[2] is None, not pair[0]))
    return pairs[0][1:]


def read_question(text: str) -> str | None:
    """The question in a reply that should be nothing but one; an answer that comes with it is left out."""
    text = _unfenced(text)
    labels = list(_LABEL.finditer(text))
    stops = [label.start() for label in labels[1:]] + [len(text)]
    asked = (
        [(label, stop) for label, stop in zip(labels, stops, strict=True) if _asks(label)] if labels else []
    )
    asked.sort(key=lambda pair: not _is_new(pair[0]))
    parts = [_part(text, label, stop) for label, stop in asked]
    parts.append(_part(text, None, labels[0].start() if labels else len(text)))
    return next((part for part in parts if part), None)


def read_answer(text: str) -> str | None:
    """The worked answer in a reply that should be nothing but one, without a label or fence around it."""
    text = _unfenced(text)
    label = _LABEL.match(text)
    return _part(text, label if label and not _asks(label) else None, len(text))


def _asks(label: re.Match[str]) -> bool:
    return bool(label["q"] or label["tq"])


def _is_new(label: re.Match[str]) -> bool:
    return re.search("(?i)new|similar|another", label["words"] or label["tag"]) is not None


def _part(text: str, label: re.Match[str] | None, stop: int) -> str | None:
    """What stands behind a label; a tag ends where it is closed. None for no words."""
    part = text[label.end() if label else 0 : stop]
    if label and label["tag"]:
        part = _CLOSE.split(part, maxsplit=1)[0]
    return _clean(_without_offers(part))


def _without_offers(text: str) -> str:
    offer = _TRAIL.search(text)
    return text[: offer.start()] if offer else text


def _clean(text: str) -> str | None:
    """Without fences, talk in front, rules, and bold or quotation marks around it all; None for no words."""
    text = _unfenced(text)
    lead = _LEAD.match(text)
    text = _unfenced(text[lead.end() :] if lead else text)
    lines = text.split("\n")
    while lines and (not lines[-1].strip() or _RULE.fullmatch(lines[-1].strip())):
        lines.pop()
    text = "\n".join(lines).strip()
    if text.endswith("**") and text.count("**") == 1:
        text = text[:-2].rstrip()
    for first, last in (("**", "**"), ('"', '"'), ("“", "”")):
        inner = text[len(first) : -len(last)]
        if text.startswith(first) and text.endswith(last) and first not in inner and last not in inner:
            text = inner.strip()
    return text if re.search(r"\w", text) else None


def _unfenced(text: str) -> str:
    """Without a code fence around the whole, or one half of it that was left over."""
    text = text.strip()
    fences = list(_FENCE.finditer(text))
    if not fences:
        return text
    opens, closes = fences[0].start() == 0, fences[-1].end() == len(text)
    if len(fences) == 2 and opens and closes:
        return text[fences[0].end() : fences[1].start()].strip()
    if len(fences) % 2 and closes:
        return text[: fences[-1].start()].strip()
    if len(fences) % 2 and opens:
        return text[fences[0].end() :].strip()
    return text
