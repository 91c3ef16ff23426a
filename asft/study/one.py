"""One run of a study, as a process of its own:  python -m asft.study.one JOB.json

It is a run like any other, but that its finished steps are shared with the study's other runs; its result is
put down when it is done.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from asft import loop, recipe, report
from asft.errors import AsftError
from asft.progress import Progress
from asft.study import results
from asft.study.measures import of_rounds


def main(path: Path) -> int:
    """Do the run that a job names; returns the exit code. An AsftError is the log's last line."""
    job = json.loads(path.read_text("utf-8"))
    try:
        do(job)
    except AsftError as error:
        print(f"asft: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def do(job: dict[str, Any]) -> None:
    """Run it, or go on with it, and put its result down."""
    out, result = Path(job["out"]), Path(job["result"])
    made = recipe.read(job["recipe"])
    progress = Progress()
    loop.run(
        made,
        out,
        source=yaml.safe_dump(job["recipe"], sort_keys=False, allow_unicode=True),
        command=["python", "-m", "asft.study.one", job["arm"], str(job["seed"])],
        redo=None,
        progress=progress,
        journal=Path(job["journal"]),
        shared=Path(job["shared"]),
    )
    report.write(out)
    extra = of_rounds(made, out, progress, fidelity=job["fidelity"])
    results.write(result, results.gathered(out, job["arm"], job["seed"], made.settings, extra))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
