"""`asft generate`: the writing half alone, as a data set for other tools."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The command."""
    generate = commands.add_parser(
        "generate", help="write and filter a data set, without training; or go on with it"
    )
    generate.add_argument("recipe", type=Path, metavar="RECIPE")
    generate.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        dest="overrides",
        help="a key of the recipe",
    )
    generate.add_argument("--out", type=Path, metavar="DIR", help="directory (default: generated/NAME)")
    generate.add_argument(
        "--examples", type=int, metavar="N", help="how many are wanted (default: the recipe's per_round)"
    )
    generate.add_argument(
        "--format", choices=["chat", "prompt-completion", "both"], default="both", help="default: both"
    )
    generate.add_argument("--parquet", action="store_true", help="Parquet in place of JSON lines")
    generate.add_argument("--journal", type=Path, metavar="FILE", help="a journal that runs share")
    generate.add_argument(
        "--redo", choices=["measure", "select", "write"], help="do this step and what follows again"
    )
    generate.set_defaults(call=_generate)


def _generate(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import check, generate, recipe
    from asft.generate.data import FORMS
    from asft.progress import Progress
    from asft.report.wording import plural, whole

    overrides = list(arguments.overrides)
    if arguments.examples is not None:
        overrides.append(f"per_round={arguments.examples}")
    reading = generate.look(arguments.recipe, overrides)
    out = arguments.out or Path("generated") / reading.parts["name"]
    if not (out / "run.json").exists():
        for warning in check.start(reading):
            print(f"asft: warning: {warning}", file=sys.stderr)
    source = recipe.source(arguments.recipe)
    source = "".join(f"# --set {override}\n" for override in overrides) + source
    made = generate.generate(
        reading.recipe(),
        out,
        source=source,
        command=["asft", *given],
        redo=arguments.redo,
        progress=Progress(),
        forms=FORMS if arguments.format == "both" else [arguments.format],
        parquet=arguments.parquet,
        journal=arguments.journal,
    )
    counts = made.funnel
    dropped = counts["written"] - counts["kept"]
    print(
        f"\n{plural(made.examples, 'example')} from {whole(made.seeds)} of {whole(counts['seeds'])} seeds: "
        f"{plural(counts['drafts'], 'draft')}, {counts['drafts'] - counts['written']} came to nothing, "
        f"{dropped} not kept"
    )
    for decision in ("dropped", "undecided"):
        for name, reasons in counts[decision].items():
            for reason, n in reasons.items():
                print(f"  {n:>6}  {name}: {reason}")
    for reason, n in counts["no_draft"].items():
        print(f"  {n:>6}  no draft: {reason}")
    if made.budget_gone:
        print("The budget is used up; raise it and run the same command again for more.")
    print()
    for path in made.files:
        print(path)
    return 0
