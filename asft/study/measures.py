"""What a study measures of a finished run beside its accuracy: fidelity and diversity of what was written."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asft import measure, needs, student
from asft.diversity import diversity, spread
from asft.measure.parts import OF_THE_POOL
from asft.progress import Progress
from asft.recipe import Recipe
from asft.rundir import read_json, read_jsonl, rounds
from asft.steps.answering import FILE
from asft.steps.line import example_from
from asft.study import results
from asft.types import Example, Measurements, Need


def of_rounds(
    recipe: Recipe, folder: Path, progress: Progress, *, fidelity: bool
) -> dict[int, dict[str, Any]]:
    """Round -> what was measured of its accepted examples; the student is loaded once.

    `fidelity` scores them as their seeds were scored, by the student that these were chosen with. A criterion
    that asks somebody, trains, or looks at the pool as a whole cannot score an example alone: it has none.
    """
    base = student.load(student.Student(base=recipe.student.base, revision=recipe.student.revision))
    most = recipe.student.max_new_tokens or int(read_json(folder / FILE)["max_new_tokens"])
    measured = _Measured(recipe=recipe, max_new_tokens=most)
    test = measured.embedding(base, tuple(recipe.task.load("test")))
    found: dict[int, dict[str, Any]] = {}
    numbers = rounds(folder)[1:]
    progress.start("measure what was written", len(numbers))
    for number in numbers:
        here = folder / f"round-{number:02d}"
        rows = results.accepted(here)
        numbered = [row.pop("number") for row in rows]
        examples = tuple(example_from(row) for row in rows)
        if not examples:
            continue
        found[number] = {"diversity": _diversity(examples, measured.embedding(base, examples), test)}
        if fidelity and _scores_one_alone(recipe):
            adapter = folder / f"round-{number - 1:02d}" / "adapter"
            rows = read_jsonl(here / "select.jsonl")
            picks = {row["number"]: (row["example_id"], row["score"]) for row in rows}
            with student.wearing(base, str(adapter) if adapter.exists() else None) as loaded:
                seen = measured.of(loaded, examples, needs.joined(recipe.criterion.needs), number)
            written = zip(numbered, recipe.criterion.score(seen), strict=True)
            found[number]["fidelity"] = [
                [picks[at][0], _short(picks[at][1]), _short(score)] for at, score in written
            ]
        progress.update(number)
    progress.end(f"{len(found)} rounds")
    return found


def _short(score: float | None) -> float | None:
    """As many digits as an order wants that is kept for good."""
    return None if score is None else float(f"{score:.6g}")


def _diversity(
    examples: Sequence[Example], places: npt.NDArray[np.float32], test: npt.NDArray[np.float32]
) -> dict[str, float | None]:
    """Of the wording of the questions, and of where they stand beside those of the test split."""
    wording = asdict(diversity([example.prompt for example in examples]))
    among = asdict(spread(places, test, np.random.default_rng(0)))
    return {**wording, **{key: value for key, value in among.items() if key not in ("rows", "reference")}}


def _scores_one_alone(recipe: Recipe) -> bool:
    wanted = recipe.criterion.needs
    return all(need.kind == "student" and need.name not in OF_THE_POOL for need in wanted)


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """Measurements of any examples, made as the run makes them."""

    recipe: Recipe
    max_new_tokens: int

    def of(
        self, loaded: student.Loaded, examples: tuple[Example, ...], wanted: Sequence[Need], number: int
    ) -> Measurements:
        pool = measure.Pool(
            task=self.recipe.task,
            examples=examples,
            seed=self.recipe.seed,
            max_new_tokens=self.max_new_tokens,
            batch_size=self.recipe.student.batch_size,
        )
        return measure.measure(loaded, pool, wanted, round=number)

    def embedding(self, base: student.Loaded, examples: tuple[Example, ...]) -> npt.NDArray[np.float32]:
        """Where the questions stand for the base, `[n, d]`."""
        return self.of(base, examples, [needs.embedding()], 0).arrays["embedding"]
