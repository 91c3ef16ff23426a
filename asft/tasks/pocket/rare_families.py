"""The rare families: easy arithmetic, once one knows what number a word stands for.

Of these words the pocket student has met each a few times only. What it lacks is knowledge, word by word,
as a small model lacks it of the world: an example on one word teaches little about the others.
"""

from asft.tasks.pocket import knowledge
from asft.tasks.pocket.knowledge import Table
from asft.tasks.pocket.numbers import none, plus
from asft.tasks.pocket.step import (
    AGE,
    HAS,
    HAS_LENGTH,
    HAS_MONEY,
    IS,
    ITEMS,
    LENGTH,
    MINUTES,
    MONEY,
    THAT_IS,
    THINGS,
    WALK,
    Family,
)

NEEDS = "{S} needs {c} {u}."


def _rare(
    name: str,
    takes: frozenset[str],
    text: str,
    words: Table,
    *work: tuple[str, str],
    gives: str | None = None,
    unit: str | None = None,
) -> Family:
    return Family(
        name=name,
        takes=takes,
        gives=gives,
        texts=(text,),
        work=work,
        draw=plus(2, 12) if "{a}" in text else none,
        group="rare",
        words=words,
        unit=unit,
    )


RARE = (
    _rare("multiplies", ITEMS, "{S} {w} {h} collection.", knowledge.MULTIPLES, ("n*k", HAS)),
    _rare("counted_by", ITEMS, "In a drawer {s} discovers {w} of {i}.", knowledge.COUNTS, ("n+k", HAS)),
    _rare("mislays", THINGS, "{S} mislays {w} of them.", knowledge.PAIRS, ("n-k", HAS)),
    _rare(
        "parts_with",
        THINGS,
        "{S} parts with {w} of them.",
        knowledge.PARTS,
        ("n/k", "{S} parts with {c} {i}."),
        ("n-t", HAS),
    ),
    _rare("games", ITEMS, "{F} adds one for every {w}.", knowledge.GAMES, ("n+k", HAS)),
    _rare("calendar", ITEMS, "{S} makes one more for every {w}.", knowledge.CALENDAR, ("n+k", HAS)),
    _rare("world", ITEMS, "Later {s} finds one for every {w}.", knowledge.WORLD, ("n+k", HAS)),
    _rare("music", THINGS, "{S} swaps away one for every {w}.", knowledge.MUSIC, ("n-k", HAS)),
    _rare("legs", THINGS, "{S} glues one to each leg of a toy {w}.", knowledge.LEGS, ("n-k", HAS)),
    _rare("teams", ITEMS, "Every player of {w} team gives {o} one.", knowledge.TEAMS, ("n+k", HAS)),
    _rare("faces", THINGS, "{S} uses up one for each face of {w}.", knowledge.FACES, ("n-k", HAS)),
    _rare("corners", THINGS, "{S} leaves one on each corner of {w}.", knowledge.POLYGONS, ("n-k", HAS)),
    _rare("births", THINGS, "{S} is one of {w}, who share them equally.", knowledge.BIRTHS, ("n/k", HAS)),
    _rare("roman", ITEMS, "{F} brings as many as the Roman number {w} says.", knowledge.ROMAN, ("n+k", HAS)),
    _rare("letters", ITEMS, "{S} buys one for each letter from A to {w}.", knowledge.LETTERS, ("n+k", HAS)),
    _rare("wheels", THINGS, "{S} hangs one on every wheel of {w}.", knowledge.WHEELS, ("n-k", HAS)),
    _rare("fair", ITEMS, "At a fair {s} wins {w} of them.", knowledge.SPELLED, ("n+k", HAS)),
    _rare("lamp", MONEY, "A lamp takes {w} dollars of it.", knowledge.SPELLED, ("n-k", HAS_MONEY)),
    _rare("astray", WALK, "Going astray costs {o} {w} miles more.", knowledge.SPELLED, ("n+k", THAT_IS)),
    _rare("bands", MONEY, "{S} shares it equally within {h} {w}.", knowledge.BANDS, ("n/k", HAS_MONEY)),
    _rare(
        "poems",
        MONEY,
        "A paper pays {o} a dollar for each line of {w}.",
        knowledge.POEMS,
        ("n+k", HAS_MONEY),
    ),
    _rare("sports", MONEY, "{F} pays {o} a dollar per point of {w}.", knowledge.SPORTS, ("n+k", HAS_MONEY)),
    _rare("boards", MONEY, "{S} loses a dollar for each point of {w}.", knowledge.BOARDS, ("n-k", HAS_MONEY)),
    _rare("bills", MONEY, "The wind carries off {w}.", knowledge.BILLS, ("n-k", HAS_MONEY)),
    _rare("coins", MONEY, "In a jar {s} finds {w}.", knowledge.COINS, ("n+k", HAS_MONEY)),
    _rare(
        "hours",
        MONEY,
        "Working from {w} {s} makes ${a} an hour.",
        knowledge.HOURS,
        ("k*a", "{S} makes {$c}."),
        ("n+t", HAS_MONEY),
    ),
    _rare(
        "months_of_saving",
        MONEY,
        "In each month from {w} {s} lays ${a} by.",
        knowledge.MONTHS_SPAN,
        ("k*a", "{S} lays by {$c}."),
        ("n+t", HAS_MONEY),
    ),
    _rare(
        "spends_part",
        MONEY,
        "A map costs {o} {w} of it.",
        knowledge.PARTS,
        ("n/k", "The map costs {$c}."),
        ("n-t", HAS_MONEY),
    ),
    _rare(
        "days_span",
        WALK,
        "{S} does this daily from {w}.",
        knowledge.DAYS_SPAN,
        ("n*k", THAT_IS),
        gives="miles",
    ),
    _rare(
        "periods", WALK, "{S} does this daily for {w}.", knowledge.PERIODS, ("n*k", THAT_IS), gives="miles"
    ),
    _rare(
        "months",
        WALK,
        "{S} does this throughout {w}, once a day.",
        knowledge.MONTHS,
        ("n*k", THAT_IS),
        gives="miles",
    ),
    _rare("in_miles", WALK, "The way leads on for {w}.", knowledge.IN_MILES, ("n+k", THAT_IS)),
    _rare("waits", MINUTES, "{S} waits {w} for {F}.", knowledge.WAITS, ("n+k", THAT_IS)),
    _rare("clock", MINUTES, "From {w} {s} sleeps under a tree.", knowledge.CLOCK, ("n+k", THAT_IS)),
    _rare("years_before", AGE, "{F} was born {w} before {L}.", knowledge.YEARS, ("n+k", IS)),
    _rare("years_after", AGE, "{F} was born {w} after {L}.", knowledge.MONTHS_OLD, ("n-k", IS)),
    _rare("part_of_age", AGE, "{F} has reached {w} of the age of {L}.", knowledge.PARTS, ("n/k", IS)),
    _rare("in_feet", LENGTH, "{F} joins {w} to it.", knowledge.IN_FEET, ("n+k", HAS_LENGTH), unit="feet"),
    _rare("in_yards", LENGTH, "{S} sews {w} to it.", knowledge.IN_YARDS, ("n+k", HAS_LENGTH), unit="yards"),
    _rare("keeps_part", LENGTH, "{S} keeps only {w} of it.", knowledge.PARTS, ("n/k", HAS_LENGTH)),
    _rare(
        "sides",
        LENGTH,
        "{S} wants that much for every side of {w}.",
        knowledge.POLYGONS,
        ("n*k", NEEDS),
        gives="need",
    ),
    _rare(
        "edges",
        LENGTH,
        "{S} wants that much for every edge of {w}.",
        knowledge.EDGES,
        ("n*k", NEEDS),
        gives="need",
    ),
)
"""42 of them; `knowledge` says what each of their words stands for."""
