"""What words stand for, worked out another way than by looking it up."""

import calendar
import re

import pytest

from asft.tasks.pocket import knowledge

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
CARDINALS = {word: n for n, word in enumerate(re.split(" ", _UP_TO_TWENTY))}
CARDINALS |= {"thirty": 30, "forty": 40, "twenty-one": 21, "eighty": 80, "a": 1}


def number(word: str) -> int:
    return CARDINALS[word]


def test_months_have_their_days() -> None:
    for words, days in knowledge.MONTHS.items():
        month = list(calendar.month_name).index(words.split()[0])
        assert days == calendar.monthrange(2024 if words.endswith("leap year") else 2023, month)[1]
    assert {words.split()[0] for words in knowledge.MONTHS} == set(calendar.month_name[1:])


@pytest.mark.parametrize(
    ("table", "names"),
    [(knowledge.DAYS_SPAN, list(calendar.day_name)), (knowledge.MONTHS_SPAN, list(calendar.month_name))],
)
def test_spans_count_both_ends(table: knowledge.Table, names: list[str]) -> None:
    for words, length in table.items():
        start, end = words.split(" to ")
        assert names.index(end) - names.index(start) + 1 == length


def test_hours_run_from_morning_to_afternoon_or_within_one_of_them() -> None:
    def hour(words: str) -> float:
        late = words.startswith("half past ")
        word = words.removeprefix("half past ")
        return (12 if word == "noon" else number(word)) + 0.5 * late

    for words, hours in knowledge.HOURS.items():
        start, end = map(hour, words.split(" to "))
        assert (end - start) % 12 == hours


def minutes(words: str) -> int:
    """A time of day, in minutes past twelve."""
    found = re.fullmatch(r"(?:(half|a quarter|ten|five|twenty) (past|to) )?(\S+)", words)
    assert found, words
    by, way, hour = found.groups()
    shift = (
        {"half": 30, "a quarter": 15, None: 0}.get(by) if by in ("half", "a quarter", None) else number(by)
    )
    assert shift is not None
    return 60 * (12 if hour == "noon" else number(hour)) + (-shift if way == "to" else shift)


def test_clock_times_differ_by_what_is_said() -> None:
    for words, length in knowledge.CLOCK.items():
        joints = [m.start() for m in re.finditer(" to ", words)]
        spans = set()
        for joint in joints:
            try:
                spans.add((minutes(words[joint + 4 :]) - minutes(words[:joint])) % 720)
            except (AssertionError, KeyError):
                continue
        assert spans == {length}, words


def test_roman_numbers_and_letters() -> None:
    worth = {"I": 1, "V": 5, "X": 10, "L": 50}
    for word, value in knowledge.ROMAN.items():
        signs = [worth[sign] for sign in word]
        following = [*signs[1:], 0]
        assert value == sum(-a if a < b else a for a, b in zip(signs, following, strict=True))
    assert all(ord(letter) - ord("A") + 1 == value for letter, value in knowledge.LETTERS.items())


def test_spelled_numbers_pairs_bills_coins_and_wheels() -> None:
    assert all(number(word) == value for word, value in knowledge.SPELLED.items())
    assert all(2 * number(words.split()[0]) == value for words, value in knowledge.PAIRS.items())
    for words, dollars in knowledge.BILLS.items():
        count, bill = words.split()[:2]
        face = {"fifty": 50, **CARDINALS}[bill.removesuffix("-dollar")]
        assert number(count) * face == dollars
    cents = {"quarters": 25, "dimes": 10, "nickels": 5, "half-dollars": 50}
    for words, dollars in knowledge.COINS.items():
        count, coin = words.split()
        assert number(count) * cents[coin] == 100 * dollars
    wheels = {"unicycle": 1, "bicycle": 2, "tricycle": 3}
    for words, value in knowledge.WHEELS.items():
        parts = [part.split() for part in words.split(" and ")]
        assert sum(number(count) * wheels[kind.removesuffix("s")] for count, kind in parts) == value


def test_units_of_length() -> None:
    inches = {"inches": 1, "feet": 12, "yard": 36, "yards": 36, "fathom": 72, "fathoms": 72}
    counts = CARDINALS | {"twenty-four": 24, "thirty-six": 36, "sixty": 60, "seventy-two": 72}
    for table, unit in ((knowledge.IN_FEET, 12), (knowledge.IN_YARDS, 36)):
        for words, value in table.items():
            count, name = words.split()
            assert counts[count] * inches[name] == value * unit
    furlongs = {"furlongs": 1, "half miles": 4, "league": 24, "leagues": 24}
    for words, value in knowledge.IN_MILES.items():
        count, name = words.split(" ", 1)
        assert counts[count] * furlongs[name] == 8 * value


def test_polyhedra_obey_euler() -> None:
    corners = {"tetrahedron": 4, "cube": 8, "octahedron": 6, "dodecahedron": 20, "icosahedron": 12}
    corners |= {"square pyramid": 5, "pentagonal pyramid": 6, "hexagonal pyramid": 7}
    corners |= {"triangular prism": 6, "pentagonal prism": 10, "hexagonal prism": 12}
    both = knowledge.FACES.keys() & knowledge.EDGES.keys()
    assert len(both) == 10
    for words in both:
        assert corners[words.split(" ", 1)[1]] - knowledge.EDGES[words] + knowledge.FACES[words] == 2


def test_no_word_stands_in_a_table_twice_and_none_for_nothing() -> None:
    tables = {name: table for name, table in vars(knowledge).items() if name.isupper()}
    assert len(tables) > 30
    for name, table in tables.items():
        assert min(table.values()) >= 1, name
        assert len({words.lower() for words in table}) == len(table) >= 6, name
