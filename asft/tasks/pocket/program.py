"""Programs: what a pocket problem says, without the words. Composed, solved and varied here.

A program is an opener and a chain of steps on one running quantity. Everything random comes from a
`random.Random` that is handed in. Disjoint sets of instances come from a hash of the program, without
its wordings, that sorts all instances into buckets: a (salt, split) owns one of them.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from asft.tasks.pocket.families import FAMILIES, OPENERS
from asft.tasks.pocket.numbers import LARGEST, Args
from asft.tasks.pocket.step import Family
from asft.tasks.pocket.words import ITEMS, MATERIALS, MEN, NAMES, WOMEN


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One use of a family."""

    family: str
    args: Args
    friend: str = ""
    """The further name, where the family has one."""
    item: str = ""
    """The new items, where the family brings some."""
    word: str = ""
    """The word that stands for a number, where the family has one."""
    wording: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A whole problem."""

    opener: str
    name: str
    start: int
    noun: str
    """The items or the material that the opener speaks of; empty for the other openers."""
    steps: tuple[Step, ...]
    wording: int = 0

    @property
    def families(self) -> tuple[str, ...]:
        """The families of its steps, in order."""
        return tuple(step.family for step in self.steps)

    @property
    def length(self) -> int:
        """How many calculations solving it takes."""
        return sum(FAMILIES[step.family].steps for step in self.steps)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The running quantity and what it is a quantity of."""

    kind: str
    value: int
    unit: str
    noun: str
    """The items, for the kinds that count some."""
    person: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Calculation:
    """One line of work: `left` = `value`."""

    left: str
    value: int


class InfeasibleError(Exception):
    """A chain that its numbers do not fit: a division that leaves a rest, a quantity out of range."""


def first(program: Program) -> State:
    """The state after the opener."""
    opener = OPENERS[program.opener]
    return State(
        kind=opener.kind, value=program.start, unit=opener.unit, noun=program.noun, person=program.name
    )


def advance(state: State, step: Step) -> tuple[State, tuple[Calculation, ...]]:
    """Apply a step. Raises InfeasibleError where it does not fit the state."""
    family = FAMILIES[step.family]
    if state.kind not in family.takes or (family.unit and family.unit != state.unit):
        raise InfeasibleError(f"{family.name} does not apply to {state.kind} in {state.unit!r}")
    calculations = calculate(family, state.value, step.args, step.word)
    gives = family.gives or state.kind
    unit = family.new_unit or {"minutes": "minutes"}.get(gives, state.unit)
    return (
        State(
            kind=gives,
            value=calculations[-1].value,
            unit=unit,
            noun=step.item or family.new_item or state.noun,
            person=step.friend if state.kind == "age" else state.person,
        ),
        calculations,
    )


def calculate(family: Family, n: int, args: Args, word: str = "") -> tuple[Calculation, ...]:
    """The calculations of a step, exactly. InfeasibleError where one is not whole, 1..LARGEST."""
    if not all(args):
        raise InfeasibleError(f"{family.name} takes no 0")
    values = dict(zip("ab", args, strict=False), n=n)
    if word:
        values["k"] = family.words[word]
    if "a" in values:
        values["q"] = n // values["a"]
    done: list[Calculation] = []
    for expression, _ in family.work:
        terms, operators = _split(expression)
        numbers = [int(term) if term.isdigit() else values[term] for term in terms]
        total = numbers[0]
        for operator, number in zip(operators, numbers[1:], strict=True):
            total = _apply(operator, total, number)
        left = str(numbers[0]) + "".join(o + str(x) for o, x in zip(operators, numbers[1:], strict=True))
        if not 1 <= total <= LARGEST:
            raise InfeasibleError(f"{left} = {total} is not in 1..{LARGEST}")
        values["t"] = total
        done.append(Calculation(left=left, value=total))
    return tuple(done)


def _split(expression: str) -> tuple[list[str], list[str]]:
    operators = [character for character in expression if character in "+-*/"]
    for operator in operators:
        expression = expression.replace(operator, " ")
    return expression.split(), operators


def _apply(operator: str, left: int, right: int) -> int:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0 or left % right:
        raise InfeasibleError(f"{left}/{right} is not whole")
    return left // right


def walk(program: Program) -> Iterator[tuple[State, Step, State, tuple[Calculation, ...]]]:
    """The state before each step, the step, the state after it, and its calculations."""
    before = first(program)
    for step in program.steps:
        after, calculations = advance(before, step)
        yield before, step, after, calculations
        before = after


def solve(program: Program) -> int:
    """The final answer. Raises InfeasibleError for a chain that does not work out."""
    value = program.start
    for *_, after, _calculations in walk(program):
        value = after.value
    return value


def new_step(family: Family, n: int, rng: random.Random) -> Step | None:
    """A step from the quantity n, with numbers, a word, a wording and, where that asks for it, new items and
    a friend to be named; None where no numbers fit."""
    args = family.draw(rng, n)
    if args is None:
        return None
    word = ""
    if family.words:
        fit = [word for word in family.words if _feasible(family, n, args, word)]
        if not fit:
            return None
        word = rng.choice(fit)
    wording = rng.randrange(len(family.texts))
    text = family.texts[wording]
    return Step(
        family=family.name,
        args=args,
        friend="?" if "{F}" in text else "",
        item=rng.choice(list(ITEMS)) if "{j}" in text else "",
        word=word,
        wording=wording,
    )


def _feasible(family: Family, n: int, args: Args, word: str) -> bool:
    try:
        calculate(family, n, args, word)
    except InfeasibleError:
        return False
    return True


# --- composing -------------------------------------------------------------------------------------


def compose(rng: random.Random, *, length: int, wanted: Family | None) -> Program | None:
    """Draw a program of exactly `length` calculations, with the family `wanted` and else common ones.

    A family occurs at most once in a problem. Returns None where this try meets a dead end.
    """
    name = rng.choices(list(OPENERS), [o.weight for o in OPENERS.values()])[0]
    opener = OPENERS[name]
    state = State(
        kind=opener.kind,
        value=rng.randint(opener.low, opener.high),
        unit=opener.unit,
        noun=_noun(opener.kind, rng),
        person="?",
    )
    start, noun = state.value, state.noun
    left = length
    steps: list[Step] = []
    used: set[str] = set()
    while left:
        family = _next(rng, state, used, left, wanted)
        if family is None:
            return None
        step = new_step(family, state.value, rng)
        if step is None:
            return None
        try:
            state, _ = advance(state, step)
        except InfeasibleError:
            return None
        steps.append(step)
        used.add(family.name)
        left -= family.steps
        if family is wanted:
            wanted = None
    if wanted is not None:
        return None
    return Program(
        opener=name,
        name="?",
        start=start,
        noun=noun,
        steps=tuple(steps),
        wording=rng.randrange(len(opener.texts)),
    )


def _noun(kind: str, rng: random.Random) -> str:
    if kind == "items":
        return rng.choice(list(ITEMS))
    return rng.choice(MATERIALS) if kind == "length" else ""


def _next(
    rng: random.Random, state: State, used: set[str], left: int, wanted: Family | None
) -> Family | None:
    def fits(family: Family) -> bool:
        return (
            state.kind in family.takes
            and family.name not in used
            and family.steps <= left - (wanted.steps if wanted and wanted is not family else 0)
            and (family.unit is None or family.unit == state.unit)
        )

    common = [f for f in FAMILIES.values() if f.group == "common" and fits(f)]
    if wanted and fits(wanted) and (not common or rng.random() < wanted.steps / left):
        return wanted
    return rng.choice(common) if common else None


def name_people(program: Program, rng: random.Random) -> Program:
    """Give the person and all friends names, no two alike.

    Where pronouns stand for the person, the friends are of the other sex, so that none is ambiguous.
    """
    return _named(program, *_people(program, rng))


def _people(program: Program, rng: random.Random) -> tuple[str, list[str]]:
    """A name for the person, and one for each step's friend, whether it has one or not."""
    name = rng.choice(NAMES)
    others = (_ALL_OTHERS if program.opener == "age" else _OTHER_SEX)[name]
    return name, rng.sample(others, len(program.steps))


def _named(program: Program, name: str, friends: Sequence[str]) -> Program:
    steps = [
        replace(step, friend=friend) if step.friend else step
        for step, friend in zip(program.steps, friends, strict=True)
    ]
    return replace(program, name=name, steps=tuple(steps))


_ALL_OTHERS = {name: tuple(other for other in NAMES if other != name) for name in NAMES}
_OTHER_SEX = {name: MEN if name in WOMEN else WOMEN for name in NAMES}


LENGTHS = {1: 0.24, 2: 0.34, 3: 0.26, 4: 0.12, 5: 0.03, 6: 0.01}
"""How many calculations the problems of the pool take."""


_TRIES = 200


def draw(rng: random.Random, special: Mapping[str, float], share: float, words: int | None = None) -> Program:
    """One problem: with probability `share` it has one of the `special` families, drawn by weight.

    `words` is how many words of each family's table are used; all of them where it is None.
    """
    wanted = None
    if special and rng.random() < share:
        wanted = FAMILIES[rng.choices(list(special), list(special.values()))[0]]
        wanted = wanted if words is None else wanted.pared(words)
    while True:
        length = rng.choices(list(LENGTHS), list(LENGTHS.values()))[0]
        for _ in range(_TRIES):  # some families fit no problem of some lengths
            program = compose(rng, length=length, wanted=wanted)
            if program is not None:
                return name_people(program, rng)


# --- disjoint sets ---------------------------------------------------------------------------------

BUCKETS = 64


def bucket(program: Program) -> int:
    """Which of the BUCKETS disjoint sets an instance belongs to; wordings do not matter."""
    return _bucket(program, program.name, [step.friend for step in program.steps])


def _bucket(program: Program, name: str, friends: Sequence[str]) -> int:
    """The bucket of a program if its people were called so."""
    parts = [program.opener, name, str(program.start), program.noun]
    for step, friend in zip(program.steps, friends, strict=True):
        parts += [step.family, *map(str, step.args), friend if step.friend else "", step.item]
        if step.word:
            parts.append(step.word)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=1).digest()[0] % BUCKETS


def stream(
    rng: random.Random,
    buckets: frozenset[int],
    special: Mapping[str, float],
    share: float,
    words: int | None = None,
) -> Iterator[Program]:
    """An endless stream of distinct problems whose instances all lie in the given buckets."""
    seen: set[Program] = set()
    while True:
        program = _into(draw(rng, special, share, words), buckets, rng)
        if program is not None and program not in seen:
            seen.add(program)
            yield program


def _into(program: Program, buckets: frozenset[int], rng: random.Random) -> Program | None:
    """The same problem with other people, and at need other things and numbers, in one of the buckets.

    The structure stays, so that structures are as frequent in each bucket as they are overall; None for
    the rare structure that so few numbers fit that none of its instances turns up.
    """
    for _ in range(8):
        name, friends = program.name, [step.friend for step in program.steps]
        for _ in range(len(NAMES)):
            if _bucket(program, name, friends) in buckets:
                return _named(program, name, friends)
            name, friends = _people(program, rng)
        varied = vary(program, rng)
        if varied is None:
            return None
        program = varied
    return None


# --- varying ---------------------------------------------------------------------------------------


MOST_STEPS = 8
"""Longer chains, as from adding a step to what had one added before, are neither written nor read."""


def vary(program: Program, rng: random.Random, change: int = 0, tries: int = 400) -> Program | None:
    """A new problem of the same structure: other people, things and numbers, but the same words for numbers.

    `change` = -1 leaves out one step (never the only one), +1 adds a common one at the end. Returns None
    where no numbers are found, and where one step more would be more than a problem may have.
    """
    if change > 0 and len(program.steps) >= MOST_STEPS:
        return None
    for _ in range(tries):
        structure = list(program.steps)
        if change < 0 and len(structure) > 1:
            del structure[rng.randrange(len(structure))]
        candidate = _refill(program, structure, rng)
        if candidate is not None and change > 0:
            candidate = _extend(candidate, rng)
        if candidate is not None and candidate.steps:
            named = name_people(candidate, rng)
            if named != program:
                return named
    return None


def _refill(program: Program, structure: list[Step], rng: random.Random) -> Program | None:
    opener = OPENERS[program.opener]
    start = rng.randint(opener.low, opener.high)
    shell = replace(program, start=start, noun=_noun(opener.kind, rng), steps=())
    state = first(shell)
    steps: list[Step] = []
    for step in structure:
        family = FAMILIES[step.family]
        if state.kind not in family.takes or (family.unit and family.unit != state.unit):
            return None
        args = family.draw(rng, state.value)
        if args is None:
            return None
        new = replace(step, args=args, item=rng.choice(list(ITEMS)) if step.item else "")
        try:
            state, _ = advance(state, new)
        except InfeasibleError:
            return None
        steps.append(new)
    return replace(shell, steps=tuple(steps))


def _extend(program: Program, rng: random.Random) -> Program | None:
    state = first(program)
    for _, _, after, _ in walk(program):
        state = after
    used = set(program.families)
    family = _next(rng, state, used, 2, None)
    if family is None:
        return None
    step = new_step(family, state.value, rng)
    if step is None:
        return None
    try:
        advance(state, step)
    except InfeasibleError:
        return None
    return replace(program, steps=(*program.steps, step))
