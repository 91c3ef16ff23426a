"""`asft study`: arms x seeds under an equal budget, and the report on them."""

import argparse
import os
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Put the command among the others."""
    study = commands.add_parser("study", help="compare arms over seeds under an equal budget, and report")
    study.add_argument("study", type=Path, metavar="STUDY")
    study.add_argument(
        "--out", type=Path, metavar="DIR", help="where results and report go (default: studies/NAME)"
    )
    study.add_argument("--plan", action="store_true", help="say what it takes, and do nothing")
    study.add_argument("--report", action="store_true", help="report on what is there, and run nothing")
    study.add_argument(
        "--at-once", type=int, metavar="N", help="runs at once (default: one for each two cores; 1 on a GPU)"
    )
    study.add_argument(
        "--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="overrides", help="a key of it"
    )
    study.set_defaults(call=_study)


def _study(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import study as studies
    from asft.rundir import write_text

    study = studies.load(arguments.study, arguments.overrides)
    out = arguments.out or Path("studies") / study.name
    at_once = arguments.at_once or _at_once()
    if arguments.plan:
        from asft.study import plan

        print(plan.told(study, plan.plan(study, out, at_once), at_once))
        return 0

    from asft.study import report, runs

    if not arguments.report:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "study.yaml", study.source)
        runs.run(study, out, at_once=at_once)
    found = report.gathered(study, out)
    paths = report.write(found, out)
    print(report.terminal(found))
    print(f"\nReport: {paths.html}")
    return 0


def _at_once() -> int:
    """As many runs as there are pairs of cores, and one alone where they would share a GPU."""
    import torch

    return 1 if torch.cuda.is_available() else max(1, (os.cpu_count() or 1) // 2)
