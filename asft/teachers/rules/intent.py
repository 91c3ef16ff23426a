"""What a message asks for: a new problem, with or without its answer, or the solution of the given one.

Read from the words around the problems, by rules that look for who does what to what: "write ... a
similar problem" asks for one, "here is a new problem" does not. What is said of the answer ("has exactly
one answer") is no wish to see it. Messages are read whole sentences at a time, so that line breaks do not
matter, and at most `MOST_CHARS` of them, so that hostile ones cost nothing.
"""

import re
from collections.abc import Sequence
from typing import Literal

Kind = Literal["new", "solve", "other"]

MOST_CHARS = 8000
"""The wish stands at the beginning or at the end of a message; the middle of a longer one is not read."""

_KIND = (
    r"(?:(?:word[- ])?problem|question|exercise|task|puzzle|example|item|q&a|qa|pair|variant|variation"
    r"|version|sum)s?\b"
)
_MAKE = (
    r"\b(?:writ(?:e|ing)|creat(?:e|ing)|compos(?:e|ing)|invent(?:ing)?|mak(?:e|ing)(?!\s+sure)|generat(?:e|ing)"
    r"|com(?:e|ing)\s+up\s+with|design(?:ing)?|produc(?:e|ing)|giv(?:e|ing)|pos(?:e|ing)|craft(?:ing)?"
    r"|formulat(?:e|ing)|devis(?:e|ing)|construct(?:ing)?|draft(?:ing)?|propos(?:e|ing)|provid(?:e|ing)"
    r"|think\s+of|thinking\s+of|prepar(?:e|ing)|suggest(?:ing)?|author|build|develop|add|show|send|need|want"
    r"|like|have|get|use|turn|transform|rewrite|adapt|rework|modify|return|output|respond|reply)\b"
)
_OF_ANSWERS = r"(?:answers?|solutions?|solv\w+|results?|explanations?|reasoning|working|calculat\w+|steps?)\b"
_REACH = rf"(?:(?!\b{_OF_ANSWERS})[^.?!]){{0,100}}?"
"""Words of one sentence, and none about answers: "give the answer to this new problem" makes no problem."""
_SAME = (
    r"(?:(?:the\s+)?same\s+(?:\w+\s+){0,2}(?:kind|type|sort|structure|style|form|pattern|skills?|spirit|vein"
    r"|topic|difficulty|shape|ideas?|concepts?|operations?|lines?|way)|like\s+(?:this|these|it|that|those|them"
    r"|the\s|above)|of\s+(?:this|that)\s+(?:kind|type|sort)|(?:similar|analogous|comparable|parallel)\s+to"
    r"|based\s+on|modell?ed\s+(?:on|after)|inspired\s+by|along\s+the(?:se|\s+same)\s+lines"
    r"|in\s+th(?:is|e\s+same)\s+(?:style|vein|spirit))"
)
_QUALIFIED = (
    r"\b(?:new|another|similar|different|fresh|additional|further|more|analogous|comparable|parallel"
    r"|related|alternative|novel|original|other|extra)\b"
)
_ADJECTIVES = (
    rf"(?:(?!{_OF_ANSWERS}|(?:to|of|for|that|this|the|which|with|from|and\s+only)\b)[\w'-]+,?\s+){{0,6}}"
)
_NUMBER = r"(?:an?|one|two|three|four|five|several|some|your\s+own|\d{1,2})"
_ONE_LIKE_IT = (
    r"\b(?:another(?:\s+one)?|one\s+more|a\s+new\s+one|a\s+similar\s+one|something\s+similar"
    r"|ones?\s+like\s+(?:it|this|these|them|that)|a\s+twin|a\s+sibling|variations?|variants?"
    r"|(?:new|similar|more)\s+ones)\b"
)
_OTHER_NUMBERS = (
    r"\b(?:other|different|new|changed|fresh|altered)\s+(?:[\w-]+,?\s+){0,5}"
    r"(?:numbers?|values|figures|quantities|amounts|names)\b"
    r"|\b(?:change|replace|swap|alter|vary|exchange)\s+(?:[\w-]+,?\s+){0,5}"
    r"(?:numbers?|values|figures|quantities|amounts|names|details|story)\b"
)
_NEW = re.compile(
    rf"{_MAKE}{_REACH}(?:{_QUALIFIED}{_REACH}{_KIND}|\b{_KIND}{_REACH}\b{_SAME}|\b{_SAME}{_REACH}\b{_KIND}"
    rf"|{_ONE_LIKE_IT})"
    rf"|\b(?:writ|creat|compos|invent|generat|design|produc|craft|formulat|devis|construct|author|pos)(?:e|ing)?"
    rf"\s+(?:(?:me|us|for\s+\w+)\s+)?{_NUMBER}\s+{_ADJECTIVES}{_KIND}"
    rf"|\b(?:come\s+up\s+with|make(?:\s+up)?|think\s+of)\s+{_NUMBER}\s+{_ADJECTIVES}{_KIND}"
    rf"|{_OTHER_NUMBERS}|{_MAKE}{_REACH}\b(?:harder|simpler|easier|(?:more|less)\s+(?:difficult|challenging|complex))\b"
    r"|\b(?:write|create|compose|invent|make|generate)\s+one(?=\s*(?:[.!?,;]|$|too\b|yourself\b))"
    rf"|\bfor\s+(?:an?|one)\s+(?:new|similar|additional|fresh)\s+(?:[\w-]+\s+){{0,3}}{_KIND}",
    re.IGNORECASE,
)
_NEW_WITHOUT_VERB = re.compile(
    r"(?<!\bthis )(?<!\bthe )(?<!\bthat )(?<!\bthese )(?<!solve )(?<!answer )"
    rf"{_QUALIFIED}{_REACH}{_KIND}{_REACH}\b{_SAME}|{_ONE_LIKE_IT}{_REACH}\b{_SAME}"
    r"|\b(?:a|one|some)\s+(?:variations?|variants?)\s+(?:of|on)\b",
    re.IGNORECASE,
)
"""So clear that a "solve" beside it is about the new problem."""
_NEW_AT_A_GLANCE = re.compile(
    rf"(?:^|[.!?:;]\s{{0,3}})(?:(?:and|now|ok(?:ay)?|please|next|then|again)[,:]?\s+)*(?:{_NUMBER}\s+)?"
    rf"(?:{_QUALIFIED}{_REACH}{_KIND}|{_ONE_LIKE_IT})",
    re.IGNORECASE,
)
"""Enough where nobody speaks of solving: "Another problem, please."."""
_GIVEN = re.compile(
    r"\b(?:here(?:'s|\s+is|\s+are|\s+comes)|this\s+is|that\s+is|these\s+are|below\s+is|i(?:'ve|\s+have)(?:\s+got)?"
    r"|consider|read|look\s+at|take)\s+(?:(?!\b(?:and|then|to|so)\b)[^.?!:;]){0,80}",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(
    r"\b(?:do\s+not|don't|never|no\s+need\s+to|without|instead\s+of|rather\s+than|not)\s+"
    r"(?:(?!\b(?:but|and\s+then|just|simply|instead)\b)[^.?!;:]){0,80}",
    re.IGNORECASE,
)
_SOLVE = re.compile(
    r"\b(?:solv(?:e|ing)|answer(?:ing)?|work(?:ing)?\s+(?:\w+\s+){0,3}out|work\s+(?:through|on|this|it)"
    r"|calculate|compute|figure\s+(?:\w+\s+){0,3}out|determine|evaluate\s+the|(?:the|your|final|correct)\s+solution"
    r"|what(?:'s|\s+is)\s+the\s+(?:\w+\s+){0,2}(?:result|number)|step[- ]by[- ]step"
    r"|show\s+(?:\w+\s+){0,2}work(?:ing)?|help\s+me|do\s+(?:this|the|my)\s+(?:\w+\s+){0,2}"
    r"(?:problem|question|exercise|task|puzzle|sum|homework)|explain\s+how|reason)\b|####",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:translat\w+|rephrase|paraphrase|reword|rewrite|summari[sz]e|summary|classify|categori[sz]e|label"
    r"|rate|rank|grade|score|judge|how\s+(?:hard|difficult|easy)|difficulty|which\s+(?:skills?|topics?|grade)"
    r"|what\s+(?:skills?|topics?|grade)|proofread|spell\w*|poem|song|hints?|count\s+the|list\s+(?:all|the)"
    r"|repeat|copy|extract|keywords?|which\s+of|how\s+many\s+(?:words?|steps?|sentences?|numbers?|people))\b"
    r"|(?:^|[.!?:;]\s{0,3})(?:is|are|was|were|does)\s+(?:this|the|it|these|that|there)\b",
    re.IGNORECASE,
)

# Of the answer of a new problem.
_PROPERTY = re.compile(
    r"\b(?:(?:exactly|only|just|precisely)\s+)?(?:an?\s+|the\s+|one\s+)?(?:(?:exactly|only)\s+)?"
    r"(?:one|single|unique|unambiguous|clear|definite|different|other|new)\s+(?:[\w-]+\s+){0,2}"
    r"(?:answers?|solutions?)\b"
    r"|\b(?:an?|one|the|its|whose)\s+(?:[\w-]+\s+){0,2}"
    r"(?:numeric(?:al)?|integer|whole[- ]number|positive|whole)\s+(?:[\w-]+\s+){0,2}(?:answers?|solutions?)\b"
    r"|\b(?:the|its|whose)\s+(?:final\s+)?(?:answer|solution)\s+(?:is|must|should|has\s+to|can|will|needs)\s+"
    r"(?:(?:to\s+)?(?:be|always|also|again)\s+)*(?:a|an|one|some|positive|whole|not|still|different)\b[^.?!]{0,40}",
    re.IGNORECASE,
)
_NOT_SHOWN = (
    r"(?:\s+(?:give|giving|include|including|write|writing|show|showing|state|stating|add|adding|provide|providing"
    r"|reveal|revealing|print|tell|telling|want|need|needed|any|the|its|a|an|your|me|us|out|worked|full|final|or"
    r"|nor|to|attempt|try|of|and|also|steps?|explanations?|hints?|it|them|this|new|with|for|kind|sort|answers?"
    r"|solutions?)[,/]?){0,10}\s+"
)
_HIDE = re.compile(
    r"\b(?:do\s+not|don't|never|without|no|not|omit(?:ting)?|leave\s+out|leaving\s+out|skip(?:ping)?"
    r"|exclud(?:e|ing)|withhold|hide|except)"
    rf"{_NOT_SHOWN}(?:answers?|answering|solutions?|solv(?:e|ing)|working|work\s+it\s+out)\b"
    r"|\b(?:answers?|solutions?)\b[^.?!]{0,20}\b(?:not|isn't|aren't|n't)\s+(?:be\s+)?(?:\w+\s+)?(?:needed|required"
    r"|wanted|necessary|shown|given|included|part)\b"
    r"|\banswer-free\b|\bunsolved\b|\bunanswered\b|\b(?:answers?|solutions?)\s+(?:is|are)\s+unnecessary\b"
    r"|\b(?:i|we|students?|pupils?|others?|someone(?:\s+else)?)(?:'ll|\s+will|\s+shall|\s+must|\s+should|\s+can)?\s+"
    r"(?:then\s+)?(?:solve|answer|work)\s+(?:it|them)\b(?!\s+with)",
    re.IGNORECASE,
)
_PLEASE = r"(?:^|[.!?,;:)]\s*|\b(?:and|then|also|please|must|should|finally|afterwards|next|to|you)\s+)"
_SHOW = re.compile(
    r"\b(?:with|and|plus|includ(?:e|es|ing)|followed\s+by|add(?:ing)?|append|attach|as\s+well\s+as|together\s+with"
    r"|along\s+with|accompanied\s+by|give|give\s+me|show|provide|both|then|&)\s+"
    r"(?:(?!\b(?:no|not|without|never)\b)[^.?!:;]){0,40}?\b(?:answers?|solutions?|working|worked\s+out)\b"
    r"|[\"'<\[({*_]{0,3}\b(?:answer|solution|a)\b[\"'*_]{0,3}\s*:|<(?:answer|solution)>"
    rf"|{_PLEASE}(?:(?:and|then|also|please|you|must|should|it)\s+)*"
    r"(?:solve|work\s+out|answer|work)\s+(?:it|them|this|that|your|the\s+new|the\s+problem|the\s+question)\b"
    r"|\b(?:solved|answered|worked\s+(?:out|through))\b"
    r"|\b(?:write|create|compose|invent|generate|produce|craft|make)\s+(?:up\s+)?(?:and|then|&)\s+(?:\w+\s+)?"
    r"(?:solve|answer|work)"
    r"|\bstep[- ]by[- ]step\b|\bq\s?&\s?a\b|\bqa\b|\b(?:question|problem)s?\s?[-–/+]\s?(?:answer|solution)"
    r"|####|\bshow\s+(?:\w+\s+){0,2}(?:work|working|steps|calculations)\b|\b(?:complete|full|worked)\s+solutions?\b",
    re.IGNORECASE,
)
_ALONE = re.compile(
    rf"\b(?:only|just|nothing\s+(?:but|except|else\s+than|other\s+than|more\s+than)|solely|exclusively)\b"
    rf"[^.?!]{{0,40}}\b{_KIND}(?![^.?!]{{0,40}}\b(?:{_OF_ANSWERS}))"
    rf"|\b{_KIND}\s+(?:text\s+|itself\s+|and\s+nothing\s+else\b|only\b|alone\b|by\s+itself\b)",
    re.IGNORECASE,
)


def kind(text: str) -> Kind | None:
    """What a text asks for; None where it asks for nothing that can be made out."""
    text = _sentences(text)
    asked = _GIVEN.sub(" ", _FORBIDDEN.sub(" ", text))
    alone = _WITH.sub(" ", asked)
    if _NEW.search(alone) or _NEW_WITHOUT_VERB.search(alone):
        return "new"
    if _SOLVE.search(asked):
        return "solve"
    if _NEW_AT_A_GLANCE.search(asked):
        return "new"
    return "other" if _OTHER.search(asked) else None


_WITH = re.compile(
    r",?\s*\b(?:along\s+with|together\s+with|complete\s+with|with|including)"
    r"(?:\s+(?:an?|its|the|their|all|full|complete|worked|detailed|correct|short|step[- ]by[- ]step))*"
    r"(?:\s+(?:answers?|solutions?)(?:\s+key)?),?(?=\s|$)"
    r"|,?\s*\band\s+(?:then\s+)?(?:solve|answer)(?=\s)",
    re.IGNORECASE,
)


def shows_answer(texts: Sequence[str], *, worked_seeds: bool = False) -> bool:
    """Whether a new problem is to come with its answer: the first text that says so or otherwise decides.

    `worked_seeds` says that the seeds came with worked answers; "in the same format" then means both.
    """
    for whole in texts:
        text = _PROPERTY.sub(" ", _sentences(whole))
        if _HIDE.search(text):
            return False
        if _SHOW.search(text):
            return True
        if _ALONE.search(text):
            return False
        if _FORMAT.search(text) and (worked_seeds or _WORKED_LINE.search(_cut(whole))):
            return True
    return False


_FORMAT = re.compile(r"\bformat\b|\b(?:same|this)\s+(?:form|layout|template)\b", re.IGNORECASE)
"""That of seeds with worked answers holds an answer."""
_WORKED_LINE = re.compile(
    r"^[^\n]{0,300}<<[^\n]{0,300}>>[^\n]{0,300}$|^[^\n]{0,40}####[ \t]*-?\$?\d[^\n]{0,40}$", re.MULTILINE
)
_LABEL = re.compile(
    r"^[ \t>*_#-]{0,8}(?:[\w-]+[ \t]+){0,2}(?:answer|solution|a)s?[*_ \t]{0,4}:[*_ \t]{0,4}"
    r"(?:[-$\d.,]{1,12})?[ \t]*$"
    r"|<(?P<tag>answer|solution)>\s*[-$\d.,]{0,12}\s*</(?P=tag)>",
    re.MULTILINE | re.IGNORECASE,
)


def _sentences(text: str) -> str:
    """A text without the worked answers of its seeds, its sentences on one line each."""
    text = _cut(text).replace("’", "'")
    text = _LABEL.sub("", _WORKED_LINE.sub("", text))
    text = re.sub(r"\n[ \t]*(?:\n|[-*•]|\d{1,2}[.)])\s*", ". ", text)
    return re.sub(r"\s+", " ", text).strip()


def _cut(text: str) -> str:
    half = MOST_CHARS // 2
    return text if len(text) <= MOST_CHARS else f"{text[:half]}\n\n{text[-half:]}"
