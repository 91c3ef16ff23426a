"""P13: the filter `rouge_l` beside the loop over the rouge-score package that self-instruct programs run.

    python -m venv .venv-peers/rouge-score && .venv-peers/rouge-score/bin/pip install rouge-score==0.1.2
    python benchmarks/speed/similarity.py [--gsm8k DIR] [--threshold 0.95] [--sample 20] [--repeat 3] ...

A pool of 10 000 questions and 1000 candidates, each kept where it is like no question of the pool and none
that was kept before it. The questions are generated pocket problems; half of the candidates are further
ones, half are questions of the pool with up to half of their words exchanged, so that many lie near the
threshold. With --gsm8k they come from train.jsonl and test.jsonl in DIR: the pool is filled up with
questions whose words were exchanged, and all candidates are made so.

The loop takes seconds for a candidate, so it runs on a sample of them, another in each repetition, and asft
too, for the decisions; the rate of asft is that of all candidates. As shipped: `RougeScorer.score` with every
known question (Self-Instruct). Tuned: every text is cut into words once (LLM2LLM, Lion), and the loop ends at
the first question that is too much alike. Both use one core here. Seconds are those of the processor, which
other work on the machine disturbs less; the clock's are in the CSV.

--verify N lets the tuned loop decide on the first N candidates, in parts on all cores. A part starts with
what asft kept before it, which is the loop's own list as long as no decision differs. The loop's F1 is
rounded to 9 digits: as it computes it, 42 / 60 is 0.6999999999999998. Ends with 1 where a decision differs.
"""

import argparse
import concurrent.futures
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
POOL, CANDIDATES, PART = 10_000, 1000, 10
LOOPS = {"rouge-score, as shipped": False, "rouge-score, tuned": True}


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What came of it, seconds of the processor and of the clock."""
    clock, processor = time.perf_counter(), time.process_time()
    made = work()
    return made, time.process_time() - processor, time.perf_counter() - clock


# In the peer's environment: nothing but rouge-score and the standard library.


def loop(known: Sequence[str], candidates: Sequence[str], threshold: float, tuned: bool) -> list[bool]:
    """Whether each candidate is kept; what is kept is known to the next."""
    from rouge_score import rouge_scorer, tokenize

    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    kept: list[bool] = []
    if not tuned:
        texts = list(known)
        for one in candidates:
            most = max(scorer.score(one, other)["rougeL"].fmeasure for other in texts)
            kept.append(round(most, 9) < threshold)
            texts += [one] if kept[-1] else []
        return kept
    words = [tokenize.tokenize(text, None) for text in known]
    for one in candidates:
        mine = tokenize.tokenize(one, None)
        scores = (rouge_scorer._score_lcs(mine, other).fmeasure for other in words)
        kept.append(all(round(score, 9) < threshold for score in scores))
        words += [mine] if kept[-1] else []
    return kept


def serve() -> None:
    """Do what standard input says; importing is not measured."""
    import rouge_score.rouge_scorer  # noqa: F401

    asked = json.load(sys.stdin)
    kept, processor, clock = timed(lambda: loop(**asked))
    done = {"kept": kept, "processor_s": processor, "clock_s": clock, "version": version("rouge-score")}
    json.dump(done, sys.stdout)


# In this environment.


def peer(python: str, **asked: Any) -> dict[str, Any]:
    """The loop in the peer's environment."""
    done = subprocess.run(
        [python, __file__, "--serve"], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stderr[-2000:]}\nis rouge-score installed there? See --help")
    return dict(json.loads(done.stdout))


def by_asft(pool: Sequence[str], candidates: Sequence[str], threshold: float) -> dict[str, Any]:
    """The same decisions by the filter, as a round makes them."""
    from asft import registry
    from asft.types import Context, Draft, Example

    def example(prompt: str) -> Example:
        return Example.make(task="benchmark", prompt=prompt, answer="0")

    used = registry.make("filter", "rouge_l", {"threshold": threshold})
    task = registry.make("task", "pocket")
    seeds, drafts = tuple(map(example, pool)), list(map(example, candidates))
    context = Context(task=task, seeds=seeds, accepted=(), test=(), round=1, seed=0)
    nothing = Draft(number=0, example=example("word"))
    _, index_s, _ = timed(lambda: used.check(nothing, context, []))
    accepted: list[Example] = []

    def decide() -> list[bool]:
        kept = []
        for number, one in enumerate(drafts):
            kept.append(used.check(Draft(number=number, example=one), context, accepted).decision == "keep")
            accepted.extend([one] if kept[-1] else [])
        return kept

    kept, processor, clock = timed(decide)
    return {"kept": kept, "processor_s": processor, "clock_s": clock, "index_s": index_s}


def questions(gsm8k: Path | None) -> tuple[list[str], list[str]]:
    """The pool and the candidates."""
    from asft import registry

    rng = random.Random(0)
    if gsm8k is None:
        fresh = CANDIDATES // 2
        seeds = registry.make("task", "pocket", {"seeds": POOL + fresh}).load("seed")
        given = [seed.prompt for seed in seeds]
        pool, candidates = given[:POOL], given[POOL:]
    else:
        task = registry.make("task", "gsm8k", {"source": str(gsm8k)})
        pool = [item.prompt for split in ("seed", "test") for item in task.load(split)][:POOL]
        candidates = []
    words = [word for text in pool for word in text.split()]

    def exchanged(text: str) -> str:
        share = rng.uniform(0, 0.5)
        return " ".join(rng.choice(words) if rng.random() < share else word for word in text.split())

    pool += [exchanged(rng.choice(pool)) for _ in range(POOL - len(pool))]
    candidates += [exchanged(rng.choice(pool)) for _ in range(CANDIDATES - len(candidates))]
    rng.shuffle(candidates)
    return pool, candidates


def verified(
    python: str, pool: list[str], candidates: list[str], kept: Sequence[bool], threshold: float
) -> int:
    """How many decisions the tuned loop makes otherwise."""

    def differ(start: int) -> int:
        before = [text for text, keep in zip(candidates[:start], kept, strict=False) if keep]
        part = candidates[start : start + PART]
        done = peer(python, known=pool + before, candidates=part, threshold=threshold, tuned=True)
        return sum(a != b for a, b in zip(done["kept"], kept[start : start + PART], strict=True))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        return sum(workers.map(differ, range(0, len(candidates), PART)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gsm8k", type=Path, metavar="DIR")
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--sample", type=int, default=20, help="candidates of a repetition of the loop")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--verify", type=int, default=0, metavar="N")
    parser.add_argument("--python", help="an interpreter with rouge-score; by default that of .venv-peers")
    parser.add_argument("--name", default="p13", help="of the results")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.serve:
        return serve()
    import tables

    from asft import __version__

    own = ROOT / ".venv-peers" / "rouge-score" / "bin" / "python"
    python = settings.python or (str(own) if own.exists() else sys.executable)
    pool, candidates = questions(settings.gsm8k)
    samples = random.Random(1).sample(candidates, settings.sample * settings.repeat)
    rows: list[dict[str, Any]] = []
    for repetition in range(settings.repeat):
        sample = samples[repetition * settings.sample : (repetition + 1) * settings.sample]
        whole = by_asft(pool, candidates, settings.threshold)
        right = by_asft(pool, sample, settings.threshold)["kept"]
        runs = {"asft": (whole, candidates, whole["kept"])}
        for tool, tuned in LOOPS.items():
            done = peer(python, known=pool, candidates=sample, threshold=settings.threshold, tuned=tuned)
            runs[tool] = (done, sample, right)
        for tool, (done, asked, expected) in runs.items():
            rows.append(
                {
                    "tool": tool,
                    "repetition": repetition,
                    "candidates": len(asked),
                    "kept": sum(done["kept"]),
                    "differ": sum(a != b for a, b in zip(done["kept"], expected, strict=True)),
                    "processor_s": done["processor_s"],
                    "clock_s": done["clock_s"],
                    "rate": len(asked) / done["processor_s"],
                    "slower": done["processor_s"] / len(asked) / (whole["processor_s"] / len(candidates)),
                    "index_s": done.get("index_s"),
                    "version": done.get("version", __version__),
                }
            )
            print(rows[-1], flush=True)
    made = tables.table(
        rows,
        ["tool", "version"],
        {
            "candidates": lambda group: str(sum(row["candidates"] for row in group)),
            "candidates/s": tables.figure("rate"),
            "times as slow as asft": tables.figure("slower", 0),
            "index, s": lambda group: tables.figure("index_s")(group) if group[0]["index_s"] else "",
            "decisions that differ": lambda group: str(sum(row["differ"] for row in group)),
        },
    )
    differ = sum(row["differ"] for row in rows)
    if settings.verify:
        first = candidates[: settings.verify]
        wrong = verified(python, pool, first, whole["kept"][: settings.verify], settings.threshold)
        differ += wrong
        made += f"\nOf the first {len(first)} candidates the tuned loop decides {wrong} otherwise.\n"
    tables.keep(settings.name, rows, made)
    print(made)
    if differ:
        raise SystemExit(f"{differ} decisions differ")


if __name__ == "__main__":
    main()
