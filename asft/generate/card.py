"""The data card: where the data comes from, what it cost, what fell out and why, and its terms."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from asft.recipe import Recipe
from asft.report.wording import dollars, plural, visible, whole

if TYPE_CHECKING:
    from asft.generate import Generated
    from asft.journal import Sum

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The names that the hub has for sizes."""
NOT_STATED = "not stated in the recipe"


def card(
    recipe: Recipe,
    *,
    about: Mapping[str, Any],
    made: "Generated",
    prompts: Mapping[str, str],
    files: Sequence[Path],
    measured: bool,
) -> str:
    """The card as Markdown, with the front matter that the hub reads. `about` is run.json."""
    settings = recipe.settings
    teacher = settings["teacher"]
    counts = made.funnel
    parts = [
        _front(recipe, made.examples, files),
        f"# {recipe.name}",
        f"{plural(made.examples, 'example')}, written by `{_whom(teacher)}` from {whole(made.seeds)} of "
        f"{whole(counts['seeds'])} seeds of the task `{settings['task']['use']}`, with asft "
        f"{about['versions']['asft']}, begun {about['started'][:10]}. The data is synthetic: no person wrote "
        "or checked it.",
        "## Files",
        "\n".join(
            f"- `{file.parent.name}/{file.name}`: "
            + ("`messages`" if file.parent.name == "chat" else "`prompt` and `completion`")
            for file in files
        ),
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("DIR", "{files[0].parent.name}", split="train")\n```',
        "## Licence and terms",
        _table(
            ("", ""),
            [
                ("licence of the data", _code(settings.get("licence")) or NOT_STATED),
                ("terms of the teacher", _code(teacher.get("terms")) or NOT_STATED),
            ],
        ),
        "## Where it comes from",
        _table(
            ("", ""),
            [
                ("teacher", _options(teacher)),
                ("seeds", _options(settings["task"])),
                ("writer", _options(settings["writer"])),
                *_selection(settings, measured),
                ("seed of the random numbers", str(settings["seed"])),
            ],
        ),
        "Prompts, by the SHA-256 of their text; the texts are in `round-01/write.manifest.json`:",
        _table(
            ("prompt", "sha256"),
            [
                (f"`{name}`", f"`{hashlib.sha256(text.encode()).hexdigest()}`")
                for name, text in prompts.items()
            ],
        )
        if prompts
        else "none that asft knows of.",
        "## What was kept",
        _table(
            ("", "drafts"),
            [
                ("asked for", whole(counts["drafts"])),
                ("written", whole(counts["written"])),
                ("**kept**", f"**{whole(counts['kept'])}**"),
            ],
        ),
        _table(("filter", "options", "not kept", "why"), list(_filters(settings["filters"], counts)))
        if settings["filters"]
        else "No filters.",
        *(
            [
                "Drafts that came to nothing:",
                _table(("drafts", "why"), [(whole(n), _code(why)) for why, n in counts["no_draft"].items()]),
            ]
            if counts["no_draft"]
            else []
        ),
        "## What it cost",
        f"Budget: {_budget(settings['budget'])}."
        + (" It was used up before all examples were written." if made.budget_gone else ""),
        _table(
            ("", "requests", "tokens in", "tokens out", "cost"),
            [_spent("charged to this data set", made.charged), _spent("really paid", made.paid)],
        ),
        *(
            ["The rest was read from a journal that runs share, where another had asked it before."]
            if made.charged != made.paid
            else []
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _front(recipe: Recipe, examples: int, files: Sequence[Path]) -> str:
    licence = recipe.settings.get("licence")
    front: dict[str, Any] = {
        **({"license": licence} if licence else {}),
        "pretty_name": recipe.name,
        "tags": ["synthetic", "asft"],
        "size_categories": [next((name for most, name in SIZES if examples < most), "n>1M")],
        "configs": [
            {
                "config_name": file.parent.name,
                "data_files": [{"split": "train", "path": f"{file.parent.name}/{file.name}"}],
            }
            for file in files
        ],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---"


def _whom(teacher: Mapping[str, Any]) -> str:
    return str(teacher.get("model") or teacher["use"])


def _selection(settings: Mapping[str, Any], measured: bool) -> Iterator[tuple[str, str]]:
    yield "selector", _options(settings["selector"])
    if measured:
        yield "criterion", _options(settings["criterion"])
        yield "student that was measured", _options(settings["student"])
    else:
        yield "criterion", "none: the order does not depend on a student"


def _filters(
    filters: Sequence[Mapping[str, Any]], counts: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    names = Counter(options["use"] for options in filters)
    for place, options in enumerate(filters):
        name = options["use"]
        label = f"{name} (filters.{place})" if names[name] > 1 else name
        reasons = [*counts["dropped"].get(label, {}).items()]
        reasons += [(f"undecided, {why}", n) for why, n in counts["undecided"].get(label, {}).items()]
        why = "; ".join(f"{_plain(reason)} ({n})" for reason, n in reasons)
        yield f"`{name}`", _fields(options), whole(sum(n for _, n in reasons)), why


def _options(section: Mapping[str, Any]) -> str:
    """A section of the recipe on one line."""
    named = [f"`{section['use']}`"] if "use" in section else []
    return "; ".join(filter(None, [*named, _fields(section)]))


def _fields(section: Mapping[str, Any]) -> str:
    """Its keys that hold something."""
    held = {key: value for key, value in section.items() if key != "use" and value not in (None, "", {}, [])}
    return ", ".join(f"{key} {_told(value)}" for key, value in held.items())


def _told(value: Any) -> str:
    return f"`{_plain(value if isinstance(value, str) else json.dumps(value))}`"


def _budget(budget: Mapping[str, Any]) -> str:
    limits = {name: value for name, value in budget.items() if value is not None and name != "timeout_share"}
    return ", ".join(f"{value:,} {name}" for name, value in limits.items()) or "no limit"


def _spent(name: str, sums: "Sequence[Sum]") -> tuple[str, ...]:
    cost = None if any(row.cost_usd is None for row in sums) else sum(row.cost_usd or 0.0 for row in sums)
    return (
        name,
        whole(sum(row.requests for row in sums)),
        whole(sum(row.input_tokens for row in sums)),
        whole(sum(row.output_tokens for row in sums)),
        dollars(cost),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: object) -> str:
    return _plain(str(text)) if text else ""


def _plain(text: str) -> str:
    """On one line of a table, whatever it holds."""
    return visible(" ".join(str(text).split())).replace("|", "\\|").replace("`", "'")
