"""A run directory as a finished run of three rounds leaves it, made from a fixed chance."""

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

POOL, TEST, PER_ROUND = 240, 300, 60
FAMILIES = ("change", "distance", "percent", "ratio", "shopping", "sum")
MASTERED = {"sum", "change"}
GAIN = 0.13
"""What a round adds to the chance of a right answer, where it is not mastered."""
TOKENS = {"question": (412, 65), "answer": (188, 142)}
PRICE = (0.25e-6, 2e-6)
"""Dollars per token of input and output."""

Json = Mapping[str, Any]
Build = Callable[..., Path]


# One string with everything that could become markup, end an attribute or a table cell, or mislead the eye.
NASTY = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> </style></svg> {{ 7*7 }} & &lt; "
    "| cell `code` ``` **b** [l](javascript:x) ![i](http://x.test/i.png) @you #1 $x$ ~s~ \\ "
    "http://evil.test \u202egnp.exe\u2066 \u200b \x00 \x1b[31m \ud800 \u2028 ünï 漢字 עברית 👩\u200d🔬"
)


@pytest.fixture(scope="session")
def build() -> Build:
    """build(path, rounds=3, price=PRICE) -> path; price=None makes the costs unknown."""
    return build_run


@pytest.fixture(scope="session")
def run(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests that change it copy it."""
    return build(tmp_path_factory.mktemp("runs") / "quickstart")


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


@pytest.fixture
def nasty(copy: Path) -> Path:
    """The run with `NASTY` wherever text comes from a model, a data set, a recipe or a plug-in."""
    for folder in sorted(copy.glob("round-0[1-3]")):
        change_rows(
            folder / "select.jsonl", lambda row: row.update(prompt=NASTY, answer=NASTY, example_id=NASTY)
        )
        change_rows(
            folder / "measure.jsonl",
            lambda row: row.update(example_id=NASTY, own={"text": NASTY, "finish": NASTY, "grade": 0.0}),
        )
        change_rows(
            folder / "write.jsonl",
            lambda row: row.update(
                reason=NASTY,
                example=row["example"] and {"prompt": NASTY, "completion": NASTY, "answer": NASTY},
            ),
        )
        change_rows(folder / "filter.jsonl", lambda row: row.update(filter=NASTY, reason=NASTY))
    for path in copy.glob("round-*/evaluate.jsonl"):
        change_rows(path, lambda row: row.update(tags={NASTY: f"{NASTY}{row['tags']['steps']}"}))
    for path in copy.glob("round-*/summary.json"):
        change(path, spoil)
    change(
        copy / "run.json",
        lambda value: value.update(dict.fromkeys(value, NASTY) | {"versions": {NASTY: NASTY}}),
    )
    (copy / "recipe.lock.json").write_text(json.dumps({NASTY: {NASTY: NASTY}}), "utf-8")
    return copy


def spoil(summary: dict[str, Any]) -> None:
    for row in summary["ledger"]:
        row.update(step=NASTY, role=NASTY, purpose=NASTY)
    summary["seconds"] = {NASTY: 1.0}
    if "funnel" in summary:
        summary["funnel"].update(
            dropped={NASTY: {NASTY: 3}},
            undecided={NASTY: {NASTY: 2}},
            filters=[{"filter": NASTY, "place": 0, "seen": 5, "kept": NASTY, "dropped": 3, "undecided": 2}],
            no_draft={NASTY: 1},
        )


def change(path: Path, alter: Callable[[Any], object]) -> None:
    """Alter a JSON file in place."""
    value = json.loads(path.read_text("utf-8"))
    alter(value)
    path.write_text(json.dumps(value), "utf-8")


def change_rows(path: Path, alter: Callable[[Any], object]) -> None:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        alter(line)
    write_lines(path, lines)


def build_run(path: Path, *, rounds: int = 3, price: tuple[float, float] | None = PRICE) -> Path:
    rng = random.Random(11)
    pool = [question(rng, f"seed{n:04d}") for n in range(POOL)]
    test = [question(rng, f"test{n:04d}") for n in range(TEST)]
    luck = [rng.random() for _ in test]
    path.mkdir(parents=True)
    write_json(path / "run.json", about())
    write_json(path / "recipe.lock.json", settings(rounds))
    for number in range(rounds + 1):
        folder = path / f"round-{number:02d}"
        folder.mkdir()
        summary: dict[str, Any] = {"round": number, "short": number == 3, "ledger": [], "seconds": {}}
        if number:
            summary |= write_round(folder, number, pool, rng, price)
        rows = [evaluated(item, chance, number, rng) for item, chance in zip(test, luck, strict=True)]
        write_lines(folder / "evaluate.jsonl", rows)
        summary["evaluate"] = summarised(rows)
        summary["seconds"] |= {"evaluate": 9.4}
        write_json(folder / "summary.json", summary)
    return path


def question(rng: random.Random, name: str) -> dict[str, Any]:
    family = rng.choice(FAMILIES)
    a, b = rng.randrange(12, 90), rng.randrange(3, 12)
    texts = {
        "sum": (f"Ana has {a} shells and finds {b} more. How many shells has she now?", a + b),
        "change": (f"A ticket costs {b} euros. Leo pays with {a + 10}. How much is his change?", a + 10 - b),
        "distance": (f"A train travels {a} km in an hour. How far does it get in {b} hours?", a * b),
        "percent": (
            f"A coat costs {a * 10} euros and is reduced by {b * 5}%. What is it now?",
            a * (20 - b) // 2,
        ),
        "ratio": (
            f"Red and blue beads are {b} to {b + 1}. There are {b * a} red ones. How many blue?",
            (b + 1) * a,
        ),
        "shopping": (
            f"Mia buys {b} pens at {a} cents each and a ruler for 85. What does she pay?",
            a * b + 85,
        ),
    }
    prompt, answer = texts[family]
    tags = {"family": family, "steps": str(1 + FAMILIES.index(family) // 2), "split": "test"}
    return {"id": name, "prompt": prompt, "answer": str(answer), "tags": tags, "family": family}


def evaluated(item: Json, luck: float, number: int, rng: random.Random) -> dict[str, Any]:
    chance = 0.93 if item["family"] in MASTERED else 0.22 + GAIN * number
    right = luck + rng.gauss(0, 0.08) < chance
    lost = not right and rng.random() < 0.15
    answer = item["answer"] if right else str(int(item["answer"]) + rng.randrange(1, 9))
    return {
        "example_id": item["id"],
        "text": "Let me think about it" if lost else f"Step by step, this gives {answer}.\n#### {answer}",
        "finish": "length" if lost else "stop",
        "grade": None if lost else float(right),
        "tags": item["tags"],
    }


def summarised(rows: list[dict[str, Any]]) -> dict[str, Any]:
    cells: dict[str, dict[str, Counter[str]]] = {}
    for row in rows:
        for tag, value in row["tags"].items():
            cell = cells.setdefault(tag, {}).setdefault(value, Counter())
            cell.update(items=1, right=int(row["grade"] == 1.0))
    right = sum(row["grade"] == 1.0 for row in rows)
    return {
        "items": len(rows),
        "right": right,
        "accuracy": right / len(rows),
        "low": 0.0,
        "high": 1.0,
        "unparsable": sum(row["grade"] is None for row in rows),
        "cut_off": sum(row["finish"] == "length" for row in rows),
        "by_tag": cells,
    }


def write_round(
    folder: Path,
    number: int,
    pool: list[dict[str, Any]],
    rng: random.Random,
    price: tuple[float, float] | None,
) -> dict[str, Any]:
    """All files of a round but the evaluation; its summary so far."""
    hardness = {
        seed["id"]: rng.gauss(0.35 if seed["family"] in MASTERED else 1.5 - 0.3 * number, 0.22) ** 2
        for seed in pool
    }
    write_lines(folder / "measure.jsonl", (observed(seed, hardness[seed["id"]], rng) for seed in pool))
    order = sorted(pool, key=lambda seed: -hardness[seed["id"]])[: PER_ROUND * 2]
    scores = [None if place == 7 else hardness[seed["id"]] for place, seed in enumerate(order)]
    picks = [
        {
            "number": place,
            "example_id": seed["id"],
            "score": score,
            "draw": number - 1,
            "prompt": seed["prompt"],
            "answer": seed["answer"],
        }
        for place, (seed, score) in enumerate(zip(order, scores, strict=True))
    ]
    write_lines(folder / "select.jsonl", picks)
    unscored = order[7]["id"]
    write_lines(
        folder / "score.jsonl",
        (
            {"example_id": name, "score": None if name == unscored else score}
            for name, score in hardness.items()
        ),
    )

    drafts: list[dict[str, Any]] = []
    verdicts: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    no_draft: Counter[str] = Counter()
    dropped: dict[str, Counter[str]] = {}
    for pick in picks:
        if len(kept) == (PER_ROUND if number < 3 else 48):
            break
        example = question(rng, f"new{number}{pick['number']:03d}")
        example |= {"completion": f"First we read the numbers.\nThen we reckon.\n#### {example['answer']}"}
        chance = rng.random()
        place = pick["number"]
        if chance < 0.05:
            reason = "no final answer in the reply" if chance < 0.03 else "the reply was cut off"
            no_draft[reason] += 1
            drafts.append({"number": place, "example": None, "reason": reason})
            continue
        drafts.append({"number": place, "example": example | {"parents": [pick["example_id"]]}, "reason": ""})
        name, reason = next(
            (
                (name, reason)
                for limit, name, reason in (
                    (0.14, "agrees", "2 of 3 answers differ"),
                    (0.19, "duplicate", "equal to a seed"),
                    (0.21, "not_in_test", "half of its 8-grams are in one test item"),
                )
                if chance < limit
            ),
            ("", ""),
        )
        if name:
            dropped.setdefault(name, Counter())[reason] += 1
            verdicts.append({"number": place, "decision": "drop", "filter": name, "reason": reason})
        else:
            kept.append(example)
            verdicts.append({"number": place, "decision": "keep", "filter": "not_in_test", "reason": ""})
    write_lines(folder / "write.jsonl", drafts)
    write_lines(folder / "filter.jsonl", verdicts)
    rows = [
        {
            "round": number,
            "step": "write",
            "role": "teacher",
            "purpose": purpose,
            "requests": len(drafts),
            "input_tokens": len(drafts) * read,
            "output_tokens": len(drafts) * said,
            "cost_usd": len(drafts) * (read * price[0] + said * price[1]) if price else None,
            "seconds": 31.5,
        }
        for purpose, (read, said) in TOKENS.items()
    ]
    own = {"requests": POOL, "input_tokens": POOL * 48, "output_tokens": POOL * 61, "cost_usd": None}
    rows.append(
        {"round": number, "step": "measure", "role": "student", "purpose": "own", **own, "seconds": 12.0}
    )
    return {
        "funnel": {
            "seeds": POOL,
            "scored": POOL - 1,
            "picked": len(picks),
            "drafts": len(drafts),
            "written": len(drafts) - no_draft.total(),
            "kept": len(kept),
            "dropped": dropped,
            "no_draft": no_draft,
        },
        "train": {
            "examples": sum(PER_ROUND for _ in range(1, number)) + len(kept),
            "steps": 60 * number,
            "tokens": 9_400 * number,
            "truncated": 0,
            "seconds": 41.7 * number,
            "loss_first": 1.31,
            "loss_last": 0.42 / number,
        },
        "ledger": rows,
        "seconds": {"measure": 12.2, "select": 0.1, "write": 63.4, "train": 41.7 * number},
    }


def observed(seed: Json, hardness: float, rng: random.Random) -> dict[str, Any]:
    wrong = str(int(seed["answer"]) + rng.randrange(1, 20))
    return {
        "example_id": seed["id"],
        "gold": {"tokens": 40, "nll": hardness, "nll_sum": 40 * hardness, "entropy": 0.8 * hardness},
        "own": {
            "text": f"I add the numbers that I see, so it is {wrong}.\n#### {wrong}",
            "finish": "stop",
            "grade": 0.0,
            "stats": {"tokens": 21, "nll": 0.4, "nll_sum": 8.4, "entropy": 0.5},
        },
        "signals": {},
    }


def about() -> dict[str, Any]:
    return {
        "task": "pocket",
        "student": "pocket",
        "started": "2026-03-01T10:15:00+00:00",
        "seed": 7,
        "command": ["asft", "run", "recipes/quickstart.yaml", "--out", "runs/quickstart"],
        "versions": {"asft": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "transformers": "5.19.0"},
        "hardware": {"cpu": "2 cores", "memory": "8 GiB", "accelerator": None},
        "changes": [{"at": "2026-03-02T09:00:00+00:00", "extended": ["rounds was 2, now 3"], "other": []}],
    }


def settings(rounds: int) -> dict[str, Any]:
    return {
        "task": {"use": "pocket"},
        "student": {"model": "pocket"},
        "criterion": {"use": "loss", "of": "gold", "over": "mean"},
        "selector": {"use": "top"},
        "teacher": {"use": "rules"},
        "filters": ["well_formed", "duplicate", "not_in_test", "agrees"],
        "rounds": rounds,
        "per_round": PER_ROUND,
        "train": {"learning_rate": 0.002, "num_train_epochs": 2},
        "lora": {"r": 8, "lora_alpha": 16},
        "budget": {},
    }


def write_json(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=1), "utf-8")


def write_lines(path: Path, rows: Iterable[Json]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
