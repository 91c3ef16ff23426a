"""Recipes: YAML into a typed `Recipe`, every problem reported at once under its key.

A section per role: `use` names the plug-in, the rest are its options. `train` and `lora` go to TRL's
SFTConfig and peft's LoraConfig under their own key names; `lora: false` trains every weight.
`key.path=value` overrides come last.
"""

import copy
import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from asft import needs, passed_on, registry
from asft.budget import Budget
from asft.errors import AsftError, RecipeError
from asft.recipe import adapters, rules, trained_on
from asft.recipe.extending import joined, overlay, preset, source
from asft.recipe.overrides import options, override, put
from asft.recipe.rules import PlateauOptions, Rule, StopOptions, When
from asft.recipe.sections import (
    DataOptions,
    EngineOptions,
    EvaluateOptions,
    ReplayOptions,
    SampleOptions,
    StudentOptions,
    StudentVLLM,
    ValidationOptions,
    WeightOptions,
    WorkerOptions,
)
from asft.types import Chooses, Criterion, Filter, Need, Selector, Task, Teacher, Writer

__all__ = [
    "HIDDEN",
    "DataOptions",
    "EngineOptions",
    "EvaluateOptions",
    "PlateauOptions",
    "Reading",
    "Recipe",
    "ReplayOptions",
    "Rule",
    "SampleOptions",
    "StopOptions",
    "StudentOptions",
    "StudentVLLM",
    "ValidationOptions",
    "WeightOptions",
    "When",
    "WorkerOptions",
    "joined",
    "load",
    "look",
    "look_at",
    "options",
    "overlay",
    "override",
    "preset",
    "put",
    "read",
    "source",
]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe that has been read and checked."""

    name: str
    licence: str | None
    """Of the data set that comes of it, for its card; None: not stated."""
    seed: int
    rounds: int
    per_round: int
    """Accepted examples that a round aims at."""
    max_drafts: int
    """Drafts that a round makes at most."""
    task: Task
    student: StudentOptions
    teacher: Teacher
    judge: Teacher | None
    """Who answers requests to a judge; None: the teacher."""
    criterion: Criterion
    selector: Selector
    writer: Writer
    filters: tuple[Filter, ...]
    data: DataOptions
    evaluate: EvaluateOptions
    train: Mapping[str, Any]
    lora: Mapping[str, Any] | Literal[False]
    """Settings of an adapter; False: every weight is trained."""
    budget: Budget
    engine: EngineOptions
    workers: WorkerOptions
    stop: StopOptions
    adapt: tuple[Rule, ...]
    settings: Mapping[str, Any]
    """Everything above as plain data, defaults written out; what the lock file holds."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What has to be measured of the pool, in the order in which it is."""
        of_pool = [need for one in self.filters for need in one.looks.pool_needs]
        return needs.joined((*self.criterion.needs, *self.selector.needs, *of_pool))

    @property
    def validates(self) -> bool:
        """Whether the accuracy on what is held out has to be known after each round."""
        return self.stop.reads_accuracy or any(rule.when.reads_accuracy for rule in self.adapt)

    def value(self, key: str) -> Any:
        """What stands under a key that rules may change. Raises RecipeError where nothing does."""
        return rules.value_at(self.settings, key)

    def changed(self, key: str, value: Any) -> "Recipe":
        """The recipe with another value under such a key. Raises RecipeError for a bad one."""
        parts, problems = _changed(self.settings, key, value)
        if problems:
            raise RecipeError("; ".join(problems))
        return dataclasses.replace(self, **parts)


_PLUGINS = ("task", "teacher", "criterion", "selector", "writer")
_SECTIONS: Mapping[str, type[Any]] = {
    "student": StudentOptions,
    "data": DataOptions,
    "evaluate": EvaluateOptions,
    "budget": Budget,
    "engine": EngineOptions,
    "workers": WorkerOptions,
    "stop": StopOptions,
}
_NUMBERS = {"seed": 0, "rounds": 3, "per_round": None, "max_drafts": None}
_KEYS = ("name", "licence", *_NUMBERS, *_PLUGINS, "judge", "filters", "adapt", *_SECTIONS, "train", "lora")
_OURS = {
    "output_dir": "the run directory decides it",
    "seed": "the recipe's own seed decides it",
    "data_seed": "the recipe's own seed decides it",
}
"""Keys of SFTConfig that a recipe cannot set, and why."""
HIDDEN = "(not written down)"
"""What `settings` hold of an option that may be a secret."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A recipe as far as it could be read."""

    parts: Mapping[str, Any]
    """The fields of a `Recipe`; None where they are missing or wrong."""
    problems: tuple[str, ...]
    """What is wrong, each under its key; not in it is what TRL and peft do not take."""

    def recipe(self) -> Recipe:
        """The recipe. Raises RecipeError that lists all problems, also those with TRL's and peft's keys."""
        problems = [*self.problems, *passed_on.problems(self.parts["train"], self.parts["lora"])]
        if problems:
            raise RecipeError("\n".join(problems))
        return Recipe(**self.parts)


def load(path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe. Raises RecipeError that lists all problems, each under its key."""
    return look(path, overrides).recipe()


def read(given: Mapping[str, Any]) -> Recipe:
    """Check plain data and make the plug-ins. Raises RecipeError that lists all problems."""
    return look_at(given).recipe()


def look(path: Path, overrides: Iterable[str] = ()) -> Reading:
    """Read a recipe as far as it goes. Raises RecipeError where the file holds none."""
    given = joined(path)
    for written in overrides:
        override(given, written)
    given.setdefault("name", path.stem)
    return look_at(given)


def look_at(given: Mapping[str, Any]) -> Reading:
    """Check plain data and make the plug-ins, as far as it goes."""
    problems: list[str] = []
    for key in given:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"keys: {', '.join(_KEYS)}"
            problems.append(f"{key}: unknown key, {hint}")
    numbers = {key: _number(given, key, default, problems) for key, default in _NUMBERS.items()}
    made: dict[str, Any] = {kind: _plugin(kind, kind, given.get(kind), problems) for kind in _PLUGINS}
    judge = given.get("judge")
    made["judge"] = None if judge is None else _plugin("teacher", "judge", judge, problems)
    listed = given.get("filters") or []
    if not isinstance(listed, list):
        problems.append(f"filters = {listed!r}: a list is wanted, each item with `use`")
        listed = []
    filters = [_plugin("filter", f"filters.{i}", item, problems) for i, item in enumerate(listed)]
    problems += _shared_needs(made["criterion"], made["selector"], filters)
    for key, cls in _SECTIONS.items():
        made[key] = _section(key, cls, given.get(key), problems)
    problems += _choices(made["task"], made["evaluate"])
    problems += _one_decoder(made["workers"], made["student"])
    made["train"] = _values("train", given.get("train"), problems)
    lora = given.get("lora")
    made["lora"] = False if lora is False else _values("lora", lora, problems)
    problems += adapters.problems(made["lora"], made["student"], made["data"])
    if made["data"] is not None:
        problems += trained_on.problems(made["data"], made["train"])
        made["train"] = {**trained_on.implied(made["data"]), **made["train"]}
    per_round = numbers["per_round"] or 0
    parts: dict[str, Any] = {
        **made,
        "name": str(given.get("name", "run")),
        "licence": _text(given, "licence", problems),
        "seed": numbers["seed"],
        "rounds": numbers["rounds"],
        "per_round": per_round,
        "max_drafts": numbers["max_drafts"] or 4 * per_round,
        "filters": tuple(one for one in filters if one is not None),
        "adapt": rules.read(given.get("adapt") or [], problems),
    }
    uses = {kind: str(given[kind]["use"]) for kind in (*_PLUGINS, "judge") if made[kind] is not None}
    settings = {key: _plain(value, uses.get(key)) for key, value in sorted(parts.items())}
    pairs = zip(filters, listed, strict=True)
    settings["filters"] = [_plain(one, str(item["use"])) for one, item in pairs if one is not None]
    settings["adapt"] = [rules.plain(rule) for rule in parts["adapt"]]
    if not problems:
        problems += _rules(parts, settings)
    return Reading(parts={**parts, "settings": settings}, problems=tuple(problems))


def _number(given: Mapping[str, Any], key: str, default: int | None, problems: list[str]) -> int | None:
    value = given.get(key, default)
    least = 0 if key == "seed" else 1
    if value is None:
        if key == "per_round":
            problems.append("per_round: missing; how many accepted examples a round aims at")
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        problems.append(f"{key} = {value!r}: a whole number of at least {least} is wanted")
        return None
    return value


def _text(given: Mapping[str, Any], key: str, problems: list[str]) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        problems.append(f"{key} = {value!r}: a text is wanted")
        return None
    return value


def _plugin(kind: str, key: str, value: Any, problems: list[str]) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get("use"), str):
        known = ", ".join(registry.names(kind))
        problems.append(f"{key}: a section with `use` is wanted; `use` is one of {known}")
        return None
    options = {name: option for name, option in value.items() if name != "use"}
    try:
        cls = registry.find(kind, value["use"])
        made, wrong = registry.fill(cls, options)
    except AsftError as error:
        problems.append(f"{key}: {error}")
        return None
    problems.extend(f"{key}: {sentence}" for sentence in wrong)
    return made


def _shared_needs(
    criterion: Criterion | None, selector: Selector | None, filters: Sequence[Filter | None]
) -> list[str]:
    wanted = [need for part in (criterion, selector) if part is not None for need in part.needs]
    wanted += [need for one in filters if one is not None for need in one.looks.pool_needs]
    try:
        needs.joined(wanted)
    except RecipeError as error:
        return [f"criterion, selector, filters: {error}"]
    return []


def _choices(task: Task | None, evaluate: EvaluateOptions | None) -> list[str]:
    if task is None or evaluate is None or evaluate.by == "answers" or isinstance(task, Chooses):
        return []
    return [
        f"evaluate: option 'by' = {evaluate.by!r}: the task lists no choices to compare; take by: answers"
    ]


def _one_decoder(workers: WorkerOptions | None, student: StudentOptions | None) -> list[str]:
    if workers is None or workers.processes == 1 or student is None or student.decoder == "hf":
        return []
    if student.vllm is not None and student.vllm.base_url is not None:
        return []
    return [
        f"workers: option 'processes' = {workers.processes}: vLLM inside a worker would take a device that "
        "another has; give student.vllm.base_url of a server, or take decoder: hf"
    ]


def _rules(parts: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with `stop` and `adapt`, as far as it shows before the first round."""
    if parts["data"].validation is None:
        asking = [f"adapt.{i}" for i, rule in enumerate(parts["adapt"]) if rule.when.reads_accuracy]
        for key in (*(["stop"] if parts["stop"].reads_accuracy else []), *asking):
            yield (
                f"{key}: it goes by the accuracy on what is held out of the pool, and nothing is; give "
                "`data: {validation: {examples: 100}}`"
            )
    for i, rule in enumerate(parts["adapt"]):
        try:
            wrong = _changed(settings, rule.key, rule.applied(rules.value_at(settings, rule.key)))[1]
        except RecipeError as error:
            wrong = [str(error)]
        yield from (f"adapt.{i}: {sentence}" for sentence in wrong)


def _changed(settings: Mapping[str, Any], key: str, value: Any) -> tuple[dict[str, Any], list[str]]:
    """The parts of a recipe that change, settings among them, with a value put under a rule's key."""
    rules.value_at(settings, key)
    given = copy.deepcopy({root: settings[root] for root in rules.ROOTS})
    put(given, key, value)
    problems: list[str] = []
    made = {kind: _plugin(kind, kind, given[kind], problems) for kind in rules.ROOTS if kind != "filters"}
    filters = [_plugin("filter", f"filters.{i}", item, problems) for i, item in enumerate(given["filters"])]
    if problems:
        return {}, problems
    anew = {kind: _plain(one, given[kind]["use"]) for kind, one in made.items()}
    anew["filters"] = [_plain(one, item["use"]) for one, item in zip(filters, given["filters"], strict=True)]
    parts = {**made, "filters": tuple(filters), "settings": {**settings, **anew}}
    return parts, _shared_needs(made["criterion"], made["selector"], filters)


def _section(key: str, cls: type[Any], value: Any, problems: list[str]) -> Any:
    if value is not None and not isinstance(value, dict):
        problems.append(f"{key} = {value!r}: a section with keys is wanted")
        return None
    made, wrong = registry.fill(cls, value or {})
    problems.extend(f"{key}: {sentence}" for sentence in wrong)
    return made


def _values(key: str, value: Any, problems: list[str]) -> dict[str, Any]:
    """A section that goes on to another library, as it is but for numbers."""
    if value is not None and not isinstance(value, dict):
        what = "a section with keys, or false," if key == "lora" else "a section with keys"
        problems.append(f"{key} = {value!r}: {what} is wanted")
        return {}
    given = {name: _numeric(option) for name, option in (value or {}).items()}
    taken = sorted(_OURS.keys() & given.keys()) if key == "train" else []
    problems.extend(f"{key}.{name}: cannot be set here, {_OURS[name]}" for name in taken)
    return given


def _numeric(value: Any) -> Any:
    """PyYAML reads 1e-3, without a dot, as a text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _plain(value: Any, use: str | None = None) -> Any:
    """As JSON knows it. Options that are shown nowhere, because they may hold secrets, are blotted out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        options = {
            field.name: _plain(getattr(value, field.name))
            if field.repr or not getattr(value, field.name)
            else HIDDEN
            for field in dataclasses.fields(value)
        }
        return {"use": use, **options} if use else options
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, Path) else value
