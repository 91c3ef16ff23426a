"""The write step: drafts, verdicts, and what the student makes of the drafts where filters read that."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from asft import measure as measuring
from asft import measurements, needs, student, writing
from asft.endpoints import identities
from asft.errors import RunError
from asft.measure import parts
from asft.rundir import clear, digest, read_json, write_json, write_jsonl
from asft.steps import answering, computing
from asft.steps.line import Line, example_from, known_by
from asft.steps.pool import measured, picks, written_before
from asft.steps.summary import nothing_accepted
from asft.steps.turns import teachers_turn
from asft.types import Context, Example, Measurements, Need


class _NothingError(Exception):
    """The budget was used up before anything was accepted."""


def write(line: Line, number: int) -> bool:
    """Have the teacher write drafts until `per_round` are accepted; a verdict for every draft.

    False where the budget was used up before any was accepted; the step can be done when it is raised.
    """
    recipe = line.recipe
    before = line.accepted_before(number)
    worn = line.measured(number)
    measures = any(one.looks.needs for one in recipe.filters)

    def make(folder: Path) -> None:
        context = Context(
            task=recipe.task,
            seeds=line.seeds,
            accepted=tuple(before),
            test=(*line.test, *line.validation),
            round=number,
            seed=recipe.seed,
        )

        @contextmanager
        def turn(wave: int, wanted: int) -> Iterator[None]:
            with teachers_turn(line, number):
                line.progress.start(f"round {number}: write" + (f", wave {wave}" if measures else ""), wanted)
                yield
                if measures:
                    line.progress.end()

        written = writing.write(
            recipe,
            picks(line, number),
            context,
            line.journal,
            lambda now: line.progress.update(now.accepted, now.waiting),
            turn=turn,
            elsewhere=computing.set_aside(line, number),
            student=_Waves(line=line, number=number, folder=folder / "waves").student if measures else None,
        )
        write_jsonl(folder / "write.jsonl", written.drafts)
        write_jsonl(folder / "filter.jsonl", written.verdicts)
        write_json(
            folder / "write.json",
            {
                "ending": written.ending,
                "budget": recipe.settings["budget"],
                "filters": [dataclasses.asdict(one) for one in written.yields],
            },
        )
        for left_over in sorted((folder / "waves").glob("[0-9]*"))[written.waves :]:
            clear(left_over)
        kept = sum(verdict.decision == "keep" for verdict in written.verdicts)
        came_of_it = f"{len(written.drafts)} drafts, {kept} kept"
        if measures:
            line.progress.say(f"round {number}: write  {came_of_it}, in waves: {written.waves}")
        else:
            line.progress.end(came_of_it)
        if not kept and written.ending == "budget":
            raise _NothingError

    try:
        line.once(
            number,
            "write",
            settings={
                **line.part("writer", "filters", "per_round", "max_drafts", "seed"),
                **({**line.part("student"), "max_new_tokens": answering.limit(line)} if measures else {}),
                **identities(recipe),
                "prompts": line.prompts,
                "files": line.files,
            },
            inputs=[
                line.dir.file(number, "select.jsonl"),
                *written_before(line, number),
                *([worn] if measures and worn else []),
            ],
            outputs=["write.jsonl", "filter.jsonl", "write.json", *(["waves"] if measures else [])],
            make=make,
        )
    except _NothingError:
        if number == 1:
            raise RunError(nothing_accepted(line, number)) from None
        return False
    return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Waves:
    """The student that filters look at, on drafts, and on the pool where they compare with that.

    What is measured stays below the round's folder, with what it depends on, so that a run that goes on
    measures nothing twice.
    """

    line: Line
    number: int
    folder: Path

    @property
    def student(self) -> writing.Student:
        """As the write step asks for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return writing.Student(measure=self._drafts, pool=self._pool)

    def _drafts(self, wave: int, examples: Sequence[Example], wanted: Sequence[Need]) -> Measurements:
        return self._once(f"{wave:02d}", f", wave {wave}: measure", tuple(examples), wanted, ())

    def _pool(self, wanted: Sequence[Need]) -> Measurements:
        """As the measure step has it, where all of that was measured there."""
        known = read_json(self.line.dir.file(self.number, "measure.manifest.json"))["settings"]["needs"]
        if needs.described(wanted).items() <= known.items():
            return measured(self.line, self.number)
        accepted = tuple(self.line.accepted_before(self.number))
        return self._once("pool", ": measure the pool for filters", self.line.seeds, wanted, accepted)

    def _once(
        self,
        name: str,
        what: str,
        examples: tuple[Example, ...],
        wanted: Sequence[Need],
        accepted: tuple[Example, ...],
    ) -> Measurements:
        folder = self.folder / name
        key = self._key(examples, wanted, accepted)
        if not _is_kept(folder, key):
            folder.mkdir(exist_ok=True)
            asked = Wave(
                round=self.number,
                title=f"round {self.number}{what}",
                folder=str(folder),
                key=hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=8).hexdigest(),
                examples=examples,
                needs=tuple(wanted),
                accepted=accepted,
            )
            if self.line.workers is None:
                measure(self.line, asked)
            else:
                self.line.workers.do("wave", **dataclasses.asdict(asked))
            write_json(folder / "made_from.json", {**key, "files": _digests(folder)})
            computing.put_down_drafts(self.line, self.number, wanted, examples, accepted, folder)
        return measurements.read(folder, examples, round=self.number)

    def _key(
        self, examples: tuple[Example, ...], wanted: Sequence[Need], accepted: tuple[Example, ...]
    ) -> dict[str, Any]:
        worn = self.line.measured(self.number)
        return {
            **self.line.part("task", "student", "seed"),
            "adapter": worn and digest(worn),
            "max_new_tokens": answering.limit(self.line),
            "needs": needs.described(wanted),
            "examples": known_by(examples),
            "accepted": known_by(accepted),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wave:
    """What is to be measured of which examples, before they are anywhere on the disk."""

    round: int
    title: str
    folder: str
    """Where the measurements go."""
    key: str
    """Stands for all that they depend on."""
    examples: tuple[Example, ...]
    needs: tuple[Need, ...]
    accepted: tuple[Example, ...]
    """What earlier rounds accepted."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Wave":
        """From plain data, as it reaches a worker."""
        return cls(
            **{
                **row,
                "examples": tuple(map(example_from, row["examples"])),
                "needs": tuple(map(_need, row["needs"])),
                "accepted": tuple(map(example_from, row["accepted"])),
            }
        )


def _need(row: Mapping[str, Any]) -> Need:
    return Need(**{**row, "reads": tuple(map(_need, row["reads"]))})


def measure(line: Line, wave: Wave) -> None:
    """Put down what the student that filters look at makes of a wave."""
    recipe = line.recipe
    worn = line.measured(wave.round)
    line.progress.start(wave.title, len(wave.needs) * len(wave.examples))
    pool = measuring.Pool(
        task=recipe.task,
        examples=wave.examples,
        accepted=wave.accepted,
        seed=recipe.seed,
        max_new_tokens=answering.limit(line),
        batch_size=recipe.student.batch_size,
    )
    with (
        line.ranks.folder(Path(wave.folder)) as folder,
        answering.decoding(line) as by,
        student.wearing(line.base, str(worn) if worn else None) as loaded,
    ):
        found = parts.measure_in_parts(
            folder,
            wave.key,
            loaded,
            dataclasses.replace(pool, decoder=by),
            wave.needs,
            round=wave.round,
            progress=line.progress.update,
            ranks=line.ranks,
        )
        measurements.write(folder, found)
        parts.forget(folder)
    line.progress.end(f"{len(wave.examples)} examples")


def _is_kept(folder: Path, key: Mapping[str, Any]) -> bool:
    """Whether a folder holds what was measured under this key, undamaged."""
    with suppress(RunError, OSError):
        return read_json(folder / "made_from.json") == {**key, "files": _digests(folder)}
    return False


def _digests(folder: Path) -> dict[str, str]:
    return {name: digest(folder / name) for name in measurements.FILES}
