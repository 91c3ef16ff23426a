"""What the student computes: put down in the ledger when a step is done, and set aside before it is.

It is worked out from the files of a step, so that it does not matter which process made them, when, or
whether they were taken over from another run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import AutoTokenizer

from asft import ceilings, flops, measurements, student
from asft import evaluate as evaluation
from asft import journal as ledger
from asft.rundir import read_json, read_jsonl
from asft.steps import answering
from asft.steps.line import VALIDATED, Line
from asft.types import Answer, Chooses, Example, Need


def put_down(line: Line, number: int, step: str, *, made: bool) -> None:
    """Charge the student for a step. `made`: now; else it is charged where it was not before."""
    if line.ranks.count > 1:
        return
    known = any((row.round, row.step, row.role) == (number, step, "student") for row in line.journal.sums())
    if known and not made:
        return
    counted = _Counting(line, number)
    takes: Mapping[str, int | None] = {
        "measure": counted.measured,
        "train": counted.trained,
        "evaluate": counted.evaluated,
    }[step]()
    _store(line, number, step, takes)


def put_down_drafts(
    line: Line,
    number: int,
    wanted: Sequence[Need],
    examples: Sequence[Example],
    accepted: Sequence[Example],
    folder: Path,
) -> None:
    """Charge the student for what filters need of drafts, or of the pool; `folder` has what was measured."""
    counted = _Counting(line, number)
    _store(line, number, "write", counted.needs(wanted, examples, accepted, folder))


def _store(line: Line, number: int, step: str, takes: Mapping[str, int | None]) -> None:
    line.journal.store(
        [
            ledger.Line(
                round=number,
                step=step,
                role="student",
                purpose=purpose,
                kind="compute",
                requests=0,
                cost_usd=0.0,
                flops=None if count is None else float(count),
            )
            for purpose, count in takes.items()
        ]
    )


def set_aside(line: Line, number: int) -> int:
    """FLOPs to the end of a round, from its first call on, at most: measuring drafts, training, evaluating.

    What is not written yet is taken for as long as the longest question, with an answer as long as the
    student's may be. 0 where no budget of them binds.
    """
    return 0 if line.recipe.budget.flops is None else _Counting(line, number).to_come()


class _Counting:
    """Lengths in tokens, and what they come to."""

    def __init__(self, line: Line, number: int) -> None:
        self._line, self._number = line, number
        self._recipe = line.recipe
        self._folder = line.dir.round(number)
        options = self._recipe.student
        self._made = flops.of_student(
            student.place(options.base),
            options.revision,
            False if self._recipe.lora is False else {**ceilings.LORA, **self._recipe.lora},
        )
        self._tokenizer = (
            line.base.tokenizer
            if line.base_is_loaded
            else AutoTokenizer.from_pretrained(student.place(options.base), revision=options.revision)
        )

    def measured(self) -> dict[str, int | None]:
        """By need, of the pool."""
        wanted = [need for need in self._recipe.needs if need.kind != "script"]
        accepted = self._line.accepted_before(self._number)
        return self.needs(wanted, self._line.seeds, accepted, self._folder)

    def needs(
        self, wanted: Sequence[Need], examples: Sequence[Example], accepted: Sequence[Example], folder: Path
    ) -> dict[str, int | None]:
        """By need, of some examples; `folder` has what was measured of them."""
        found = measurements.read(folder, examples, round=self._number).observations
        lengths = flops.Lengths(
            prompts=self._prompts([one.prompt for one in examples]),
            gold=tuple(self._answers([one.completion for one in examples])),
            own=tuple(_tokens(one.own) for one in found),
            samples=tuple(tuple(map(_tokens, one.samples)) for one in found),
            accepted=self._prompts([one.prompt for one in accepted]),
        )
        return {need.name: self._need(need, lengths) for need in wanted}

    def trained(self) -> dict[str, int | None]:
        """Training, with what was evaluated on the way."""
        rows = read_jsonl(self._folder / "dataset.jsonl")
        told = read_json(self._folder / "train.json")
        lengths = list(
            zip(
                self._prompts([row["prompt"] for row in rows]),
                self._answers([row["completion"] for row in rows]),
                strict=True,
            )
        )
        takes = {"": self._training(lengths, told["tokens_seen"] / max(1, sum(map(sum, lengths))))}
        if told["validation"]:
            held = zip(
                self._prompts([one.prompt for one in self._line.validation]),
                self._answers([one.completion for one in self._line.validation]),
                strict=True,
            )
            once = flops.scored(self._made.work, [row for row in held if row[1]], adapter=self._worn)
            takes["validation"] = len(told["validation"]["losses"]) * once
        return dict(takes)

    def evaluated(self) -> dict[str, int | None]:
        """Answering the test split."""
        rows = read_jsonl(self._folder / "evaluate.jsonl")
        if self._recipe.evaluate.by != "answers":
            return {"": self._likelihoods()}
        written = self._answers([row["text"] for row in rows], [row["finish"] for row in rows])
        samples = [
            self._answers([one["text"] for one in row["samples"]], [one["finish"] for one in row["samples"]])
            for row in rows
            if "samples" in row
        ]
        worn = self._worn if self._number else None
        takes = {"": flops.evaluating(self._made.work, self._asked(), written, samples=samples, adapter=worn)}
        held_out = self._folder / VALIDATED
        if held_out.exists():
            rows = read_jsonl(held_out)
            answers = self._answers([row["text"] for row in rows], [row["finish"] for row in rows])
            prompts = self._prompts([one.prompt for one in self._line.validation])
            takes["validation"] = flops.evaluating(self._made.work, prompts, answers, adapter=worn)
        return dict(takes)

    def to_come(self) -> int:
        """See `set_aside`."""
        recipe, line = self._recipe, self._line
        most = answering.limit(line)
        longest = max(self._prompts([seed.prompt for seed in line.seeds]))
        before = line.accepted_before(self._number)
        kept = list(
            zip(
                self._prompts([one.prompt for one in before]),
                self._answers([one.completion for one in before]),
                strict=True,
            )
        )
        count = ceilings.examples(recipe, len(line.seeds), self._number)
        if recipe.data.rounds is not None:
            kept = []
        rows = [*kept, *[(longest, most)] * max(0, count - len(kept))]
        total = self._training(rows, ceilings.passes(recipe.train, len(rows)))
        drafts = flops.Lengths(prompts=(longest,) * recipe.max_drafts, gold=(most,) * recipe.max_drafts)
        for need in {need.name: need for one in recipe.filters for need in one.looks.needs}.values():
            total += self._need(need, drafts.at_most(most, samples=need.options.get("k", 0))) or 0
        if recipe.evaluate.by != "answers":
            return total + self._likelihoods()
        held_out = self._prompts([one.prompt for one in line.validation]) if recipe.validates else ()
        prompts = (*self._asked(), *held_out)
        k = recipe.evaluate.samples.k if recipe.evaluate.samples else 0
        return total + flops.evaluating(
            self._made.work,
            prompts,
            [most] * len(prompts),
            samples=[[most] * k] * len(prompts) if k else (),
            adapter=self._worn,
        )

    @property
    def _worn(self) -> flops.Adapter | None:
        return self._made.adapter

    def _need(self, need: Need, lengths: flops.Lengths) -> int | None:
        member = None
        if need.name == "ensemble":
            count = need.options["examples"]
            rows = [row for row in zip(lengths.prompts, lengths.gold, strict=True) if row[1]]
            mean = (sum(map(sum, rows)) // max(1, len(rows)), 0)
            member = self._training(
                [mean] * min(count, len(rows)), ceilings.passes(self._recipe.train, count)
            )
        worn = self._worn if self._line.measured(self._number) else None
        return flops.measuring(self._made.work, need, lengths, adapter=worn, member=member)

    def _training(self, rows: Sequence[flops.Row], passes: float) -> int:
        train = self._recipe.train
        return flops.training(
            self._made.work,
            rows,
            passes=passes,
            method=self._made.method,
            adapter=self._worn,
            checkpointing=any(train.get(name) for name in ceilings.CHECKPOINTING),
            max_length=train.get("max_length"),
        )

    def _asked(self) -> tuple[int, ...]:
        """Prompts of the test split, as it is asked."""
        line, options = self._line, self._recipe.evaluate
        asking = evaluation.asking_by(
            options, line.seeds if options.shots else (), line.test, self._recipe.seed
        )
        return self._prompts([asking.prompt(one.prompt) for one in line.test])

    def _likelihoods(self) -> int:
        task = self._recipe.task
        choices = [task.choices(one) if isinstance(task, Chooses) else () for one in self._line.test]
        rows = [
            (prompt, answer)
            for prompt, several in zip(self._asked(), choices, strict=True)
            for answer in self._answers(several)
        ]
        return flops.scored(self._made.work, rows, adapter=self._worn if self._number else None)

    def _prompts(self, prompts: Sequence[student.Prompt]) -> tuple[int, ...]:
        return tuple(map(len, student.prompt_ids(self._tokenizer, prompts)))

    def _answers(self, texts: Sequence[str | None], finish: Sequence[str] = ()) -> list[int]:
        """Tokens, with the one that ends an answer unless it was cut off; 0 where there is no answer."""
        if not texts:
            return []
        ids = self._tokenizer([text or "" for text in texts], add_special_tokens=False)["input_ids"]
        ended = [how == "stop" for how in finish] or [text is not None for text in texts]
        return [len(row) + end for row, end in zip(ids, ended, strict=True)]


def _tokens(answer: Answer | None) -> int:
    return 0 if answer is None or answer.stats is None else answer.stats.tokens
