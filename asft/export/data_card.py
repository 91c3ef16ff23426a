"""The card of a training set: seeds, teacher, prompts, filters, budget, and what is not known of it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from asft import cards
from asft.export.data import written
from asft.export.trained import Row, Trained
from asft.report.wording import plural, whole

ORIGINS = {
    "written": "written by the teacher",
    "seed": "seeds that were asked about, with their reference answers",
    "replay": "replayed: from the pool, earlier rounds or another task",
}


def card(trained: Trained, files: Mapping[str, str], *, loads: str) -> str:
    """The card as Markdown. `files`: shape -> path; `loads`: the function of `datasets` that reads them."""
    settings = trained.settings
    rows = [row for row in trained.training_set() if row["completion"]]
    origins = Counter(row["origin"] for row in rows)
    counts = added([one["funnel"] for one in trained.summaries if "funnel" in one])
    first = next(iter(files))
    call = (
        f'load_from_disk("DIR/{first}")'
        if loads == "load_from_disk"
        else f'{loads}("DIR", "{first}", split="train")'
    )
    parts = [
        f"# {settings['name']}: what round {trained.number} was trained on",
        f"{plural(len(rows), 'example')} for the task `{settings['task']['use']}`, "
        f"{sum(map(written, rows)):,} of them written by `{cards.whom(settings['teacher'])}`, made with asft "
        f"{trained.about['versions']['asft']} in the run begun {trained.about['started'][:10]}.",
        "## Files",
        "\n".join(
            f"- `{path}`: " + ("`messages`" if shape == "chat" else "`prompt` and `completion`")
            for shape, path in files.items()
        ),
        "Each row also has `id`, `origin`, `round` (that wrote it), `parents` (ids of the seeds that it was "
        "written from) and `teacher`.",
        f"```python\nfrom datasets import {loads}\n\nrows = {call}\n```",
        cards.table(
            ("origin", "examples", "what they are"),
            [(f"`{origin}`", whole(n), ORIGINS.get(origin, "")) for origin, n in sorted(origins.items())],
        ),
        "## Licence and terms",
        cards.terms(settings),
        "The licence is what the recipe states of this data set. Seeds and test items are under the terms of "
        "where they come from.",
        "## Where it comes from",
        cards.table(
            ("", ""),
            [
                ("teacher", cards.options(settings["teacher"])),
                ("seeds", cards.options(settings["task"])),
                ("writer", cards.options(settings["writer"])),
                ("selector", cards.options(settings["selector"])),
                ("criterion", cards.options(settings["criterion"])),
                ("student that was measured", cards.options(settings["student"])),
                ("training set", cards.options(settings["data"])),
                ("seed of the random numbers", str(settings["seed"])),
            ],
        ),
        *cards.prompts(
            trained.manifest("write")["settings"].get("prompts", {}),
            f"the run's `round-{trained.number:02d}/write.manifest.json`",
        ),
        "## What was kept",
        f"Over rounds 1 to {trained.number}.",
        *cards.kept(settings, counts),
        "## What it cost",
        f"Budget: {cards.budget(settings['budget'])}.",
        asked(trained),
        "## Known limits",
        cards.data_limits(settings),
    ]
    hub = files if loads == "load_dataset" else {}
    return cards.page(cards.data_front(settings, len(rows), hub), parts)


def asked(trained: Trained) -> str:
    """Who was asked for what, and what it cost, up to this round; charged, as the budget counts."""
    lines: dict[tuple[str, str], list[Row]] = {}
    for summary in trained.summaries:
        for line in summary["ledger"]:
            if line["requests"]:
                lines.setdefault((line["role"], line["purpose"]), []).append(line)
    if not lines:
        return "Nothing was asked of an endpoint."
    rows = [cards.spent(f"{role}: {purpose}", found) for (role, purpose), found in sorted(lines.items())]
    rows.append(cards.spent("**all**", [line for found in lines.values() for line in found]))
    return cards.table(("asked of", "requests", "tokens in", "tokens out", "cost"), rows)


def added(funnels: list[Any]) -> dict[str, Any]:
    """Counts along the line, added up over rounds."""
    total: dict[str, Any] = {}
    for funnel in funnels:
        for key, value in funnel.items():
            if isinstance(value, Mapping):
                total[key] = added([total.get(key, {}), value])
            elif isinstance(value, int):
                total[key] = total.get(key, 0) + value
    return total
