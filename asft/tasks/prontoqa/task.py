"""`prontoqa`: true or false in an invented world; generated, or read from the files of PrOntoQA's authors.

Each (salt, split) of the generated problems owns chains of reasoning that no other has, however they are
worded and whatever stands around them.
"""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from asft import answers
from asft.errors import DataError
from asft.registry import plugin
from asft.tasks.prontoqa import language
from asft.tasks.prontoqa.drawing import BUCKETS, MOST_DISTRACTORS, MOST_HOPS, draw
from asft.tasks.prontoqa.problem import Problem, prove
from asft.types import Example, Grade

SALTS = "ABCDEFGHIJKLMNOP"
SPLITS = ("seed", "validation", "test")
TRAINING_BUCKETS = frozenset(range(len(SALTS) * len(SPLITS), BUCKETS))
"""What a student may be made from; no salt owns these."""

Salt = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P"]
Count = Annotated[int, Field(ge=0)]
Hops = Annotated[int, Field(ge=1, le=MOST_HOPS)]


@plugin
class PrOntoQA:
    """Deduction in invented worlds: is a statement true or false?"""

    seed: str | None = None
    """A published JSON file as the split "seed". With neither file, problems are generated."""
    test: str | None = None
    """A published JSON file as the split "test"."""
    salt: Salt = "A"
    """Which of 16 disjoint sets of generated problems."""
    seeds: Count = 1000
    """Size of the generated split "seed". A larger split starts with the smaller one."""
    validation: Count = 500
    """Size of the generated split "validation"."""
    tests: Count = 1000
    """Size of the generated split "test"."""
    hops: Annotated[tuple[Hops, ...], Field(min_length=1)] = (1, 2, 3, 4, 5)
    """How many rules generated problems need; each number is as frequent as it stands here."""
    distractors: Annotated[int, Field(ge=0, le=MOST_DISTRACTORS)] = 1
    """Kinds off the chain of a generated problem that have what is asked, with the other sign."""

    def load(self, split: str) -> Sequence[Example]:
        """The examples of "seed", "test" or, of generated ones, "validation". Raises DataError."""
        if self.seed is not None or self.test is not None:
            return self._published(split)
        sizes = {"seed": self.seeds, "validation": self.validation, "test": self.tests}
        if split not in sizes:
            raise DataError(f"prontoqa has no split {split!r}; splits: {', '.join(sizes)}")
        owned = frozenset([SALTS.index(self.salt) * len(SPLITS) + SPLITS.index(split)])
        rng = random.Random(f"prontoqa {self.salt} {split} {self.hops} {self.distractors}")
        examples: dict[str, Example] = {}
        while len(examples) < sizes[split]:
            made = example(draw(rng, rng.choice(self.hops), self.distractors, owned), split)
            examples.setdefault(made.prompt, made)
        return list(examples.values())

    def grade(self, example: Example, text: str) -> Grade:
        """Whether the final "true" or "false" of a text is the example's: 1.0, 0.0, or None where none is."""
        found = final(text)
        if found is None:
            return Grade(value=None, extracted=None, note="no final answer")
        reference = _truth(example.answer)
        if reference is None:
            return Grade(value=None, extracted=found.text, note=f"{found.how}; the reference answer is empty")
        return Grade(
            value=1.0 if _truth(found.text) == reference else 0.0, extracted=found.text, note=found.how
        )

    def solve(self, prompt: str) -> str | None:
        """ "True" or "False"; None where the prompt is no problem, or the answer does not follow."""
        problem = language.parse(prompt)
        proof = prove(problem) if problem is not None else None
        return None if proof is None else str(proof.answer)

    def _published(self, split: str) -> list[Example]:
        sources = {"seed": self.seed, "test": self.test}
        if split not in sources:
            raise DataError(f"prontoqa from files has no split {split!r}; splits: {', '.join(sources)}")
        source = sources[split]
        if source is None:
            raise DataError(f"prontoqa has no {split} data; set its option {split!r} to a published file")
        examples: dict[str, Example] = {}
        for where, row in _rows(Path(source).expanduser()):
            made = _read(where, row, split)
            examples.setdefault(made.id, made)
        if not examples:
            raise DataError(
                f"{source}: there are no problems in it; give a file as PrOntoQA's authors publish"
            )
        return list(examples.values())


def example(problem: Problem, split: str) -> Example:
    """A problem that can be proved as an example; tags: hops, split."""
    proof = prove(problem)
    if proof is None:
        raise ValueError("the answer does not follow from what is given")
    return Example.make(
        task="prontoqa",
        prompt=language.question(problem),
        answer=str(proof.answer),
        completion=language.work(problem, proof),
        tags={"hops": str(proof.hops), "split": split},
    )


# ------------------------------------------------------------------------------------------- grading

_TRUTH = re.compile(r"\b(true|false)\b", re.IGNORECASE)
_BOTH = re.compile(r"\btrue\s{1,3}(?:or|and|/)\s{1,3}false\b|\btrue/false\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|n't|neither|isn['’]t)\s(?:\w{1,12}\s){0,2}$", re.IGNORECASE)


def final(text: str) -> answers.Extracted | None:
    """The truth value that a text ends in: behind a mark, else the last one that it states."""
    marked = answers.extract(text, last_number=False)
    if marked is not None and (stated := _stated(marked.text)):
        return answers.Extracted(text=stated, how=marked.how)
    if marked is not None and marked.how in ("####", "boxed"):
        return marked
    lines = [line for line in text.splitlines() if _TRUTH.search(line)]
    stated = _stated(lines[-1][-answers.MAX_CHARS :]) if lines else None
    return answers.Extracted(text=stated, how="last word") if stated else None


def _stated(text: str) -> str | None:
    """The last "true" or "false" of a text that is not denied, "true or false" aside."""
    plain = _BOTH.sub(" ", text)
    stated = (one for one in reversed(list(_TRUTH.finditer(plain))) if not _denied(plain, one.start()))
    found = next(stated, None)
    return found[0] if found else None


def _denied(text: str, at: int) -> bool:
    return _DENIED.search(text[max(0, at - 40) : at]) is not None


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip(" .*").lower())


# ------------------------------------------------------------------------------------- published files

_FORM = "an object with question, query, chain_of_thought and answer, as PrOntoQA's authors publish"


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The test examples of a published file: {"example1": {"test_example": {...}}, ...}."""
    try:
        groups = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give one as PrOntoQA's authors publish") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; give a JSON file") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: this is not JSON ({error}); unpack the published archive") from None
    if not isinstance(groups, dict):
        raise DataError(f"{path}: an object whose keys are example1, example2, ... is needed")
    for name, group in groups.items():
        where = f"{path}, {name}"
        if not isinstance(group, dict) or not isinstance(group.get("test_example"), dict):
            keys = ", ".join(map(repr, group)) if isinstance(group, dict) else repr(group)
            raise DataError(f"{where}: there is no 'test_example' ({keys:.100}); it must be {_FORM}")
        yield f"{where}, test_example", group["test_example"]


def _read(where: str, row: Mapping[str, Any], split: str) -> Example:
    for key in ("question", "query"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise DataError(f"{where}: {key!r} must be text, not {row.get(key)!r:.80}; it must be {_FORM}")
    if not row["query"].strip().lower().startswith("true or false"):
        raise DataError(
            f"{where}: the query {row['query']!r:.80} asks for a proof and has no answer to grade; give "
            "files that were generated without --proofs-only"
        )
    if _truth(str(row.get("answer"))) is None:
        raise DataError(
            f"{where}: 'answer' must be 'True' or 'False', not {row.get('answer')!r:.80}; mend it"
        )
    chain = row.get("chain_of_thought")
    if not isinstance(chain, list) or not all(isinstance(line, str) and line.strip() for line in chain):
        raise DataError(f"{where}: 'chain_of_thought' must be a list of sentences; it must be {_FORM}")
    answer = str(_truth(str(row["answer"])))
    prompt = f"{row['question'].strip()} {row['query'].strip()}"
    problem = language.parse(prompt)
    proof = prove(problem) if problem is not None else None
    # The chain alternates between rules and what they give, after what is given.
    hops = proof.hops if proof is not None else len(chain) // 2
    return Example.make(
        task="prontoqa",
        prompt=prompt,
        answer=answer,
        completion="\n".join([*chain, f"#### {answer}"]),
        tags={"hops": str(hops), "split": split},
    )
