"""A problem of prontoqa."""

import random
from dataclasses import dataclass, replace

from asft.tasks.prontoqa import language
from asft.tasks.prontoqa.drawing import MOST_DISTRACTORS, MOST_HOPS, draw
from asft.tasks.prontoqa.problem import Problem, Proof, prove, sound
from asft.tasks.prontoqa.task import PrOntoQA
from asft.teachers.rules.puzzles.marks import marked
from asft.types import Example

_TASK = PrOntoQA()


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Sentences about an invented world, one of which is to be called true or false."""

    problem: Problem

    @property
    def question(self) -> str:
        return language.question(self.problem)

    def another(self, rng: random.Random, change: int) -> "Chain | None":
        proof = prove(self.problem)
        if proof is None:
            return None
        asked = self.problem.query.predicate
        others = sum(claim.general and claim.predicate == asked for claim in self.problem.claims) - 1
        hops = min(max(proof.hops + change, 1), MOST_HOPS)
        # What is denied, in the rule that decides and in the query, makes a problem of another kind.
        wanted = proof.answer, self.problem.query.holds
        while True:
            problem = draw(rng, hops, min(max(others, 0), MOST_DISTRACTORS))
            found = prove(problem)
            if found is not None and (found.answer, problem.query.holds) == wanted:
                return Chain(problem=problem)

    def worked(self, slips: random.Random | None) -> str | None:
        proof = prove(self.problem)
        if proof is None:
            return None
        return language.work(self.problem, proof if slips is None else _slipped(proof))

    def mark(self, answer: str) -> tuple[int, str] | None:
        proof = prove(self.problem)
        if proof is None:
            return None
        asked = Example.make(task="prontoqa", prompt=self.question, answer=str(proof.answer))
        steps = sound(self.problem, language.sentences(answer))
        return marked(answer, _TASK.grade(asked, answer), steps)


def _slipped(proof: Proof) -> Proof:
    """The same with a "not" too many, or too few, at the end."""
    turned = tuple(replace(step, holds=not step.holds) for step in proof.steps[-1:])
    return replace(proof, steps=(*proof.steps[:-1], *turned), answer=not proof.answer)
