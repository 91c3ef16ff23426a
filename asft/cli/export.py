"""`asft export`: a round's student and data for other tools."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The command."""
    export = commands.add_parser(
        "export", help="a run's adapter, merged model, training set and test split, for other tools"
    )
    export.add_argument("run", type=Path, metavar="RUN")
    export.add_argument("--out", type=Path, metavar="DIR", help="directory (default: exports/NAME)")
    export.add_argument("--round", type=int, metavar="N", help="default: the last that is finished")
    export.add_argument(
        "--only",
        action="append",
        choices=["adapter", "merged", "data", "lm-eval"],
        metavar="PART",
        help="adapter, merged, data or lm-eval; may be given several times (default: all four)",
    )
    export.add_argument(
        "--data-format", choices=["jsonl", "parquet", "datasets"], default="jsonl", help="default: jsonl"
    )
    export.add_argument(
        "--push-to-hub",
        metavar="OWNER/NAME",
        help="upload the model there, and adapter and data to NAME-adapter and NAME-data; never by default",
    )
    export.add_argument("--public", action="store_true", help="new repositories are public, not private")
    export.set_defaults(call=_export)


def _export(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import export
    from asft.progress import Progress

    made = export.export(
        arguments.run,
        arguments.out or Path("exports") / arguments.run.resolve().name,
        number=arguments.round,
        parts=arguments.only or export.PARTS,
        form=arguments.data_format,
        push_to=arguments.push_to_hub,
        public=arguments.public,
        progress=Progress(),
    )
    for one in made:
        print(one)
    return 0
