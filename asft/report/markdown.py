"""The report as Markdown: the same facts, for a terminal, a pull request or a notebook."""

import re

from asft.report import answers, sentences, tables
from asft.report.facts import Asked, Facts, HardSeed, Sample, Scores, Tag
from asft.report.wording import decimal, plural, visible

# What can begin markup, a link, a mention or the number of an issue within a line. What does so at the
# start of a line only is left alone: foreign text never stands there.
SPECIAL = re.compile(r"[\\`*_\[\]<>&|~#$@]|(?<=:)//|(?<=www)\.", re.IGNORECASE)


def inline(text: str) -> str:
    """Foreign text on one line, as text and nothing else."""
    return SPECIAL.sub(lambda found: "".join(f"\\{c}" for c in found[0]), " ".join(visible(text).split()))


def block(text: str) -> str:
    """Foreign text with its lines, in a fence that is longer than any in it."""
    shown = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def markdown(facts: Facts) -> str:
    """The whole file."""
    about = [
        ("Task", facts.task),
        ("Student", facts.student),
        ("Started", facts.started),
        ("Seed", facts.seed),
    ]
    parts = [
        f"# {inline(facts.name)}: asft report",
        "\n".join(f"- {name}: {inline(value)}" for name, value in about if value),
        _headline(facts),
        *map(inline, sentences.headline(facts)),
        *(
            ["## What is missing", "\n".join(f"- {inline(note)}" for note in facts.notes)]
            if facts.notes
            else []
        ),
        "## Rounds",
        table(tables.rounds(facts)),
        "## From seeds to training set",
        table(tables.funnel(facts)),
        *(["### What each filter kept", table(yields)] if (yields := tables.yields(facts)).rows else []),
        "## Scores",
        *(_scores(one) for one in facts.scores),
        "## Hardest seeds",
        *(
            [f"The highest scores among the picks of round {facts.hard_round}."]
            if facts.hard_seeds
            else ["No seed has a score."]
        ),
        *(_hard_seed(seed) for seed in facts.hard_seeds),
        "## Drafts beside their seeds",
        *(_sample(draft) for draft in facts.samples),
        "## Accuracy by tag",
        *(_tag(tag, facts) for tag in facts.tags),
        inline(sentences.too_fine(facts)),
        *(["### Worst and best groups", *_extremes(facts)] if facts.extremes else []),
        *(["## Sampled answers", table(sampled)] if (sampled := answers.samples_table(facts)).rows else []),
        *(_asked(facts.asked) if facts.asked else []),
        "## Ledger",
        inline(tables.ledger_sentence(facts)),
        table(tables.ledger(facts)),
        "## Training and time",
        table(tables.training(facts)),
        table(tables.times(facts)),
        "## Settings and versions",
        *([block(facts.command)] if facts.command else []),
        "\n".join(f"- {inline(change)}" for change in facts.changes),
        table(tables.pairs(facts.versions, ("Package", "Version"))),
        table(tables.pairs(facts.hardware, ("Part", "Value"))),
        table(tables.pairs(facts.settings, ("Setting", "Value"))),
        "---",
        inline(sentences.METHOD),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(found: tables.Table) -> str:
    """A pipe table; "None yet." where it has no rows."""
    if not found.rows or len(found.head) < 2:
        return "None yet."
    marks = ["---:" if place >= found.numbers_from else "---" for place in range(len(found.head))]
    lines = [list(map(inline, found.head)), marks]
    for row in found.rows:
        cells = [inline(cell) for cell in row.cells]
        lines.append([f"**{cells[0]}**", *cells[1:]] if row.kind in ("stage", "total") else cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _headline(facts: Facts) -> str:
    figures = [
        f"**{name} {inline(tables.with_interval(found))}{unit}**"
        for name, found, unit in (
            ("Before", facts.before, ""),
            ("After", facts.after, ""),
            ("Change", facts.change, " points"),
        )
        if found
    ]
    return " · ".join(figures)


def _scores(scores: Scores) -> str:
    """A table of the bins that hold a seed."""
    bins = [
        (f"{low:g} to {high:g}", f"{asked:,}", f"{others:,}")
        for low, high, asked, others in zip(
            scores.edges, scores.edges[1:], scores.asked, scores.others, strict=False
        )
        if asked or others
    ]
    rows = tuple(tables.TableRow(cells=row) for row in bins)
    found = tables.Table(head=("Score", "Asked about", "Others"), numbers_from=1, rows=rows)
    unscored = f" {plural(scores.unscored, 'seed')} without a score." if scores.unscored else ""
    medians = (
        f"median of the seeds asked about {decimal(scores.median_asked)}, of the others "
        f"{decimal(scores.median_others)}.{unscored}"
    )
    return f"Round {scores.round}: {medians}\n\n{table(found)}"


def _tag(tag: Tag, facts: Facts) -> str:
    found = tables.tag(tag, facts)
    parts = [f"### {inline(tag.name)}", inline(sentences.about(tag)), table(found) if found.rows else ""]
    return "\n\n".join(filter(None, parts))


def _extremes(facts: Facts) -> list[str]:
    return [inline(sentences.extremes(facts)), table(answers.extremes_table(facts.extremes))]


def _asked(asked: Asked) -> list[str]:
    return [
        "## How the student was asked",
        table(tables.pairs(asked.settings, ("Setting", "Value"))),
        "The first prompt, as the student read it:",
        block(asked.prompt),
    ]


def _hard_seed(seed: HardSeed) -> str:
    own = "The student was not asked for an answer." if seed.own is None else block(seed.own)
    judged = "no final answer found" if seed.grade is None else "right" if seed.grade == 1 else "wrong"
    mark = f"{judged}, cut off by the limit" if seed.cut_off else judged
    title = f"### Score {decimal(seed.score)} ({inline(seed.example_id)})"
    parts = [title, "Seed:", block(seed.prompt), "Reference answer:", block(seed.answer)]
    return "\n\n".join([*parts, f"The student's own answer ({mark}):" if seed.own is not None else "", own])


def _sample(draft: Sample) -> str:
    why = f" ({inline(draft.why)})" if draft.why else ""
    parts = [f"### {draft.outcome.capitalize()}{why}: round {draft.round}, draft {draft.number}"]
    parts += ["Seed:", block(draft.seed_prompt), "Reference answer:", block(draft.seed_answer)]
    if draft.outcome != "no draft":
        parts += ["Draft:", block(draft.prompt), "Worked answer:", block(draft.completion or draft.answer)]
    return "\n\n".join(parts)
