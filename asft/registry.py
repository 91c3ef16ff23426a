"""Plug-ins by name: a built-in, an installed entry point, or `path/to/file.py:Name`.

A plug-in is a class made with `@plugin`: its fields are its options, frozen, keyword-only, checked by
pydantic, unknown ones forbidden. Built-ins and third-party plug-ins look the same. Nothing is imported
before it is asked for.
"""

import dataclasses
import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Set
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.dataclasses import is_pydantic_dataclass
from pydantic.fields import FieldInfo

from asft.errors import AsftError, PluginError

T = TypeVar("T")

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "criterion": {
        "acquisition": "asft.criteria.acquisition:Acquisition",
        "answer_entropy": "asft.criteria.answers:AnswerEntropy",
        "bald": "asft.criteria.ensembles:Bald",
        "disagreement": "asft.criteria.answers:Disagreement",
        "ensemble_variance": "asft.criteria.ensembles:EnsembleVariance",
        "entropy": "asft.criteria.tokens:Entropy",
        "gradient_norm": "asft.criteria.gradients:GradientNorm",
        "incorrect": "asft.criteria.answers:Incorrect",
        "influence": "asft.criteria.gradients:Influence",
        "judge": "asft.criteria.judged:Judge",
        "least_confidence": "asft.criteria.tokens:LeastConfidence",
        "llm_pick": "asft.criteria.picked:LLMPick",
        "loss": "asft.criteria.tokens:Loss",
        "margin": "asft.criteria.tokens:Margin",
        "mixture": "asft.criteria.mixture:Mixture",
        "reward": "asft.criteria.rewarded:Reward",
        "unscored": "asft.criteria.unscored:Unscored",
    },
    "filter": {
        "agrees": "asft.filters.agrees:Agrees",
        "blocklist": "asft.filters.blocklist:Blocklist",
        "consistency": "asft.filters.consistency:Consistency",
        "duplicate": "asft.filters.known:Duplicate",
        "embedding_similarity": "asft.filters.embedding_similarity:EmbeddingSimilarity",
        "judge": "asft.filters.judge:Judge",
        "language": "asft.filters.language:Language",
        "length": "asft.filters.length:Length",
        "not_in_test": "asft.filters.known:NotInTest",
        "rouge_l": "asft.filters.rouge_l:RougeL",
        "still_uncertain": "asft.filters.still_uncertain:StillUncertain",
        "well_formed": "asft.filters.well_formed:WellFormed",
    },
    "selector": {
        "badge": "asft.selectors.far:Badge",
        "balanced": "asft.selectors.lines:Balanced",
        "composition": "asft.selectors.composition:Composition",
        "kcenter": "asft.selectors.far:KCenter",
        "prototypes": "asft.selectors.prototypes:Prototypes",
        "random": "asft.selectors.ranked:Random",
        "softmax": "asft.selectors.ranked:Softmax",
        "sparse": "asft.selectors.sparse:Sparse",
        "stratified": "asft.selectors.stratified:Stratified",
        "threshold": "asft.selectors.lines:Threshold",
        "top": "asft.selectors.ranked:Top",
    },
    "task": {
        "classification": "asft.tasks.classification:Classification",
        "game24": "asft.tasks.game24.task:Game24",
        "gsm8k": "asft.tasks.gsm8k:GSM8K",
        "math": "asft.tasks.math:MATH",
        "multiple_choice": "asft.tasks.multiple_choice:MultipleChoice",
        "pocket": "asft.tasks.pocket.task:Pocket",
        "prontoqa": "asft.tasks.prontoqa.task:PrOntoQA",
        "qa": "asft.tasks.qa:QA",
    },
    "teacher": {
        "openai": "asft.teachers.openai:OpenAI",
        "pool": "asft.teachers.pool:Pool",
        "recorded": "asft.teachers.recorded:Recorded",
        "rules": "asft.teachers.rules:Rules",
        "vllm": "asft.teachers.vllm:VLLM",
    },
    "writer": {
        "question_then_answer": "asft.writers:QuestionThenAnswer",
        "question_with_answer": "asft.writers:QuestionWithAnswer",
        "reference": "asft.writers.reference:Reference",
    },
}
"""kind -> name -> "module:Class". Third-party packages use the entry point group `asft.<kind>`."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def plugin(cls: type[T]) -> type[T]:
    """Turn a class into a plug-in: a frozen, keyword-only dataclass whose fields are its options."""
    decorate = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
    return cast(type[T], decorate(cls))


def names(kind: str) -> dict[str, str]:
    """All plug-ins of a kind that are known by name, sorted: name -> "module:Class"."""
    built_in = _built_in(kind)
    installed = {e.name: e.value for e in entry_points(group=f"asft.{kind}")}
    return dict(sorted({**installed, **built_in}.items()))


def find(kind: str, name: str) -> type[Any]:
    """The class of a plug-in. Raises PluginError for a name that leads nowhere, or to no plug-in.

    A built-in wins over an installed package with the same name, so that a recipe means the same on
    every machine.
    """
    built_in = _built_in(kind)
    if name in built_in:
        module, _, attribute = built_in[name].partition(":")
        return _plugin_class(importlib.import_module(module), attribute, kind, name)
    installed = {e.value: e for e in entry_points(group=f"asft.{kind}", name=name)}
    if installed:
        return _from_entry_point(installed, kind, name)
    path, colon, attribute = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _plugin_class(_module_from(Path(path).expanduser(), kind), attribute, kind, name)
    raise PluginError(
        f"there is no {kind} {name!r}; {_hint(name, names(kind), 'known')} "
        "(a class of your own goes by path/to/file.py:Name)"
    )


def make(kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """An instance of a plug-in with these options. Raises PluginError naming every bad option."""
    made, problems = fill(find(kind, name), options or {})
    if problems:
        raise PluginError(f"{kind} {name!r}: {'; '.join(problems)}")
    return made


def written_out(kind: str, value: object) -> Mapping[str, Any]:
    """The section of a plug-in that is an option of another: `use`, and every option with its default.

    Plain data, as a run directory compares it; a name alone stands for its defaults. Raises ValueError that
    says what is wrong, as pydantic wants it.
    """
    given = {"use": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or not isinstance(given.get("use"), str):
        known = ", ".join(names(kind))
        raise ValueError(f"the name of a {kind}, or a section with `use`, is wanted; known: {known}")
    try:
        made = from_section(kind, given)
    except AsftError as error:
        raise ValueError(str(error)) from error
    options = dataclasses.fields(made)
    return {"use": given["use"], **{option.name: getattr(made, option.name) for option in options}}


def from_section(kind: str, section: Mapping[str, Any]) -> Any:
    """The plug-in that a section with `use` names. Raises PluginError."""
    options = {name: value for name, value in section.items() if name != "use"}
    return make(kind, section["use"], options)


def fill(cls: type[Any], options: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """An instance of a class made with `@plugin`, and one sentence per option at fault (None then)."""
    given = dict(options)
    problems = [f"option names are words, not {key!r}" for key in given if not isinstance(key, str)]
    if problems:
        return None, problems
    try:
        made = cls(**given)
    except ValidationError as error:
        return None, _problems(error, given, cls)
    problems = _swapped_booleans(made, given)
    return (None if problems else made), problems


def describe(kind: str, name: str) -> str:
    """One line on a plug-in: kind, name, options with their defaults, and what it is."""
    cls = find(kind, name)
    shown = []
    for option in dataclasses.fields(cls):
        default, factory = option.default, option.default_factory
        if isinstance(default, FieldInfo):
            value = default.get_default(call_default_factory=True, validated_data={})
            required = default.is_required()
        else:
            required = default is dataclasses.MISSING and factory is dataclasses.MISSING
            value = default if factory is dataclasses.MISSING else factory()
        shown.append(option.name if required else f"{option.name}={value!r}")
    what = (cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else ""
    return f"{kind} {name}({', '.join(shown)})  {what}"


def _built_in(kind: str) -> Mapping[str, str]:
    if kind not in BUILT_IN:
        raise PluginError(f"there is no kind of plug-in {kind!r}; {_hint(kind, BUILT_IN, 'kinds')}")
    return BUILT_IN[kind]


def _hint(word: str, known: Iterable[str], label: str) -> str:
    by_lower_case = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    if close:
        return f"did you mean {by_lower_case[close[0]]!r}?"
    return f"{label}: {', '.join(by_lower_case.values()) or 'none'}"


def _problems(error: ValidationError, given: Mapping[str, Any], cls: type[Any]) -> list[str]:
    """One sentence per option at fault. A union fails once per member; those messages are joined."""
    options = [f.name for f in dataclasses.fields(cls) if f.init]
    secret = {f.name for f in dataclasses.fields(cls) if not f.repr}
    messages: dict[str, list[str]] = {}
    for detail in error.errors():
        location = detail["loc"]
        if detail["type"] == "unexpected_keyword_argument" and len(location) == 1:
            key = str(location[0])
            messages[f"unknown option {key!r}, {_hint(key, options, 'options')}"] = []
        elif detail["type"] == "missing" and len(location) == 1:
            messages[f"option {location[0]!r} is missing"] = []
        else:
            where = _where(location, given, secret) if location else ""
            messages.setdefault(where, []).append(detail["msg"].removeprefix("Value error, "))
    return [": ".join(filter(None, (where, " or ".join(found)))) for where, found in messages.items()]


def _where(location: tuple[int | str, ...], given: Mapping[str, Any], secret: Set[str]) -> str:
    """The key and the value at fault; parts that name a member of a union lead nowhere and are left out.

    The value of an option that is shown nowhere, because it may hold a secret, is not shown here either.
    """
    value: Any = given
    path: list[str] = []
    for part in location:
        try:
            value = value[part]
        except (TypeError, LookupError):
            continue
        path.append(str(part))
    if path and path[0] in secret:
        return f"option {'.'.join(path)!r}"
    shown = repr(value)
    return f"option {'.'.join(path)!r} = {shown if len(shown) <= 100 else shown[:97] + '...'}"


def _swapped_booleans(made: Any, given: Mapping[str, Any]) -> list[str]:
    """What pydantic converts and nobody means: true as the number 1, and 1 or "yes" as true.

    Its other conversions stay, because YAML needs them: PyYAML reads 1e-3 as a text, and knows lists
    but no tuples.
    """
    problems = []
    for key, value in given.items():
        taken = getattr(made, key, value)
        if isinstance(value, bool) != isinstance(taken, bool):
            wanted = "true or false" if isinstance(taken, bool) else f"a value of type {type(taken).__name__}"
            problems.append(f"option {key!r} = {value!r}: Input should be {wanted}")
    return problems


def _plugin_class(module: Any, attribute: str, kind: str, name: str) -> type[Any]:
    found = getattr(module, attribute, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if _is_plugin(value)]
        raise PluginError(
            f"{kind} {name!r}: there is no class {attribute!r} there; {_hint(attribute, classes, 'plug-ins')}"
        )
    if not _is_plugin(found):
        raise PluginError(f"{kind} {name!r}: the class is no plug-in; decorate it with asft.registry.plugin")
    return found


def _is_plugin(value: Any) -> bool:
    return isinstance(value, type) and dataclasses.is_dataclass(value) and is_pydantic_dataclass(value)


def _from_entry_point(installed: Mapping[str, EntryPoint], kind: str, name: str) -> type[Any]:
    if len(installed) > 1:
        raise PluginError(
            f"{kind} {name!r} is offered by more than one installed package: {', '.join(sorted(installed))}; "
            "uninstall all but one"
        )
    [entry] = installed.values()
    try:
        found = entry.load()
    except Exception as error:  # foreign code
        raise PluginError(f"{kind} {name!r} ({entry.value}): {type(error).__name__}: {error}") from error
    if not _is_plugin(found):
        raise PluginError(
            f"{kind} {name!r} ({entry.value}) is no plug-in; decorate a class with asft.registry.plugin"
        )
    return cast(type[Any], found)


def _module_from(path: Path, kind: str) -> Any:
    if not path.is_file():
        raise PluginError(f"{kind} plug-in file {path} does not exist (it is looked for from {Path.cwd()})")
    resolved = path.resolve()
    alias = f"asft_plugin_{hashlib.blake2b(str(resolved).encode(), digest_size=6).hexdigest()}"
    if alias in sys.modules:
        return sys.modules[alias]
    spec = importlib.util.spec_from_file_location(alias, resolved)
    if spec is None or spec.loader is None:
        raise PluginError(f"{kind} plug-in file {path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # foreign code, and a script without a main guard exits
        del sys.modules[alias]
        raise PluginError(f"{kind} plug-in file {path}: {type(error).__name__}: {error}") from error
    return module
