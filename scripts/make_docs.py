"""Write the pages of docs/ that say what stands elsewhere: measuring.md from the docstrings of criteria,
selectors and filters; presets.md from the comments of the presets and docs/presets.csv.

python scripts/make_docs.py            writes them
python scripts/make_docs.py --check    says whether they are up to date, by its exit code
"""

import argparse
import ast
import csv
import dataclasses
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from asft import criteria, filters, needs, registry, selectors

ROOT = Path(__file__).resolve().parent.parent
DOCS, PRESETS = ROOT / "docs", ROOT / "recipes" / "presets"
YIELDS = DOCS / "presets.csv"
"""What scripts/check_presets.py found of each preset."""
FACTS = ("Cost", "When", "Source")
"""Paragraphs of a criterion's docstring that begin so: what it takes, what it is good for, whose it is."""
SAID = ("Source", "What differs", "Not known", "Offline")
"""Parts of a preset's comment that begin so."""

MEASURING = """\
# Measuring, scoring, selecting, filtering

<!-- Made by scripts/make_docs.py from the docstrings; edit those. -->

Before each round the student is **measured** on the pool, once. A **criterion** turns the measurements of a
seed into a score, the higher the harder; a **selector** turns the scores of the pool into the order in which
seeds are used; **filters** say which drafts are kept. Measuring is dear, scoring is free: criteria that need
the same measurements share them. `asft score MODEL --task TASK --criterion A --criterion B` measures once,
ranks by the first, and shows how they agree; `asft check RECIPE` says what a recipe's criterion costs at
most before anything is spent.

A third-party criterion, selector or filter is a class like these, named `path/to/file.py:Name`, or offered by
an installed package; the README shows one.

## What is measured
"""
PRESETS_PAGE = """\
# Presets

<!-- Made by scripts/make_docs.py from recipes/presets and docs/presets.csv; edit those. -->

Methods of the field, each a small recipe with its source, and with what of it is not known. One runs alone,
`asft run recipes/presets/llm2llm.yaml`, or as an arm of a study, where it is laid over the base recipe:

```yaml
arms:
  theirs: {preset: llm2llm}
  mine: {preset: my-method.yaml, set: {selector.temperature: 0.5}}
```

Those called `-offline` state a threshold that works with the rules teacher, whose variants are more like
their seed than those of a language model are.

## What each keeps

Two rounds of 30 with the pocket student and the rules teacher, from 120 seeds: requests to the teacher or
judge, drafts, and the share of drafts that was kept, in the first and the second round. Training is too
short here (8 steps) to compare what comes of it, and the reward model of active-reward is a random one.
To measure it anew:
`python scripts/check_presets.py --csv docs/presets.csv`.
"""


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    wrong = []
    for name, page in (("measuring", measuring), ("presets", presets)):
        path, made = DOCS / f"{name}.md", page()
        if not given.check:
            path.write_text(made, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != made:
            wrong.append(str(path))
    if wrong:
        what = " and ".join(wrong)
        print(f"{what}: not what the sources say; run: python scripts/make_docs.py", file=sys.stderr)
    return 1 if wrong else 0


def measuring() -> str:
    """The page about criteria, selectors and filters."""
    parts = [MEASURING, _body(needs.__doc__)]
    for kind, module in (("criterion", criteria), ("selector", selectors), ("filter", filters)):
        title = {"criterion": "Criteria", "selector": "Selectors", "filter": "Filters"}[kind]
        parts += [f"## {title}", _body(module.__doc__)]
        found = {name: registry.find(kind, name) for name in sorted(registry.BUILT_IN[kind])}
        if kind == "criterion":
            parts.append(_overview(found))
        for name, cls in found.items():
            parts += [f"### {name}", _text(cls), _options(cls)]
    return _joined(parts)


def presets() -> str:
    """The page about presets."""
    paths = sorted(PRESETS.glob("*.yaml"))
    return _joined([PRESETS_PAGE, _yields(), "## Each of them", *(_preset(path) for path in paths)])


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _yields() -> str:
    """A table of what each preset asked for and kept, the first round and the second beside each other."""
    rounds: dict[str, list[dict[str, str]]] = {}
    with YIELDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rounds.setdefault(row["preset"], []).append(row)
    rows = ["| preset | requests | drafts | kept | yield | why the rest fell |", "|---|---|---|---|---|---|"]
    for name, found in rounds.items():
        figures = [", ".join(row[key] for row in found) for key in ("requests", "drafts", "kept", "yield")]
        dropped = [row["dropped by"] for row in found]
        fell = "; ".join(dropped) if set(dropped) != {"-"} else ""
        rows.append(f"| [{name}](#{name}) | {' | '.join(figures)} | {fell} |")
    return "\n".join(rows)


def _preset(path: Path) -> str:
    """What a preset's comment says, and the recipe below it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    above = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in above)
    first, *facts = re.split(rf"^({'|'.join(SAID)}): ", text, flags=re.MULTILINE)
    first = first.removeprefix(f"{path.stem}: ")
    first = first[:1].upper() + first[1:]
    said = [f"- **{name}**: {_one_line(what)}" for name, what in zip(facts[::2], facts[1::2], strict=True)]
    settings = "\n".join(lines[len(above) :]).strip()
    parts = [f"### {path.stem}", _one_line(first), "\n".join(said), f"```yaml\n{settings}\n```"]
    return "\n\n".join(part for part in parts if part)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _body(doc: str | None) -> str:
    """A module's docstring without its first sentence's role as a title."""
    return inspect.cleandoc(doc or "")


def _overview(found: dict[str, type[Any]]) -> str:
    rows = ["| criterion | what | cost | source |", "|---|---|---|---|"]
    for name, cls in found.items():
        facts = dict(_facts(cls))
        what = _paragraphs(cls)[0].partition(":")[0].rstrip(".")
        rows.append(
            f"| [{name}](#{name}) | {_line(what)} | {_line(facts['Cost'])} | {_line(facts['Source'])} |"
        )
    return "\n".join(rows)


def _line(text: str) -> str:
    return _one_line(text).rstrip(".").replace("|", "\\|")


def _paragraphs(cls: type[Any]) -> list[str]:
    return inspect.cleandoc(cls.__doc__ or "").split("\n\n")


def _facts(cls: type[Any]) -> Iterator[tuple[str, str]]:
    """Name and text of each fact; a paragraph may hold several, each on a line of its own."""
    for paragraph in _paragraphs(cls):
        pieces = re.split(rf"^({'|'.join(FACTS)}): ", paragraph, flags=re.MULTILINE)
        yield from zip(pieces[1::2], pieces[2::2], strict=True)


def _text(cls: type[Any]) -> str:
    """The docstring, with its facts as a list."""
    plain = [p for p in _paragraphs(cls) if not re.match(rf"({'|'.join(FACTS)}): ", p)]
    facts = [f"- **{name}**: {_one_line(text)}" for name, text in _facts(cls)]
    return "\n\n".join([*plain, *(["\n".join(facts)] if facts else [])])


def _options(cls: type[Any]) -> str:
    """A table of the options, with what stands below each field."""
    said = _field_docs(cls)
    rows = [
        f"| `{field.name}` | {_default(field)} | {_line(said.get(field.name, ''))} |"
        for field in dataclasses.fields(cls)
    ]
    return "\n".join(["| option | default | |", "|---|---|---|", *rows]) if rows else ""


def _default(field: Any) -> str:
    default, factory = field.default, field.default_factory
    if isinstance(default, FieldInfo):
        if default.is_required():
            return "must be given"
        value = default.get_default(call_default_factory=True, validated_data={})
    elif default is dataclasses.MISSING and factory is dataclasses.MISSING:
        return "must be given"
    else:
        value = default if factory is dataclasses.MISSING else factory()
    return f"`{_plain(value)}`".replace("|", "\\|")


def _plain(value: Any) -> Any:
    """A default as a recipe would have it."""
    return {None: "null", True: "true", False: "false"}.get(value, value) if _hashable(value) else value


def _hashable(value: Any) -> bool:
    return isinstance(value, (bool, str, type(None)))


def _field_docs(cls: type[Any]) -> dict[str, str]:
    """What stands below each field of a class in its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    [made] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found: dict[str, str] = {}
    for field, below in zip(made.body, made.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found


if __name__ == "__main__":
    sys.exit(main())
