"""`asft probe`: what an endpoint can do, before money is spent."""

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asft.cli.table import Column, table, width

if TYPE_CHECKING:
    from asft.probe import Finding, Level
    from asft.teachers.openai import OpenAI

ENDLESS = 10_000
"""Characters: lines that go to a file are not broken."""


def add(commands: Any) -> None:
    """The command."""
    probe = commands.add_parser("probe", help="what an endpoint can do, asked before money is spent")
    probe.add_argument("what", metavar="RECIPE|BASE_URL", help="a recipe's teacher, or https://host/v1")
    probe.add_argument("--model", help="another than the recipe's; needed where a BASE_URL has several")
    probe.add_argument("--key-env", metavar="NAME", help="environment variable with the key")
    probe.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        dest="overrides",
        help="a key of the recipe",
    )
    probe.set_defaults(call=_probe)


def _probe(arguments: argparse.Namespace, given: list[str]) -> int:
    import asyncio

    from asft import probe
    from asft.progress import Progress

    teacher = _teacher(arguments)
    progress = Progress()

    def tell(done: int, total: int, what: str) -> None:
        if not done:
            progress.start(f"probing {teacher.base_url}", total)
        progress.update(done, what)

    found = asyncio.run(probe.probe(teacher, tell))
    progress.end(f"{found.calls} calls, {found.input_tokens} tokens in, {found.output_tokens} out")
    room = width() or ENDLESS
    print(f"\n{found.base_url}, model {found.model}\n")
    print("\n".join(_findings(found.findings, room)))
    print("\n" + "\n".join(_levels(found.levels)))
    print("\nFor the recipe:\n\n" + textwrap.indent(found.advice, "  "))
    return 0


def _teacher(arguments: argparse.Namespace) -> "OpenAI":
    """The teacher of a recipe, or one made for an address. Raises AsftError where there is no address."""
    from dataclasses import replace

    from asft import recipe, registry
    from asft.errors import RecipeError
    from asft.teachers.openai import OpenAI

    changed = {"model": arguments.model, "key_env": arguments.key_env}
    changed = {name: value for name, value in changed.items() if value is not None}
    if arguments.what.startswith(("http://", "https://")):
        options = {"model": "", "base_url": arguments.what, **changed}
        return cast("OpenAI", registry.make("teacher", "openai", options))
    # The rest of the recipe may be unfinished, and checking it imports the training stack.
    reading = recipe.look(Path(arguments.what), arguments.overrides)
    teacher = reading.parts["teacher"]
    if teacher is None:
        raise RecipeError("\n".join(one for one in reading.problems if one.startswith("teacher")))
    if not isinstance(teacher, OpenAI):
        raise RecipeError(
            f"{arguments.what}: its teacher is no `openai`, which alone can be probed; give an address like "
            "https://host/v1"
        )
    return replace(teacher, **changed)


def _findings(findings: Sequence["Finding"], room: int) -> list[str]:
    """A line each; a detail that needs more stands below itself."""
    names = max(len(finding.name) for finding in findings)
    indent = names + len("  unknown  ")
    lines = []
    for finding in findings:
        start = f"{finding.name:<{names}}  {finding.verdict:<7}  "
        lines += textwrap.wrap(
            _visible(finding.detail), room, initial_indent=start, subsequent_indent=" " * indent
        ) or [start.rstrip()]
    return lines


def _levels(levels: Sequence["Level"]) -> list[str]:
    def seconds(value: float, level: "Level") -> str:
        if not level.answered:
            return "-"
        return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"

    return table(
        [
            Column("at once", [str(level.at_once) for level in levels], right=True),
            Column("calls", [str(level.calls) for level in levels], right=True),
            Column("median s", [seconds(level.median, level) for level in levels], right=True),
            Column("slowest s", [seconds(level.slowest, level) for level in levels], right=True),
            Column("calls/s", [f"{level.answered / level.seconds:.1f}" for level in levels], right=True),
            Column(
                "tokens/s",
                [f"{level.speed:,.0f}" if level.output_tokens else "-" for level in levels],
                right=True,
            ),
            Column("not answered", [_turned_away(level) for level in levels]),
        ],
        width(),
    )


def _turned_away(level: "Level") -> str:
    others = level.calls - level.answered - level.rate_limited
    parts = [f"{level.rate_limited} too many (429)"] if level.rate_limited else []
    return ", ".join([*parts, *([f"{others} failed ({_visible(level.failed)})"] if others else [])])


def _visible(text: str) -> str:
    from asft.report.wording import visible

    return visible(text)
