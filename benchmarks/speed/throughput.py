"""P1, P2 and P3: steady throughput, question then answer, faults."""

import argparse
from collections.abc import Sequence
from typing import Any

import harness
import tables
from harness import Setting

FAULTS = "refused=0.005,error_500=0.05,error_429=0.05,reset=0.01,silent=0.01,cut=0.02,broken=0.02"
LAWS = {"lognormal": "lognormal:0.5:0.6:20", "constant": "constant:0.2"}


def add(commands: Any) -> None:
    """The commands p1, p2 and p3."""
    for name, what, steps, faults in (
        ("p1", "steady throughput", 1, ""),
        ("p2", "question, then answer", 2, ""),
        ("p3", "faults", 1, FAULTS),
    ):
        parser = commands.add_parser(name, help=what)
        parser.add_argument("--n", type=int, default=4000)
        parser.add_argument(
            "--concurrency", type=int, nargs="+", default=[16, 64, 256] if name == "p1" else [64]
        )
        parser.add_argument(
            "--latency", nargs="+", choices=LAWS, default=list(LAWS)[: 2 if name == "p1" else 1]
        )
        parser.add_argument("--repeat", type=int, default=3)
        parser.add_argument("--timeout", type=float, default=25.0, help="seconds for one call")
        parser.add_argument(
            "--clients", nargs="+", choices=harness.CLIENTS, default=["asft", "bare openai"], metavar="NAME"
        )
        parser.add_argument("--limit", type=float, default=1800.0, help="seconds until a client is killed")
        parser.add_argument("--name", default=name, help="of the files in results/")
        parser.set_defaults(call=compare, protocol=name, steps=steps, faults=faults)


def compare(given: argparse.Namespace) -> None:
    """Run the clients in turns."""
    rows: list[dict[str, Any]] = []
    failures: list[str] = []
    for law in given.latency:
        for concurrency in given.concurrency:
            setting = Setting(
                n=given.n,
                concurrency=concurrency,
                latency=LAWS[law],
                faults=given.faults,
                steps=given.steps,
                timeout=given.timeout,
            )
            ideal = setting.ideal()
            for repetition in range(given.repeat):
                for client in given.clients:
                    row = {"latency": law, "C": concurrency, "client": client, "repetition": repetition}
                    try:
                        run = harness.run(client, setting, limit=given.limit)
                    except harness.ClientFailedError as error:
                        print(error.log[-3000:], error, sep="\n", flush=True)
                        failures.append(f"{law}, C = {concurrency}, repetition {repetition}: {error}")
                        continue
                    row |= figures(setting, ideal, run)
                    print(row, flush=True)
                    rows.append(row)
    made = tables.table(rows, ["latency", "C", "client"], columns(given.protocol))
    made += "".join(f"\n- {line}" for line in [*ratios(rows), *failures]) + "\n"
    print("\n" + made)
    tables.keep(given.name, rows, made)


def figures(setting: Setting, ideal: float, run: dict[str, Any]) -> dict[str, Any]:
    """Of one run."""
    counts = run["counts"]
    # A call that went wrong by itself has to be made again; all others beyond one for each prompt are waste.
    injected = sum(counts["by_fault"].values()) - counts["by_fault"].get("refused", 0)
    return {
        "n": setting.n,
        "wall": run["wall"],
        "ideal": ideal,
        "efficiency": ideal / run["wall"],
        "cpu_per_1000": 1000 * run["cpu"] / (setting.n * setting.steps),
        "peak_mb": run["peak_mb"],
        "right": run["right"],
        "wrong": run["wrong"],
        "lost": run["lost"],
        "refused": run["refused"],
        "calls": counts["calls"],
        "wasted": (counts["calls"] - injected - counts["prompts"]) / counts["prompts"],
    }


def columns(protocol: str) -> dict[str, Any]:
    """Of the table."""
    made = {
        "wall, s": tables.figure("wall", 1),
        "ideal / wall": tables.figure("efficiency", 3),
        "client CPU-s per 1000 requests": tables.figure("cpu_per_1000"),
        "peak MB": tables.figure("peak_mb", 0),
        "rows lost": tables.figure("lost", 0),
        "rows wrong": tables.figure("wrong", 0),
    }
    if protocol == "p3":
        made["refused, and told"] = tables.figure("refused", 0)
        made["calls"] = tables.figure("calls", 0)
        made["wasted calls"] = tables.figure("wasted", 4)
    return made


def ratios(rows: Sequence[dict[str, Any]]) -> list[str]:
    """asft against the bare client, repetition by repetition."""
    lines = []
    for law, concurrency in dict.fromkeys((row["latency"], row["C"]) for row in rows):
        sides = [
            [row for row in rows if (row["latency"], row["C"], row["client"]) == (law, concurrency, name)]
            for name in ("asft", "bare openai")
        ]
        pairs = list(zip(*sides, strict=False))
        if not pairs:
            continue
        speed = tables.shown([bare["wall"] / ours["wall"] for ours, bare in pairs], 3)
        more = tables.shown([ours["cpu_per_1000"] - bare["cpu_per_1000"] for ours, bare in pairs])
        lines.append(
            f"{law}, C = {concurrency}: asft runs at {speed} of the speed of the bare client, and uses "
            f"{more} ms more CPU a request."
        )
    return lines
