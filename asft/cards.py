"""What data cards and model cards share: front matter, tables, and the settings of a recipe in words."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from asft.report.wording import dollars, visible, whole

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The names that the hub has for sizes."""
NOT_STATED = "not stated in the recipe"
Row = Mapping[str, Any]


def page(front: Row, parts: Sequence[str]) -> str:
    """A card as Markdown, with the front matter that the hub reads."""
    return "\n\n".join([f"---\n{yaml.safe_dump(dict(front), sort_keys=False)}---", *parts]) + "\n"


def data_front(settings: Row, examples: int, files: Mapping[str, str]) -> dict[str, Any]:
    """The front matter of a data card. `files`: configuration -> path from the card."""
    licence = settings.get("licence")
    return {
        **({"license": licence} if licence else {}),
        "pretty_name": settings["name"],
        "tags": ["synthetic", "asft"],
        "size_categories": [next((name for most, name in SIZES if examples < most), "n>1M")],
        **(
            {
                "configs": [
                    {"config_name": name, "data_files": [{"split": "train", "path": path}]}
                    for name, path in files.items()
                ]
            }
            if files
            else {}
        ),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def terms(settings: Row) -> str:
    """Licence of the data, and terms of the teacher, as the recipe states them."""
    return table(
        ("", ""),
        [
            ("licence of the data", plain(str(settings.get("licence") or NOT_STATED))),
            ("terms of the teacher", plain(str(settings["teacher"].get("terms") or NOT_STATED))),
        ],
    )


def prompts(texts: Mapping[str, str], where: str) -> list[str]:
    """The prompts by their SHA-256; `where` their texts are."""
    if not texts:
        return ["Prompts: none that asft knows of."]
    return [
        f"Prompts, by the SHA-256 of their text; the texts are in {where}:",
        table(
            ("prompt", "sha256"),
            [(f"`{name}`", f"`{hashlib.sha256(text.encode()).hexdigest()}`") for name, text in texts.items()],
        ),
    ]


METHODS = {
    None: "LoRA",
    "nf4": "QLoRA: LoRA on the base in NF4, with double quantisation",
    "int8": "LoRA on the base in int8",
}
"""By what the base's weights were rounded to."""


def method(settings: Row) -> str:
    """How a student was trained."""
    if settings.get("lora") is False:
        return "full finetuning: every weight was trained"
    merged = settings["data"].get("start_from") == "merged"
    on_top = ", each round on top of the rounds before, which are merged" if merged else ""
    return METHODS[settings["student"].get("quantise")] + on_top


def kept(settings: Row, counts: Row) -> list[str]:
    """What was kept of the drafts, and why the rest was not. `counts`: the funnel."""
    return [
        table(
            ("", "drafts"),
            [
                ("asked for", whole(counts["drafts"])),
                ("written", whole(counts["written"])),
                ("**kept**", f"**{whole(counts['kept'])}**"),
            ],
        ),
        table(("filter", "options", "not kept", "why"), list(_filters(settings["filters"], counts)))
        if settings["filters"]
        else "No filters.",
        *(
            [
                "Drafts that came to nothing:",
                table(("drafts", "why"), [(whole(n), plain(why)) for why, n in counts["no_draft"].items()]),
            ]
            if counts["no_draft"]
            else []
        ),
    ]


def _filters(filters: Sequence[Row], counts: Row) -> Iterator[tuple[str, str, str, str]]:
    names = Counter(options["use"] for options in filters)
    for place, section in enumerate(filters):
        name = section["use"]
        label = f"{name} (filters.{place})" if names[name] > 1 else name
        reasons = [*counts["dropped"].get(label, {}).items()]
        reasons += [(f"undecided, {why}", n) for why, n in counts["undecided"].get(label, {}).items()]
        why = "; ".join(f"{plain(reason)} ({n})" for reason, n in reasons)
        yield f"`{name}`", fields(section), whole(sum(n for _, n in reasons)), why


def data_limits(settings: Row) -> str:
    """What is not known of data that a teacher wrote."""
    checked = any(one["use"] == "not_in_test" for one in settings["filters"])
    return "\n".join(
        f"- {limit}"
        for limit in (
            "No person wrote or checked the data. A worked answer can be wrong where no filter notices it.",
            "It comes of seeds that the selector chose and the teacher varied: it is no sample of what "
            "people ask, and shares the gaps and leanings of both.",
            "Questions that are like an item of the test split were dropped (`not_in_test`); likeness is "
            "that of words, so a test item in other words would stay."
            if checked
            else "The data was not checked against a test split (no `not_in_test` among the filters).",
        )
    )


def budget(limits: Row) -> str:
    """The limits that a budget sets."""
    held = {name: value for name, value in limits.items() if value is not None and name != "timeout_share"}
    return ", ".join(f"{value:,} {name}" for name, value in held.items()) or "no limit"


def spent(name: str, ledger: Sequence[Row]) -> tuple[str, ...]:
    """A row of a table: requests, tokens in and out, and cost of lines of the ledger."""
    costs = [row["cost_usd"] for row in ledger]
    return (
        name,
        *(whole(sum(row[key] for row in ledger)) for key in ("requests", "input_tokens", "output_tokens")),
        dollars(None if None in costs else sum(costs)),
    )


def whom(teacher: Row) -> str:
    """Its model, or its kind where it has none."""
    return str(teacher.get("model") or teacher["use"])


def options(section: Row) -> str:
    """A section of the recipe on one line."""
    named = [f"`{section['use']}`"] if "use" in section else []
    return "; ".join(filter(None, [*named, fields(section)]))


def fields(section: Row) -> str:
    """Its keys that hold something."""
    held = {key: value for key, value in section.items() if key != "use" and value not in (None, "", {}, [])}
    return ", ".join(f"{key} {_told(value)}" for key, value in held.items())


def _told(value: Any) -> str:
    return f"`{plain(value if isinstance(value, str) else json.dumps(value))}`"


def plain(text: str) -> str:
    """On one line of a table, whatever it holds."""
    return visible(" ".join(text.split())).replace("|", "\\|").replace("`", "'")
