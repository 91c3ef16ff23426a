"""Check the puzzles of game24 and prontoqa at length: generate, read back, and verify every worked answer.

    python scripts/check_reasoning.py [--problems 10000] [--data DIR]

Each is verified by other means than those that wrote it: game24 by adding up the lines of the answer,
prontoqa by following its sentences; and both by the task's own grade and the rules teacher's mark. There are
only some thousand puzzles of game24, so all of them are taken, and each in several variants by the teacher.
DIR, by default $ASFT_DATA, may hold game24/24.csv, whose puzzles are checked too. Prints counts and the time.
Exits with 1 at the first problem that is at fault.
"""

import argparse
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from asft.tasks.game24.task import BUCKETS, Game24, puzzles
from asft.tasks.game24.task import example as puzzle_example
from asft.tasks.prontoqa import language
from asft.tasks.prontoqa.drawing import MOST_DISTRACTORS, MOST_HOPS, draw
from asft.tasks.prontoqa.problem import Claim, Problem, prove
from asft.tasks.prontoqa.task import PrOntoQA
from asft.tasks.prontoqa.task import example as problem_example
from asft.teachers.rules.puzzles import find
from asft.types import Example, Task

_LINE = re.compile(
    r"(?P<a>\S+) (?P<sign>[-+*/]) (?P<b>\S+) = (?P<c>\S+) \(left: (?P<left>[^a-z]*)\)(?P<no>: no)?"
)


def number(text: str) -> Fraction:
    """A number as a worked answer writes it: "8", "(8/3)"."""
    return Fraction(text.strip("()"))


def fault_of_lines(numbers: list[int], completion: str) -> str | None:
    """What is wrong with the lines of a worked answer of game24; None where nothing is."""
    left = sorted(Fraction(n) for n in numbers)
    for line in completion.split("\n")[:-1]:
        found = _LINE.fullmatch(line)
        if found is None:
            return f"a line that is no calculation: {line}"
        a, b, c = (number(found[side]) for side in "abc")
        value = {"+": a + b, "-": a - b, "*": a * b}.get(found["sign"])
        if (a / b if value is None else value) != c:
            return f"a calculation that does not hold: {line}"
        after = list(left)
        for used in (a, b):
            if used not in after:
                return f"{used} is not there to be used: {line}"
            after.remove(used)
        after = sorted([*after, c])
        if [number(part) for part in re.findall(r"\([^()]*\)|[^ ]+", found["left"])] != after:
            return f"not what is left: {line}"
        left = left if found["no"] else after
    return None if left == [24] else f"the last line leaves {left}"


def fault_of_chain(problem: Problem, completion: str) -> str | None:
    """What is wrong with a chain of thought; None where it goes from what is given to what is asked."""
    lines = completion.split("\n")
    position = language.sentences(lines[0])[0]
    if position not in problem.claims:
        return f"not given: {lines[0]}"
    for line in lines[1:-1]:
        rule, gained = language.sentences(line)
        if rule not in problem.claims or not applies(rule, position):
            return f"no rule that can be used: {line}"
        if (gained.subject, gained.predicate, gained.holds) != (position.subject, rule.predicate, rule.holds):
            return f"not what the rule says: {line}"
        position = gained
    true = (position.predicate, position.holds) == (problem.query.predicate, problem.query.holds)
    if not true and (position.predicate, position.holds) != (
        problem.query.predicate,
        not problem.query.holds,
    ):
        return "the chain ends at something else than what is asked"
    return None if lines[-1] == f"#### {true}" else f"{lines[-1]} does not follow"


def applies(rule: Claim, position: Claim) -> bool:
    """Whether a rule is about what a creature is."""
    return rule.general and position.holds and rule.subject == position.predicate


def fault(task: Task, example: Example) -> str | None:
    """What is wrong with an example of either task; None where nothing is."""
    found = find(example.prompt)
    if len(found) != 1 or found[0].puzzle.question != example.prompt:
        return "it is not read back as it was written"
    completion = example.completion or ""
    if task.grade(example, completion).value != 1.0 or task.grade(example, example.answer).value != 1.0:
        return "its own answer is not graded as right"
    mark = found[0].puzzle.mark(completion)
    if mark is None or mark[0] != 10:
        return f"the rules teacher marks it {mark}"
    if isinstance(task, Game24):
        return fault_of_lines([int(n) for n in re.findall(r"\d+", example.prompt)[:4]], completion)
    problem = language.parse(example.prompt)
    return "it cannot be read" if problem is None else fault_of_chain(problem, completion)


def deductions(count: int, rng: random.Random) -> Iterator[Example]:
    """Problems of prontoqa of all lengths, each checked to need as many rules as it was made with."""
    for _ in range(count):
        hops = rng.randint(1, MOST_HOPS)
        problem = draw(rng, hops, rng.randint(0, MOST_DISTRACTORS))
        proof = prove(problem)
        if proof is None or proof.hops != hops or language.parse(language.question(problem)) != problem:
            sys.exit(f"a problem of {hops} hops is read or proved otherwise:\n{language.question(problem)}")
        yield problem_example(problem, "check")


def fours(count: int, rng: random.Random) -> Iterator[Example]:
    """All puzzles of game24, then variants of them by the rules teacher, up to `count` in all."""
    known = list(puzzles(frozenset(range(BUCKETS))))
    for numbers in known[:count]:
        yield puzzle_example(numbers, {"split": "check"})
    for at in range(max(0, count - len(known))):
        question = puzzle_example(known[at % len(known)], {}).prompt
        new = find(question)[0].puzzle.another(rng, rng.choice((-1, 0, 1)))
        if new is None:
            sys.exit(f"the rules teacher has no variant of a puzzle that can be solved:\n{question}")
        asked = find(new.question)[0].puzzle
        yield Example.make(
            task="game24",
            prompt=asked.question,
            answer=Game24().solve(asked.question) or "",
            completion=asked.worked(None),
            tags={"solutions": "variant"},
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", default=os.environ.get("ASFT_DATA"))
    options = parser.parse_args()
    rng = random.Random(f"check reasoning {options.seed}")
    sources: list[tuple[str, Task, Iterator[Example]]] = [
        ("game24", Game24(), fours(options.problems, rng)),
        ("prontoqa", PrOntoQA(), deductions(options.problems, rng)),
    ]
    table = Path(options.data or "") / "game24" / "24.csv"
    if options.data and table.is_file():
        published = Game24(source=str(table))
        rows = (row for split in ("seed", "test") for row in published.load(split))
        sources.insert(1, (str(table), published, rows))
    for name, task, examples in sources:
        begun = time.perf_counter()
        tags: Counter[str] = Counter()
        for example in examples:
            problem = fault(task, example)
            if problem:
                print(f"{name}: {problem}\n\n{example.prompt}\n\n{example.completion}")
                return 1
            tags[example.tags.get("hops") or example.tags["solutions"]] += 1
        counted = ", ".join(f"{tag}: {count}" for tag, count in sorted(tags.items()))
        kind = "hops" if name == "prontoqa" else "solutions"
        print(
            f"{name}: {tags.total()} read back exactly, and all their work holds ({kind} {counted}), in ",
            end="",
        )
        print(f"{time.perf_counter() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
