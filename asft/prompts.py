"""Prompts: Markdown files with YAML front matter and a Jinja2 body, for anyone to read and edit.

    ---
    description: One line on what the prompt is for.
    purpose: judge
    variables:
      question: The question as the student saw it.
    optional:
      reference: The reference answer, where there is one.
    scale: [1, 10]
    ---
    ## system
    You grade answers.
    ## user
    {{ question }}

A line `## system`, `## user` or `## assistant` starts a message; a body without such lines is one user
message. The file is cut into messages before anything is filled in, so that no text from a data set or a
model can pose as another message. Variables that nobody fills in, and values that no variable takes, are
errors; an optional variable without a value is None. A prompt that asks for grades says from which number
to which, worst first, as `scale`. Templates run in Jinja2's immutable sandbox.
"""

import difflib
import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asft.errors import PromptError
from asft.types import Message, Role

if TYPE_CHECKING:
    from jinja2 import Template

_FRONT = re.compile(r"\A---[ \t]*\n(?P<front>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_SECTION = re.compile(r"^##[ \t]+(?P<role>system|user|assistant)[ \t]*$", re.MULTILINE)
_KEYS = ("description", "purpose", "variables", "optional", "scale")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt file that has been read and checked."""

    path: Path
    description: str
    purpose: str
    """What requests made from it are for; the ledger adds up by it."""
    variables: Mapping[str, str]
    """Name -> what it holds. All of them have to be given."""
    optional: Mapping[str, str]
    """Those that may be left out, and are None then."""
    sections: tuple[tuple[Role, str], ...]
    """The messages before anything is filled in."""
    scale: tuple[float, float] | None = None
    """The worst and the best grade that it asks for; None where it asks for none."""

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    def check(self, filled: Sequence[str], wanted: Sequence[str]) -> None:
        """Raises PromptError for a variable that its user does not fill in, or one that it lacks."""
        for name in self.variables:
            if name not in filled:
                raise PromptError(
                    f"{self.path}: needs a value for {name!r}; here {', '.join(filled)} are filled in"
                )
        for name in wanted:
            if name not in self.variables:
                raise PromptError(f"{self.path}: must name {name!r} under 'variables' and show it")

    def render(self, **values: object) -> tuple[Message, ...]:
        """Fill in the values. Raises PromptError that names the file and the variable."""
        known = [*self.variables, *self.optional]
        for name in values:
            if name not in known:
                raise PromptError(f"{self.path}: there is no variable {name!r}; {_hint(name, known)}")
        missing = [name for name in self.variables if name not in values]
        if missing:
            raise PromptError(f"{self.path}: no value for {', '.join(map(repr, missing))}")
        filled = {**dict.fromkeys(self.optional), **values}
        messages = []
        for role, source in self.sections:
            text = self._fill(source, filled)
            if text:
                messages.append(Message(role=role, content=text))
        if not any(message.role == "user" for message in messages):
            raise PromptError(f"{self.path}: the user's message is empty; write some text under '## user'")
        return tuple(messages)

    def _fill(self, source: str, values: Mapping[str, object]) -> str:
        try:
            return _template(source).render(values).strip()
        except Exception as error:  # a template is foreign code
            raise PromptError(f"{self.path}: cannot be filled in: {error}") from error


def load(name: str | Path) -> Prompt:
    """Read a prompt: a path to a Markdown file, or the name of one that is shipped.

    Raises PromptError for a file that is missing or malformed, and for a template that uses a variable
    which its front matter does not name.
    """
    path = _find(name)
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{path}: cannot be read: {error}") from error
    front = _FRONT.match(text)
    if front is None:
        raise PromptError(f"{path}: must begin with front matter between two lines '---'")
    settings = _settings(path, front["front"])
    sections = _sections(path, text[front.end() :])
    prompt = Prompt(path=path, sections=sections, **settings)
    _check_names(prompt)
    return prompt


def shipped() -> list[str]:
    """The names of the prompts that come with asft."""
    return sorted(path.stem for path in _folder().glob("*.md"))


def _folder() -> Path:
    # The one place that knows where shipped prompts are: in the package where a wheel was installed, and
    # beside it in a checkout.
    package = Path(__file__).resolve().parent
    inside = package / "_data" / "prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def _find(name: str | Path) -> Path:
    if isinstance(name, Path) or name.endswith(".md") or "/" in name or "\\" in name:
        path = Path(name)
        if not path.is_file():
            raise PromptError(
                f"prompt file {path} does not exist; correct the path, or name one of {', '.join(shipped())}"
            )
        return path
    path = _folder() / f"{name}.md"
    if not path.is_file():
        raise PromptError(
            f"there is no prompt {name!r}; {_hint(name, shipped())} "
            "(a file of your own goes by path/to/file.md)"
        )
    return path


def _settings(path: Path, front: str) -> dict[str, Any]:
    import yaml

    try:
        read = yaml.safe_load(front)
    except yaml.YAMLError as error:
        raise PromptError(f"{path}: the front matter is not YAML: {error}") from error
    if not isinstance(read, dict):
        raise PromptError(f"{path}: the front matter must be 'key: value' lines, keys: {', '.join(_KEYS)}")
    for key in read:
        if key not in _KEYS:
            raise PromptError(f"{path}: unknown key {key!r} in the front matter; {_hint(str(key), _KEYS)}")
    settings: dict[str, Any] = {}
    for key in ("description", "purpose"):
        value = read.get(key)
        if not isinstance(value, str) or not value.strip():
            raise PromptError(f"{path}: key {key!r} = {value!r}: must be a line of text")
        settings[key] = value.strip()
    for key in ("variables", "optional"):
        value = read.get(key) or {}
        pairs = list(value.items()) if isinstance(value, dict) else [(None, None)]
        if not all(isinstance(k, str) and k.isidentifier() and isinstance(v, str) for k, v in pairs):
            raise PromptError(
                f"{path}: key {key!r} = {value!r}: must hold a line 'name: what it holds' for each"
            )
        settings[key] = value
    settings["scale"] = _scale(path, read.get("scale"))
    if twice := sorted(settings["variables"].keys() & settings["optional"].keys()):
        raise PromptError(f"{path}: {twice[0]!r} stands under both 'variables' and 'optional'")
    return settings


def _scale(path: Path, value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        lowest, highest = value
        numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in value)
        if numbers and math.isfinite(lowest) and math.isfinite(highest) and lowest < highest:
            return float(lowest), float(highest)
    raise PromptError(
        f"{path}: key 'scale' = {value!r}: must be the worst and the best grade, rising, such as [1, 10]"
    )


def _sections(path: Path, body: str) -> tuple[tuple[Role, str], ...]:
    marks = list(_SECTION.finditer(body))
    if not marks:
        return (("user", body),)
    if body[: marks[0].start()].strip():
        raise PromptError(f"{path}: there is text before the first '## {marks[0]['role']}'")
    ends = [*(mark.start() for mark in marks[1:]), len(body)]
    return tuple(
        (cast(Role, mark["role"]), body[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)
    )


def _check_names(prompt: Prompt) -> None:
    import jinja2
    from jinja2 import meta

    known = {*prompt.variables, *prompt.optional}
    for role, source in prompt.sections:
        try:
            tree = _environment().parse(source)
            _template(source)
        except jinja2.TemplateError as error:
            raise PromptError(f"{prompt.path}: in '## {role}': {error}") from error
        for name in sorted(meta.find_undeclared_variables(tree) - known):
            raise PromptError(
                f"{prompt.path}: '## {role}' uses {name!r}, which its front matter does not name; "
                f"{_hint(name, known)}"
            )


@functools.cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@functools.lru_cache(maxsize=256)
def _template(source: str) -> "Template":
    return cast("Template", _environment().from_string(source))


def _hint(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
