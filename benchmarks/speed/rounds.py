"""P12: where the time of a run goes.

    python benchmarks/speed/rounds.py [--rounds 3] [--per-round 200] [--repeat 3]

The recipe of the quickstart with 200 examples a round: the pocket student, and the rules teacher inside this
process, which has no latency but computes. The seconds of each step are those of its manifest; bookkeeping is
what is left of the run: locks, digests, manifests, the journal's opening, summaries. Writing is taken apart:
what the teacher computes and what the filters do, measured around each call, and the rest, which is the
writer's, the engine's and the journal's. Everything is imported before the clock starts.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import tables

from asft import loop, recipe
from asft.progress import Progress
from asft.recipe import Recipe

STEPS = ("measure", "select", "write", "train", "evaluate")


@contextmanager
def timed(owner: type, name: str, spent: dict[str, float], part: str) -> Iterator[None]:
    """The seconds of a method's calls go into `spent`, too, while it lasts."""
    plain = getattr(owner, name)

    def call(*given: Any, **more: Any) -> Any:
        started = time.perf_counter()
        try:
            return plain(*given, **more)
        finally:
            spent[part] += time.perf_counter() - started

    async def later(*given: Any, **more: Any) -> Any:
        started = time.perf_counter()
        try:
            return await plain(*given, **more)
        finally:
            spent[part] += time.perf_counter() - started

    setattr(owner, name, later if name == "reply" else call)
    try:
        yield
    finally:
        setattr(owner, name, plain)


def one_run(made: Recipe, source: str) -> dict[str, Any]:
    """A whole run in a folder of its own: seconds of each part, and what its rounds came to."""
    spent = {"teacher": 0.0, "filters": 0.0}
    with ExitStack() as stack:
        stack.enter_context(timed(type(made.teacher), "reply", spent, "teacher"))
        for kind in {type(one) for one in made.filters}:
            stack.enter_context(timed(kind, "check", spent, "filters"))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="asft-speed-"))
        unread = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        started, cpu = time.perf_counter(), time.process_time()
        rounds = loop.run(
            made, Path(folder), source=source, command=["rounds.py"], redo=None, progress=Progress(unread)
        )
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    of_step = {step: sum(one["seconds"].get(step, 0.0) for one in rounds) for step in STEPS}
    return {
        "rounds": len(rounds) - 1,
        "written": sum(one["funnel"]["kept"] for one in rounds[1:]),
        "right": rounds[-1]["evaluate"]["accuracy"],
        "wall": wall,
        "cpu": cpu,
        **of_step,
        "bookkeeping": wall - sum(of_step.values()),
        "teacher": spent["teacher"],
        "filters": spent["filters"],
        "writer, engine, journal": of_step["write"] - sum(spent.values()),
    }


def share(name: str) -> Callable[[list[dict[str, Any]]], str]:
    """A column that shows a part in percent of the wall time."""
    return lambda rows: tables.shown([100 * row[name] / row["wall"] for row in rows], 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-round", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--name", default="p12")
    settings = parser.parse_args()
    path = tables.ROOT / "recipes" / "quickstart.yaml"
    overrides = [f"rounds={settings.rounds}", f"per_round={settings.per_round}"]
    made = recipe.load(path, overrides)
    with tempfile.TemporaryDirectory(prefix="asft-speed-") as folder:
        small = ["rounds=1", "per_round=4", "task.seeds=16", "task.tests=8", "train.max_steps=1"]
        few = recipe.load(path, small)
        loop.run(few, Path(folder), source="", command=[], redo=None, progress=Progress())
    rows = []
    for repetition in range(settings.repeat):
        rows.append({"repetition": repetition, **one_run(made, path.read_text("utf-8"))})
        print(rows[-1], flush=True)
    parts = [*STEPS, "bookkeeping", "teacher", "filters", "writer, engine, journal"]
    lines = [["part", "seconds", "% of the run"], ["---"] * 3]
    lines += [["whole run", tables.figure("wall", 1)(rows), "100"]]
    lines += [
        [
            part if part in (*STEPS, "bookkeeping") else f"of write: {part}",
            tables.figure(part, 2)(rows),
            share(part)(rows),
        ]
        for part in parts
    ]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    made_of = (
        f"{rows[0]['rounds']} rounds, {rows[0]['written']} examples accepted; {len(rows)} repetitions, "
        f"load of the machine at the end {os.getloadavg()[0]:.1f}.\n\n{text}\n"
    )
    print(f"\n{made_of}")
    tables.keep(settings.name, rows, made_of)


if __name__ == "__main__":
    main()
