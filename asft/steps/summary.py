"""What a round was, in figures, from its files and the ledger."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asft import evaluate as evaluation
from asft.errors import RunError
from asft.rundir import STEPS, read_json, read_jsonl, write_json
from asft.steps.line import VALIDATED, Line


def summarise(line: Line, number: int) -> dict[str, Any]:
    """What the round was, in figures; made again whenever the run goes on, from the other files."""
    path = line.dir.file(number, "summary.json")
    ledger = [dataclasses.asdict(row) for row in line.journal.sums() if row.round == number]
    # Where the journal was lost, what its calls cost is known from before, and is not nothing.
    if not _asked(ledger):
        known = _known(path)
        ledger = known if _asked(known) else ledger
    figures: dict[str, Any] = {
        "round": number,
        "evaluate": {
            **evaluation.summarise(
                read_jsonl(line.dir.file(number, "evaluate.jsonl")), line.recipe.evaluate.least_group
            ),
            "asked": read_json(line.dir.file(number, "evaluate.json")),
        },
        "ledger": ledger,
        "seconds": {step: line.dir.seconds(number, step) for step in STEPS if line.dir.done(number, step)},
    }
    if number > 0:
        counts = funnel(line, number)
        figures["funnel"] = counts
        figures["short"] = counts["kept"] < line.recipe.per_round
        figures["train"] = read_json(line.dir.file(number, "train.json"))
    if validation := _validation(line, number, figures.get("train")):
        figures["validation"] = validation
    write_json(path, figures)
    return figures


def _validation(line: Line, number: int, trained: Mapping[str, Any] | None) -> dict[str, Any]:
    """How the round's student does on what is held out of the pool: accuracy, where the recipe goes by that,
    and loss, where it was trained; in nats per token, None where it was not evaluated as it was kept.
    """
    found: dict[str, Any] = {}
    if line.recipe.validates:
        answered = evaluation.summarise(read_jsonl(line.dir.file(number, VALIDATED)))
        found = {key: answered[key] for key in ("items", "right", "accuracy", "low", "high")}
    if told := (trained or {}).get("validation"):
        found["loss"] = dict(told["losses"]).get(told["kept_step"])
    return found


def _asked(ledger: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it has a call of a teacher or judge; the student's own lines are put down anew."""
    return any(row["role"] != "student" for row in ledger)


def _known(path: Path) -> Any:
    """The ledger in a summary that was made before; none where there is no such summary, or a damaged one."""
    with contextlib.suppress(RunError, KeyError):
        return read_json(path)["ledger"]
    return []


def budget_gone(line: Line, number: int) -> bool:
    """Whether the budget allows no further round; one that was changed since is tried again."""
    limit = line.recipe.budget.examples
    if limit is not None and len(line.accepted_before(number + 1)) >= limit:
        return True
    written = read_json(line.dir.file(number, "write.json"))
    return bool(written["ending"] == "budget" and written.get("budget") == line.recipe.settings["budget"])


def funnel(line: Line, number: int) -> dict[str, Any]:
    """Counts along the line of a round, with the reasons for what fell out."""
    drafts = read_jsonl(line.dir.file(number, "write.jsonl"))
    verdicts = read_jsonl(line.dir.file(number, "filter.jsonl"))
    scores = read_jsonl(line.dir.file(number, "score.jsonl"))
    written = read_json(line.dir.file(number, "write.json"))
    names = Counter(one["filter"] for one in written.get("filters", []))
    return {
        "seeds": len(scores),
        "scored": sum(row["score"] is not None for row in scores),
        "picked": len(read_jsonl(line.dir.file(number, "select.jsonl"))),
        "drafts": len(drafts),
        "written": sum(row["example"] is not None for row in drafts),
        "kept": sum(verdict["decision"] == "keep" for verdict in verdicts),
        "dropped": _reasons(verdicts, "drop", names),
        "undecided": _reasons(verdicts, "undecided", names),
        "filters": written.get("filters", []),
        "no_draft": dict(
            Counter(phrase(row["reason"]) for row in drafts if row["example"] is None).most_common()
        ),
    }


def _reasons(
    verdicts: Sequence[Mapping[str, Any]], decision: str, names: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Filter -> reason -> drafts that it so decided on, the commonest first.

    `names`: how many filters of each name there are; of two, each is named with its place in the recipe.
    """
    found: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        if verdict["decision"] == decision:
            name = verdict["filter"]
            label = f"{name} (filters.{verdict['place']})" if names.get(name, 0) > 1 else name
            found.setdefault(label, Counter())[phrase(verdict["reason"])] += 1
    return {name: dict(reasons.most_common()) for name, reasons in sorted(found.items())}


def phrase(reason: str) -> str:
    """What a reason is counted under: its detail stands behind a colon."""
    return reason.partition(":")[0]


def nothing_accepted(line: Line, number: int) -> str:
    """Why a round has nothing to train on: its funnel, and the commonest reason."""
    figures = funnel(line, number)
    reasons = Counter(figures["no_draft"])
    for decision in ("dropped", "undecided"):
        for by_reason in figures[decision].values():
            reasons.update(by_reason)
    common = reasons.most_common(1)
    why = f"; the commonest reason: {common[0][0]} ({common[0][1]})" if common else ""
    if read_json(line.dir.file(number, "write.json"))["ending"] == "budget":
        why += "; the budget allows no further draft"
    return (
        f"round {number} accepted nothing: {figures['picked']} picked, {figures['drafts']} drafts, "
        f"{figures['written']} written, 0 kept{why}. Look at "
        f"{line.dir.file(number, 'filter.jsonl')} and at the recipe's filters and prompts"
    )
