"""Run presets on the pocket task, two rounds each, and print what they ask for and what they keep.

python scripts/check_presets.py                       all of them
python scripts/check_presets.py llm2llm lion          some
python scripts/check_presets.py --out DIR             where the runs are kept, and go on
python scripts/check_presets.py --csv docs/presets.csv    the table that docs/presets.md is made with

Each is laid over the quickstart with small numbers, as an arm of a study would be. The reward model of
active-reward is the student itself with a score in place of its head, and random there: what the method asks
for and keeps is seen, and nothing of what it is worth.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asft import loop, recipe, student
from asft.errors import AsftError
from asft.progress import Progress
from asft.starter import recipes

SMALL: dict[str, Any] = {
    "task": {"use": "pocket", "seeds": 120, "tests": 60},
    "rounds": 2,
    "train": {"max_steps": 8},
}
PER_ROUND = 30
COLUMNS = ("preset", "round", "requests", "drafts", "kept", "yield", "dropped by", "accuracy", "seconds")


def main() -> int:
    """Run what was named, one after the other; print a table of it."""
    known = sorted(path.stem for path in (recipes() / "presets").glob("*.yaml"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="presets (default: all)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the runs are kept (default: nowhere)")
    parser.add_argument("--per-round", type=int, default=PER_ROUND, metavar="N", help="examples a round")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table there, too")
    given = parser.parse_args()
    if given.csv and (given.names or given.per_round != PER_ROUND):
        parser.error("--csv is for the page of all presets: without names, and without --per-round")
    found = []
    with tempfile.TemporaryDirectory() as away:
        out = given.out or Path(away)
        print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
        for name in given.names or known:
            try:
                for row in rows(name, out, given.per_round):
                    print(f"| {' | '.join(row)} |", flush=True)
                    found.append(row)
            except AsftError as error:
                print(f"| {name} | {error} |", flush=True)
                return 1
    if given.csv:
        with given.csv.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *found])
    return 0


def rows(name: str, out: Path, per_round: int) -> list[list[str]]:
    """Run a preset; a row for each round."""
    quickstart = recipe.preset(str(recipes() / "quickstart.yaml"))
    laid = recipe.overlay({**quickstart, **SMALL, "per_round": per_round}, recipe.preset(name))
    if laid["criterion"]["use"] == "reward":
        laid["criterion"]["model"] = reward_model(out / "reward-model")
    began = time.monotonic()
    (out / "logs").mkdir(parents=True, exist_ok=True)
    with (out / "logs" / f"{name}.txt").open("a") as told:
        done = loop.run(
            recipe.read({**laid, "name": name}),
            out / name,
            source="",
            command=sys.argv,
            redo=None,
            progress=Progress(told),
        )
    seconds = (time.monotonic() - began) / (len(done) - 1)
    return [row(name, figures, seconds) for figures in done[1:]]


def row(name: str, figures: Mapping[str, Any], seconds: float) -> list[str]:
    """What a round asked for, what it kept of it, and why the rest fell."""
    funnel = figures["funnel"]
    fell = {**funnel["dropped"], **funnel["undecided"], "no draft": funnel["no_draft"]}
    by = [f"{what} {sum(reasons.values())}" for what, reasons in fell.items() if reasons]
    return [
        name,
        str(figures["round"]),
        str(sum(one["requests"] for one in figures["ledger"] if one["role"] != "student")),
        str(funnel["drafts"]),
        str(funnel["kept"]) + (" (short)" if figures["short"] else ""),
        f"{funnel['kept'] / funnel['drafts']:.0%}",
        ", ".join(by) or "-",
        f"{figures['evaluate']['accuracy']:.3f}",
        f"{seconds:.0f}",
    ]


def reward_model(folder: Path) -> str:
    """The student with a score in place of its head, and random there."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, logging

    logging.set_verbosity_error()
    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(student.POCKET, num_labels=1)
    model = AutoModelForSequenceClassification.from_pretrained(student.POCKET, config=config)
    model.save_pretrained(folder)
    student.load(student.Student(), "cpu").tokenizer.save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    sys.exit(main())
