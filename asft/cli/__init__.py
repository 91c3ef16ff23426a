"""The command line: parse, call, print. Nothing heavy is imported before a command asks for it."""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from asft import __version__
from asft.cli import evaluate, export, generate, journal, probe, score, study
from asft.errors import AsftError, RecipeError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. An AsftError prints without a traceback."""
    given = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal cannot show is no reason to stop.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(given)
    try:
        return int(arguments.call(arguments, given))
    except AsftError as error:
        print(f"asft: {_listed(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nasft: interrupted; finished steps and all replies that came are kept, and the same command "
            "goes on from here",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        return 1


def _listed(error: AsftError) -> str:
    """The message; several problems of a recipe stand below each other."""
    problems = str(error).splitlines()
    if len(problems) < 2 or not isinstance(error, RecipeError):
        return str(error)
    return "\n  ".join([f"{len(problems)} problems:", *problems])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asft",
        description="Make a small student language model better with data that a teacher writes, in rounds, "
        "guided by what the student finds hard.",
    )
    parser.add_argument("--version", action="version", version=f"asft {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="run a recipe, or go on with its run")
    _recipe_arguments(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="run directory (default: runs/NAME)")
    run.add_argument(
        "--redo",
        metavar="[ROUND/]STEP",
        help="do this step and all that follows it again, as in round-02/measure",
    )
    run.add_argument(
        "--journal", type=Path, metavar="FILE", help="a journal that runs share, so that none pays twice"
    )
    run.set_defaults(call=_run)

    generate.add(commands)
    study.add(commands)
    score.add(commands)
    export.add(commands)

    check = commands.add_parser("check", help="say all that is wrong with a recipe, and what it can cost")
    _recipe_arguments(check)
    check.set_defaults(call=_check)

    init = commands.add_parser("init", help="write a starter recipe and prompts to edit into a folder")
    init.add_argument("folder", type=Path, metavar="DIR")
    init.set_defaults(call=_init)

    evaluate.add(commands)

    report = commands.add_parser("report", help="write the report of a run again")
    report.add_argument("folder", type=Path, metavar="DIR")
    report.set_defaults(call=_report)

    journal.add(commands)
    probe.add(commands)

    listing = commands.add_parser("list", help="every plug-in and its options")
    listing.add_argument("kind", nargs="?")
    listing.set_defaults(call=_list)

    serve = commands.add_parser("serve", help="serve the rules teacher as an OpenAI-compatible endpoint")
    serve.add_argument("--port", type=int, default=8008)
    _set_argument(serve, "an option of the rules teacher")
    serve.set_defaults(call=_serve)
    return parser


def _recipe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE")
    _set_argument(parser, "a key of the recipe")


def _set_argument(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="overrides", help=what
    )


def _run(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import check, recipe

    reading = recipe.look(arguments.recipe, arguments.overrides)
    out = arguments.out or Path("runs") / reading.parts["name"]
    if not (out / "run.json").exists():
        for warning in check.start(reading):
            print(f"asft: warning: {warning}", file=sys.stderr)
    made = reading.recipe()

    from asft import loop, report
    from asft.progress import Progress

    source = recipe.source(arguments.recipe)
    if arguments.overrides:
        source = "".join(f"# --set {override}\n" for override in arguments.overrides) + source
    loop.run(
        made,
        out,
        source=source,
        command=["asft", *given],
        redo=arguments.redo,
        progress=Progress(),
        journal=arguments.journal,
    )
    paths = report.write(out)
    print(report.terminal(out))
    print(f"\nReport: {paths.html}")
    return 0


def _check(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import check, recipe

    print(check.check(recipe.look(arguments.recipe, arguments.overrides)))
    return 0


def _init(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import starter

    for path in starter.write(arguments.folder):
        print(f"wrote {path}")
    print(f"\nEdit them, then: asft check {arguments.folder}/recipe.yaml")
    return 0


def _report(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import report

    paths = report.write(arguments.folder)
    print(report.terminal(arguments.folder))
    print(f"\nReport: {paths.html}")
    return 0


def _list(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import registry

    kinds = [arguments.kind] if arguments.kind else list(registry.BUILT_IN)
    for kind in kinds:
        for name in registry.names(kind):
            print(registry.describe(kind, name))
    return 0


def _serve(arguments: argparse.Namespace, given: list[str]) -> int:
    import asyncio

    from asft import recipe, registry, serve

    teacher = registry.make("teacher", "rules", recipe.options(arguments.overrides))

    async def until_stopped() -> None:
        async with serve.serving(teacher, model="rules", port=arguments.port) as url:
            print(f"{url}  (model name: rules; any key; Ctrl-C ends it)", flush=True)
            await asyncio.Event().wait()

    asyncio.run(until_stopped())
    return 0
