"""Several criteria on the same measurements, and a part of a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asft.errors import RecipeError
from asft.types import Criterion, Example, Grade, Measurements, Need, Task


@dataclass(frozen=True, kw_only=True)
class Several:
    """Criteria by their label; the first one's scores are those of all."""

    parts: Mapping[str, Criterion]

    @property
    def needs(self) -> tuple[Need, ...]:
        """What any of them needs."""
        return tuple(need for one in self.parts.values() for need in one.needs)

    def score(self, measurements: Measurements) -> list[float | None]:
        """By the first."""
        return next(iter(self.parts.values())).score(measurements)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A split of a task, or its first examples, as the pool."""

    task: Task
    split: str
    limit: int | None

    def load(self, split: str) -> Sequence[Example]:
        """The examples, whatever split is asked for."""
        examples = self.task.load(self.split)
        return examples if self.limit is None else examples[: self.limit]

    def grade(self, example: Example, text: str) -> Grade:
        """As the task does."""
        return self.task.grade(example, text)


def label(section: Mapping[str, Any]) -> str:
    """What a criterion is called beside others: its name, and the options that were given."""
    if not isinstance(section.get("use"), str):
        raise RecipeError(
            f"criterion: {dict(section)!r} has no `use`; name one, as in {{use: loss, of: gold}}"
        )
    options = [f"{name}={value}" for name, value in section.items() if name != "use"]
    return " ".join([section["use"], *options])
