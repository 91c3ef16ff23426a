"""The card of a trained student: what it is, how well it does, how it was made, and what is not known."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from asft import cards, student
from asft.export.data_card import asked
from asft.export.trained import Row, Trained
from asft.report.wording import duration, percent, plural, whole

Kind = Literal["adapter", "merged"]
SOURCES = ("source", "seed", "test")
"""Options of tasks that may name a data set of the hub."""
LOADS = {
    "adapter": """from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained({base})
model = PeftModel.from_pretrained(base, "DIR")""",
    "merged": """from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("DIR")
tokenizer = AutoTokenizer.from_pretrained("DIR")""",
}


def card(trained: Trained, kind: Kind) -> str:
    """The card as Markdown, with front matter that the hub accepts."""
    settings = trained.settings
    rounds = plural(trained.number, "round")
    what = "A LoRA adapter for" if kind == "adapter" else "A finetuned copy of"
    train = trained.summaries[-1]["train"]
    origins = Counter(row["origin"] for row in trained.training_set())
    base, where = trained.base, f'"{trained.base}"'
    if base in student.SHIPPED:
        base, where = student.place(base), f'place("{base}")'
    parts = [
        f"# {settings['name']}, round {trained.number}",
        f"{what} `{trained.base}`, made better at the task `{settings['task']['use']}` in {rounds} of active "
        f"synthetic finetuning: before each round the student was measured on seed questions, and from those "
        f"that were chosen `{cards.whom(settings['teacher'])}` wrote new ones with worked answers.",
        "```python\n"
        + ("from asft.student import place\n" if where.startswith("place") and kind == "adapter" else "")
        + LOADS[kind].format(base=where)
        + "\n```",
        "## How well it does",
        f"{_asked(trained)} Right answers of all items of the test split, with the 95% Wilson interval. "
        "Round 0 is the base.",
        cards.table(
            ("round", "accuracy", "95% interval", "right", "items", "no final answer", "cut off"),
            [_scored(one) for one in trained.summaries],
        ),
        "## Licence and terms",
        f"Licence of the base: {_licence(base) or 'not known here; see the base'}. What was learnt comes "
        "from this data:",
        cards.terms(settings),
        "## Training",
        f"{whole(train['examples'])} examples ("
        + ", ".join(f"{n:,} {origin}" for origin, n in sorted(origins.items()))
        + f"), {plural(train['steps'], 'step')}, {whole(train['tokens'])} tokens in one pass over them; "
        f"{whole(train['truncated'])} cut to length.",
        cards.table(
            ("", ""),
            [
                ("method", cards.method(settings)),
                *(
                    (key, cards.options(settings[key]))
                    for key in ("data", "train", "lora")
                    if settings.get(key)
                ),
            ],
        ),
        "## What was asked, and what it cost",
        f"Budget: {cards.budget(settings['budget'])}.",
        asked(trained),
        f"Wall time of all steps: {duration(_seconds(trained))}.",
        "## Made with",
        cards.table(("", ""), list(_made_with(trained.about))),
        "## Known limits",
        "\n".join(f"- {limit}" for limit in _limits(trained)) + f"\n{cards.data_limits(settings)}",
    ]
    return cards.page(_front(trained, kind, base), parts)


def _front(trained: Trained, kind: Kind, base: str) -> dict[str, Any]:
    settings = trained.settings
    licence = _licence(base)
    sets = sorted({name for key in SOURCES if (name := settings["task"].get(key)) and on_the_hub(name)})
    scored = trained.summaries[-1]["evaluate"]
    task = settings["task"]["use"].rpartition("/")[2]
    return {
        **({"license": licence} if licence else {}),
        **({"base_model": trained.base} if on_the_hub(trained.base) else {}),
        **(
            {"base_model_relation": "adapter" if kind == "adapter" else "finetune"}
            if on_the_hub(trained.base)
            else {}
        ),
        "library_name": "peft" if kind == "adapter" else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["asft", "synthetic-data", "active-learning", *(["lora"] if kind == "adapter" else [])],
        **({"datasets": sets} if sets else {}),
        "metrics": ["accuracy"],
        "model-index": [
            {
                "name": settings["name"],
                "results": [
                    {
                        "task": {"type": "text-generation"},
                        "dataset": {"type": sets[0] if sets else task, "name": task, "split": "test"},
                        "metrics": [
                            {
                                "type": "accuracy",
                                "value": scored["accuracy"],
                                "name": f"accuracy ({scored['right']} of {scored['items']}, 95% interval "
                                f"{scored['low']:.4f} to {scored['high']:.4f})",
                            }
                        ],
                    }
                ],
            }
        ],
    }


def on_the_hub(name: Any) -> bool:
    """Whether a name is one of the hub, and no path."""
    return bool(isinstance(name, str) and re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name)) and not (
        Path(name).exists() or name.endswith((".jsonl", ".csv", ".json", ".parquet"))
    )


def _licence(base: str) -> str | None:
    """What the card of a base in a folder states; that of the hub is not asked for."""
    path = Path(base) / "README.md"
    if not path.is_file():
        return None
    front = path.read_text("utf-8", "replace").split("---")
    try:
        stated = yaml.safe_load(front[1]) if len(front) > 2 and not front[0].strip() else None
    except yaml.YAMLError:
        return None
    licence = stated.get("license") if isinstance(stated, Mapping) else None
    return licence if isinstance(licence, str) else None


def _asked(trained: Trained) -> str:
    """How the student was asked, in a sentence."""
    by = trained.asking.get("by", "answers")
    how = (
        f"Greedy answers of at most {trained.max_new_tokens} tokens"
        if by == "answers"
        else f"Of the choices, the one that the student holds for likeliest (`{by}`)"
    )
    around = {key: trained.asking[key] for key in ("system", "shots", "stop") if trained.asking.get(key)}
    return f"{how}; asked with {cards.fields(around)}." if around else f"{how}, to the bare question."


def _scored(summary: Row) -> tuple[str, ...]:
    found = summary["evaluate"]
    return (
        str(summary["round"]),
        percent(found["accuracy"]),
        f"{percent(found['low'])} to {percent(found['high'])}",
        *(whole(found[key]) for key in ("right", "items", "unparsable", "cut_off")),
    )


def _made_with(about: Row) -> Iterator[tuple[str, str]]:
    yield "versions", ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    hardware = about["hardware"]
    yield "hardware", f"{hardware['cuda'] or 'CPU'} ({hardware['machine']}, {hardware['threads']} threads)"
    for change in about.get("changes", []):
        told = [*change["extended"], *change["other"]]
        yield f"changed {change['at'][:10]}", cards.plain("; ".join(told))


def _seconds(trained: Trained) -> float:
    return float(sum(sum(one["seconds"].values()) for one in trained.summaries))


def _limits(trained: Trained) -> Iterator[str]:
    scored = trained.summaries[-1]["evaluate"]
    yield (
        f"One run with one seed: the intervals are those of the {scored['items']:,} test items, and another "
        "seed may end elsewhere."
    )
    yield "Nothing but this task was measured; what the base could do else may have been forgotten."
    if trained.quantised:
        yield (
            f"It was trained and measured on its base in {trained.quantised} (bitsandbytes); on the base as "
            "it is, which is what a merged model has, it may answer otherwise, and how well was not measured."
        )
    if short := [str(one["round"]) for one in trained.summaries if one.get("short")]:
        yield f"Fewer examples were accepted than were aimed at in round {', '.join(short)}."
    if scored["cut_off"]:
        yield f"{scored['cut_off']:,} answers to test items were cut off at the limit of tokens."
    yield "Errors and leanings of the base and of the teacher are in it."
