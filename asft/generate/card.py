"""The data card: where the data comes from, what it cost, what fell out and why, and its terms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asft import cards
from asft.recipe import Recipe
from asft.report.wording import plural, whole

if TYPE_CHECKING:
    from asft.generate import Generated


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
    counts = made.funnel
    named = {file.parent.name: f"{file.parent.name}/{file.name}" for file in files}
    parts = [
        f"# {recipe.name}",
        f"{plural(made.examples, 'example')}, written by `{cards.whom(settings['teacher'])}` from "
        f"{whole(made.seeds)} of {whole(counts['seeds'])} seeds of the task `{settings['task']['use']}`, "
        f"with asft {about['versions']['asft']}, begun {about['started'][:10]}. The data is synthetic: no "
        "person wrote or checked it.",
        "## Files",
        "\n".join(
            f"- `{path}`: " + ("`messages`" if form == "chat" else "`prompt` and `completion`")
            for form, path in named.items()
        ),
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("DIR", "{next(iter(named))}", split="train")\n```',
        "## Licence and terms",
        cards.terms(settings),
        "## Where it comes from",
        cards.table(
            ("", ""),
            [
                ("teacher", cards.options(settings["teacher"])),
                ("seeds", cards.options(settings["task"])),
                ("writer", cards.options(settings["writer"])),
                *_selection(settings, measured),
                ("seed of the random numbers", str(settings["seed"])),
            ],
        ),
        *cards.prompts(prompts, "`round-01/write.manifest.json`"),
        "## What was kept",
        *cards.kept(settings, counts),
        "## What it cost",
        f"Budget: {cards.budget(settings['budget'])}."
        + (" It was used up before all examples were written." if made.budget_gone else ""),
        cards.table(
            ("", "requests", "tokens in", "tokens out", "cost"),
            [
                cards.spent("charged to this data set", [asdict(row) for row in made.charged]),
                cards.spent("really paid", [asdict(row) for row in made.paid]),
            ],
        ),
        *(
            ["The rest was read from a journal that runs share, where another had asked it before."]
            if made.charged != made.paid
            else []
        ),
        "## Known limits",
        cards.data_limits(settings),
    ]
    return cards.page(cards.data_front(settings, made.examples, named), parts)


def _selection(settings: Mapping[str, Any], measured: bool) -> Iterator[tuple[str, str]]:
    yield "selector", cards.options(settings["selector"])
    if measured:
        yield "criterion", cards.options(settings["criterion"])
        yield "student that was measured", cards.options(settings["student"])
    else:
        yield "criterion", "none: the order does not depend on a student"
