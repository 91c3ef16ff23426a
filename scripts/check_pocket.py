"""Check the pocket world at length: generate, read back, and work out every problem a second way.

    python scripts/check_pocket.py [--problems 100000]

Prints counts and the time. Exits with 1 at the first problem that is not read back exactly, or whose work
does not hold.
"""

import argparse
import random
import re
import sys
import time
from collections import Counter
from fractions import Fraction

from asft.tasks.pocket import language
from asft.tasks.pocket.families import FAMILIES
from asft.tasks.pocket.program import Program, draw

_LINE = re.compile(r"[^<>]* = \$?<<(?P<left>[\d+*/-]+)=(?P<right>\d+)>>(?P<said>\d+)\b[^<>]*")


def fault(program: Program) -> str | None:
    """What is wrong with a problem; None where nothing is."""
    question = language.question(program)
    if language.parse(question) != program:
        return "it is not read back as the program that it was written from"
    *lines, last = language.work(program).split("\n")
    if len(lines) != program.length:
        return f"{len(lines)} lines of work for {program.length} calculations"
    result = ""
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            return f"a line without a calculation: {line}"
        if not recompute(found["left"]) == Fraction(found["right"]) == Fraction(found["said"]):
            return f"a calculation that does not hold: {line}"
        result = found["right"]
    return None if last == f"#### {result}" else f"{last!r} is not the last result, {result}"


def recompute(left: str) -> Fraction:
    """The value of a chain of one precedence, by an arithmetic that shares nothing with the generator's."""
    first, *rest = re.findall(r"[-+*/]?\d+", left)
    value = Fraction(first)
    for part in rest:
        number = Fraction(part[1:])
        if part[0] in "+-":
            value += number if part[0] == "+" else -number
        else:
            value *= number if part[0] == "*" else 1 / number
    return value


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(f"check pocket {options.seed}")
    weights = {name: 1.0 for name, family in FAMILIES.items() if family.group != "common"}
    begun = time.perf_counter()
    families, lengths = Counter[str](), Counter[int]()
    texts = set()
    for number in range(options.problems):
        program = draw(rng, weights, 0.4)
        problem = fault(program)
        if problem:
            print(f"problem {number}: {problem}\n\n{language.question(program)}\n\n{language.work(program)}")
            return 1
        families.update(program.families)
        lengths[program.length] += 1
        texts.add(hash(program))
    seconds = time.perf_counter() - begun
    print(f"{options.problems} problems read back exactly, and all their work holds, in {seconds:.1f} s")
    print(f"{len(texts)} of them distinct; families: {len(families)} of {len(FAMILIES)}")
    print("steps: " + ", ".join(f"{n}: {count}" for n, count in sorted(lengths.items())))
    rarest = ", ".join(f"{name} {count}" for name, count in families.most_common()[-5:])
    print(f"rarest families: {rarest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
