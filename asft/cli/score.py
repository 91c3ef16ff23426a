"""`asft score`: rank a data set by how hard a student finds it."""

import argparse
from pathlib import Path
from typing import Any

from asft.errors import RecipeError


def add(commands: Any) -> None:
    """The command score."""
    parser = commands.add_parser("score", help="rank a data set by how hard a student finds each example")
    parser.add_argument(
        "model", metavar="MODEL_OR_RUN", help='"pocket", a folder, a hub name, an adapter, or a run'
    )
    parser.add_argument(
        "--task", default="pocket", help="a task's name, or a section: '{use: qa, path: x.jsonl}'"
    )
    parser.add_argument(
        "--criterion",
        action="append",
        metavar="NAME",
        help="a criterion's name, or a section: '{use: loss, of: gold}'; several rank by the first and "
        "are compared (default: loss)",
    )
    parser.add_argument("--split", default="seed", help="a split of the task (default: seed)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N examples")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        dest="overrides",
        help="a key of a recipe, as task.path, student.max_new_tokens, judge.model",
    )
    parser.add_argument("--redo", choices=["measure", "ask"], help="do this step and what follows it again")
    parser.add_argument("--parquet", action="store_true", help="write Parquet and not JSON lines")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder (default: scored/MODEL-TASK)")
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="a journal that runs share, so that none pays twice"
    )
    parser.set_defaults(call=_score)


def _score(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import datafiles, scoring
    from asft import student as students
    from asft.progress import Progress
    from asft.report import criteria
    from asft.rundir import write_text
    from asft.scoring.page import facts

    if arguments.limit is not None and arguments.limit < 1:
        raise RecipeError(f"--limit {arguments.limit}: a number of at least 1 is wanted")
    recipe = scoring.plan(
        arguments.model,
        _section("--task", arguments.task),
        [_section("--criterion", text) for text in arguments.criterion or ["loss"]],
        split=arguments.split,
        limit=arguments.limit,
        overrides=arguments.overrides,
    )
    out = arguments.out or Path("scored") / recipe.name
    found = scoring.scored(
        recipe,
        out,
        adapter=students.of(arguments.model).adapter,
        command=["asft", *given],
        redo=arguments.redo,
        journal=arguments.journal,
        progress=Progress(),
    )
    rows = datafiles.put(out, "scores", found.rows(), parquet=arguments.parquet)
    about = facts(recipe, found)
    write_text(out / "report.html", criteria.page(about))
    print(criteria.terminal(about))
    if about.asked:
        print(about.asked)
    print(f"\nRanked: {rows}\nReport: {out / 'report.html'}")
    return 0


def _section(option: str, text: str) -> Any:
    """A name as it is; a section as YAML."""
    if not text.lstrip().startswith("{"):
        return text
    import yaml

    try:
        made = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{option} {text}: no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(made, dict):
        raise RecipeError(f"{option} {text}: write a name, or a section as {{use: loss, of: gold}}")
    return made
