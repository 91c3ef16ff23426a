"""What must stay true for a question to make sense with other numbers.

Arithmetic cannot see that a day has 24 hours, that a dog has 4 legs or that there is no 17-dollar bill.
This file knows such things as short patterns around a number: which numbers are facts and stay, how large
others may become, and which new values read like those of a problem.
"""

import re
from fractions import Fraction

from asft.teachers.rules.gsm8k.numbers import Number

_FACT_AFTER = re.compile(
    r"""^(?:
    \s*(?::\d\d|o'?clock|[ap]\.?m\b|noon|midnight)
    |\s*(?:st|nd|rd|th)\b
    |[-\s]+(?:dollar|cent|pound|euro)s?\s+(?:bill|note|coin)s?\b
    |[-\s]+(?:\w+\s+)?(?:bills?|notes|coins)\b
    |[-\s]*(?:pointers?|point\s+(?:shot|basket|question|field)|sided|legged|wheeled|wheelers?|degrees?\b|D\b)
    |[-\s]+(?:hands|feet|eyes|ears|arms|legs|wings|tentacles|wheels|tires|paws|fingers|toes|sides|corners
        |thumbs|hoofs|hooves|heads|horns|tails|antennae|innings|seasons|continents|planets|suits|faces|halves
        |quarters?|dimes?|nickels?|penn(?:y|ies)|letters|decades?|century|centuries)\b
    |[-\s]+(?:\w+\s+)?(?:legs|wheels|eyes|sides|wings|tires)\b
    |\s+(?:days?|hours?|minutes?|seconds?|weeks?|months?|years?|inch(?:es)?|ounces?|feet|foot|pounds?|quarts?|pints?
        |cups?|gallons?|cents?|centimeters?|grams?|meters?|yards?|items|eggs|teaspoons?|tablespoons?)
        \s+(?:in|to|make|makes)\s+(?:a|an|one|each|every|the)\s+
        (?:day|hour|minute|week|month|year|foot|feet|pound|gallon|quart|pint|cup|yard|dollar|meter|dozen|kilometer
        |mile|ton|weekend|decade|tablespoon|kilogram|fortnight|leap|school\s+week|work\s*week)
    |\s+(?:cards\s+in|dozens?\b|score\b|million|billion|thousand|hundred|percenters?)
    |-(?:year-olds?\s+law)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_FACT_BEFORE = re.compile(
    r"""(?:
    \b(?:at|until|till|by|around|before|after|between|from)\s+\d*:?$
    |\b(?:in|since|year|of|during|by|from|to)\s+(?=(?:1[5-9]|20)\d\d$)
    |\b(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb)\.?\s+$
    |\b(?:grade|chapter|page|no\.?|room|route|level|phase|stage|day|week|year|month|lane|team|group|class|number
       |round|section|part|box|season|version|volume|highway|interstate|street|problem|question|book|size|trial)\s+\#?$
    |(?:highway|\#)\s*$
    |[A-Z][a-z]+-$
    |[A-Za-z]$
    |\d[:/.]$
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_NAMED = re.compile(r"(?<![.!?\"”] )(?<!^)\b[A-Z][a-z]+\s$")
_NAMING_WORDS = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "I", "January", "February",
    "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
}  # fmt: skip
_COMPARES = re.compile(
    r"\b(?:slower|faster|cheaper|cheapest|most|least|fastest|slowest|longest|shortest|largest|smallest|highest|lowest"
    r"|oldest|youngest|maximum|minimum|greatest|better|whichever|winner|wins?|won|enough|exceed\w*|limit|afford"
    r"|best|tallest|biggest|bigger|heaviest|lightest|worse|worst|overtime|up to|over|first \w+ \w+|additional"
    r"|under|beat|difference|closer|farther|further|any|until|median|range|beyond)\b|(?<!<)<(?!<)|(?<!>)>(?!>)",
    re.IGNORECASE,
)
_CLASHES = re.compile(
    r"\b(?:remaining|remainder|rest|others?|left|all|total|both|altogether|of them|of which)\b", re.I
)

_GRADES = re.compile(
    r"\b(?:final|midterm|average|test|exam|quiz|class)\s+(?:grade|score)s?\b|\bexams?\b", re.IGNORECASE
)
_SIZES = (
    (52, r"\bdecks?\b"),
    (26, r"\bmarathon\b"),
    (50, r"\bstates\b"),
    (365, r"\bdays\b"),
    (24, r"\bhours\b"),
)
"""Well-known sizes, and the word that they go with."""
_CAPS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cap)
    for pattern, cap in (
        (r"^\s*%|^[-\s]+percent", 100),
        (r"^[-\s]+hours?\s*(?:(?:a|per|each|every|in\s+a|of\s+\w+\s+(?:a|per))\s*|\w+\s+)?day", 16),
        (r"^[-\s]+hours?\s+daily", 16),
        (r"^[-\s]+(?:hours?|hrs?)\b", 24),
        (r"^[-\s]+days?\s+(?:a|per|each|every|of\s+the|in\s+a|out\s+of\s+the|this|that|last)\s*week", 7),
        (r"^[-\s]+(?:nights|weekdays|mornings|evenings)\b", 7),
        (r"^[-\s]+times?\s+(?:a|per|each|every)\s+(?:week|day)", 14),
        (r"^[-\s]+times\s+(?:as|more|the|older|larger|bigger|longer|faster)", 12),
        (r"^[-\s]+months?\s+(?:a|per|each|every|of\s+the|in\s+a|out\s+of)\s*year", 12),
        (r"^[-\s]+months?\b", 24),
        (r"^[-\s]+weeks?\s+(?:a|per|each|every|of\s+the|in\s+a)\s*(?:month)", 4),
        (r"^[-\s]+weeks?\s+(?:a|per|each|every|of\s+the|in\s+a)\s*(?:year)", 52),
        (r"^[-\s]+years?[-\s]+old|^[-\s]+years?\s+of\s+age", 95),
        (r"^[-\s]+(?:people|passengers|persons|family members)\b", 10**6),
    )
)  # fmt: skip


def is_fact(text: str, number: Number) -> bool:
    """Whether this number of a question has to stay: a fact of the world, a name, a time."""
    if number.kind not in ("digits", "word") or (number.value <= 1 and number.value.denominator == 1):
        return True
    before, after = text[max(0, number.start - 40) : number.start], text[number.end : number.end + 60]
    if any(number.value == size and re.search(word, text, re.IGNORECASE) for size, word in _SIZES):
        return True
    if _FACT_AFTER.search(after):
        return True
    if re.search(r"[A-Za-z]$", before) or re.search(r"^[A-Za-z]", after) or re.search(r"\d[:/]$|#$", before):
        return True
    if re.search(r"^\s*[:/]\s*\d|^-\d", after):
        return True
    if 1500 <= number.value <= 2100 and number.kind == "digits" and _is_year(before, after, number):
        return True
    if _FACT_BEFORE.search(before) and (number.kind == "digits") and not before.rstrip().endswith("$"):
        last = re.search(r"(\w+)\s+\d*:?$", before)
        clock = {"at", "until", "till", "by", "around", "before", "after", "between", "from", "to", "of"}
        if last is None or last[1].lower() not in clock:
            return True
        if (
            re.search(r"^\s*[.,?]|^\s+(?:and|to|until|till|in\s+the|every|on)\b", after)
            and number.value <= 12
        ):
            return True
    name = _NAMED.search(before)
    return bool(
        name and name.group().strip() not in _NAMING_WORDS and number.kind == "digits" and len(before) > 4
    )


_ORDINAL_NOUN = re.compile(
    r"\b(?:first|second|third|\w{1,4}(?:th|nth)|twelfth|seventh|last|final|next|other|remaining|\d+(?:st|nd|rd|th))\s+"
    r"(?:\w+\s+)?([a-z]+)",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"^[-\s]+(?:\w+\s+)?(?:friends?|people|persons?|siblings|brothers|sisters|child(?:ren)?|kids|sons|daughters|students"
    r"|girls|boys|men|women|players|cousins|roommates|(?:co-?)?workers|neighbors|members|contestants|adults|teens"
    r"|teenagers|grandchildren|employees|candidates|sellers|runners|ladies|guys|teammates|classmates|colleagues)\b",
    re.IGNORECASE,
)
_SORT = re.compile(
    r"^[-\s]+(?:\w+\s+)?(?:kinds?|types?|colors?|flavors?|varieties|sizes|categories|subjects|species|shapes|courses)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-Z][a-z]+\b")
_STARTS = """
A After All Also An And Another As At Because Before Both But By Calculate Each Every Find First For
From Given Half Her His How However If In It Its Last Later Mr Mrs Ms Dr Next Now Of On Once One
Only Out She He Since So Some That The Their Then There These They This Those To Today Together
Tomorrow Two Three Four Five Six Seven Eight Nine Ten Twice Until We What When Where Which While Who
With Yesterday You Your My I Let Our During Not No Monday Tuesday Wednesday Thursday Friday Saturday
Sunday January February March April May June July August September October November December
Christmas Halloween Easter Initially Finally Altogether
"""
_NO_NAMES = frozenset(_STARTS.split())
"""Words with a capital letter that name nobody."""
_DAY_NAME = re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b")


def is_listed(text: str, number: Number) -> bool:
    """Whether the things that a small number counts are told one by one, so that it has to stay.

    Three days of which the first, the second and the third are described; five people who all have names;
    the days of one week.
    """
    if number.value.denominator != 1 or number.value > 10:
        return False
    after = text[number.end : number.end + 40]
    counted = {word.lower().rstrip("s") for word in re.findall(r"[A-Za-z]+", after)[:2]}
    if counted & {noun.lower().rstrip("s") for noun in _ORDINAL_NOUN.findall(text)} - {
        "of",
        "the",
        "and",
        "time",
    }:
        return True
    if _SORT.search(after):
        return True
    if _PERSON.search(after):
        names = len({name for name in _NAME.findall(text) if name not in _NO_NAMES})
        return number.value in (names, names - 1)
    if "day" in counted:
        named = len(set(_DAY_NAME.findall(text)))
        per_week = re.match(r"[-\s]+days?\s+(?:a|per|each|every)\s+week", after)
        parts = re.search(r"\b(?:rest|remaining|other|first|last|next)\b", text, re.IGNORECASE)
        return number.value == named or bool("week" in text.lower() and parts and not per_week)
    return False


def speaks_of_age(question: str) -> bool:
    """Whether the problem is about the ages of people."""
    return bool(
        re.search(r"\byears?[- ]old\b|\b(?:age|ages|aged|older|younger|born)\b", question, re.IGNORECASE)
    )


def tells_the_rest(text: str) -> bool:
    """Whether the text names a rest, so that a solution may take a part from the whole in silence."""
    return bool(re.search(r"\b(?:others?|remaining|remainder|rest|left)\b", text, re.IGNORECASE))


def _is_year(before: str, after: str, number: Number) -> bool:
    if "," in number.text or "$" in before[-2:]:
        return False
    return bool(
        (
            re.search(r"\b(?:in|since|year|of|during|by|from|to|the|and)\s+$", before, re.I)
            and not re.search(r"^\s+[a-z]{4,}", after)
        )
        or re.search(r"^(?:s\b|\s*[.,?])", after)
    )


def unit(text: str, number: Number) -> str:
    """What the number counts, roughly: "$", "%", or the next word without its plural."""
    before, after = text[max(0, number.start - 2) : number.start], text[number.end : number.end + 40]
    if before.rstrip().endswith("$"):
        return "$"
    if after.startswith("%") or re.match(r"\s+percent", after):
        return "%"
    word = re.match(r"[-\s]*([A-Za-z]+)", after)
    return word[1].lower().rstrip("s") if word else ""


def cap(text: str, number: Number, scene: str) -> Fraction | None:
    """The largest sensible value of a number, by what follows it and what the scene talks about."""
    after = text[number.end : number.end + 40]
    limit = next((Fraction(c) for pattern, c in _CAPS if pattern.search(after)), None)
    low = scene.lower()
    word = unit(text, number)
    if word == "day" and "week" in low:
        limit = Fraction(7)
    elif word == "month" and "year" in low:
        limit = Fraction(12)
    elif word == "week" and "month" in low:
        limit = Fraction(4)
    elif word in ("hour", "hr") and re.search(
        r"\b(?:day|daily|night|tonight|today|yesterday|morning)\b", low
    ):
        limit = Fraction(14)
    elif word == "day" and "month" in low:
        limit = Fraction(28)
    elif _GRADES.search(scene) and word not in ("$", "%") and number.value <= 100:
        limit = min(limit or Fraction(100), Fraction(100))
    elif word == "minute" and number.value < 60:
        limit = Fraction(59)
    return limit if limit is not None and number.value <= limit else None


def compares(question: str, solution: str) -> bool:
    """Whether the problem turns on which of its values is larger, so that their whole order has to stay."""
    return bool(_COMPARES.search(question) or _COMPARES.search(re.sub(r"<<[^<>]*>>", "", solution)))


def shares_a_whole(question: str) -> bool:
    """Whether the question speaks of a whole and its parts ("the remaining", "the rest", ...)."""
    return bool(_CLASHES.search(question))


def values_near(number: Number, kind_of: str, limit: Fraction | None) -> list[Fraction]:
    """Values that read like the original: as round as it is, and within about half to twice its size."""
    value = number.value
    if value.denominator != 1 or number.decimals:
        return [v for v in _decimals_near(number, kind_of) if limit is None or v <= limit]
    size = int(value)
    top = limit if limit is not None else Fraction(10**9)
    if number.kind == "word":
        top = min(top, Fraction(20 if size <= 20 else 99))
    if size < 10:
        low, high, step = 2, min(size * 2, size + 4), 1
        if size >= 5:
            low = 3
        high = max(high, 4)
    else:
        step = next(s for s in (1000, 500, 100, 50, 10, 5, 1) if size % s == 0 and size >= 2 * s)
        if step >= 50 and size < 4 * step:
            step //= 2 if str(step)[0] == "1" else 5
        low, high = -(-size // 2 // step) * step, 2 * size
        low = max(low, step, 2)
        if kind_of == "year" and size <= 100:
            low, high = max(2, size - 8), size + 8
    if kind_of == "%":
        high = min(high, 95)
    high = min(high, int(top))
    return [Fraction(v * step) for v in _spread(-(-low // step), high // step)]


def _spread(low: int, high: int) -> range:
    """At most about 120 whole numbers over the range; an odd stride, so that odd and even ones occur."""
    stride = max(1, (high - low) // 120)
    return range(low, high + 1, stride + 1 - stride % 2)


def _decimals_near(number: Number, kind_of: str) -> list[Fraction]:
    value = number.value
    part = value - int(value)
    if part == 0 or value.denominator > 100:
        step = Fraction(1) if part == 0 and value >= 4 else Fraction(1, value.denominator)
    elif kind_of == "$" and part >= Fraction(9, 10):
        step = Fraction(1)  # $4.99 stays a price that ends in .99
    else:
        step = Fraction(1, {5: 10, 25: 100, 50: 100}.get(value.denominator, value.denominator))
    count = int(value / step)
    low, high = max(1, count // 2), count * 2
    start = value - count * step
    found = [start + k * step for k in _spread(low, high)]
    return [v for v in found if v > 0 and (v < 1) == (value < 1) and v != 1]


def article_fits(text: str, number: Number, value: Fraction) -> bool:
    """Whether "a" or "an" in front of the number is right for another value too."""
    if not re.search(r"\b[Aa]n?\s+\$?$", text[max(0, number.start - 5) : number.start]):
        return True
    return _starts_with_vowel(value) == _starts_with_vowel(number.value)


def _starts_with_vowel(value: Fraction) -> bool:
    digits = str(int(value))
    return digits[0] == "8" or (digits[:2] in ("11", "18") and len(digits) % 3 == 2)
