"""The report as one HTML file: no scripts, nothing loaded from anywhere, no text that could become markup.

The template escapes every value by default and writes out characters that nobody sees (`finalize`). The
page's own policy then forbids all that it does not need: only the one style sheet, by its hash.
"""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from asft.report import answers, figures, sentences, tables
from asft.report.facts import Facts, Tag
from asft.report.wording import decimal, percent, points, visible, whole

FOLDER = Path(__file__).parent

SECTIONS = (
    ("rounds", "Rounds"),
    ("funnel", "Funnel"),
    ("scores", "Scores"),
    ("hardest", "Hardest seeds"),
    ("drafts", "Drafts"),
    ("tags", "By tag"),
    ("asked", "How it was asked"),
    ("ledger", "Ledger"),
    ("training", "Training and time"),
    ("settings", "Settings"),
)


def page(facts: Facts) -> str:
    """The whole file."""
    most = max((a + w for one in facts.scores for a, w in zip(one.asked, one.others, strict=True)), default=0)
    return render(
        "page.html.j2",
        facts=facts,
        sections=SECTIONS,
        headline=sentences.headline(facts),
        charts=[
            (
                curve,
                figures.line_chart(curve.points, title=curve.title, unit=curve.unit, write_x=curve.write_x),
            )
            for curve in sentences.curves(facts)
        ],
        histograms=[(one, figures.histogram(one, most=most or 1)) for one in facts.scores],
        tables=_tables(facts),
        ledger_sentence=tables.ledger_sentence(facts),
        too_fine=sentences.too_fine(facts),
        extremes=sentences.extremes(facts),
        method=sentences.METHOD,
        whole=whole,
        percent=percent,
        points=points,
        decimal=decimal,
    )


def render(template: str, **values: object) -> str:
    """A page with the style sheet of all pages, and the policy that lets it be the only one."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = (FOLDER / "page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    found = environment.get_template(template)
    return found.render(css=Markup(css), css_hash=f"sha256-{digest}", **values)


def _shown(value: object) -> object:
    """Text as it is seen; markup of our own as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _tables(facts: Facts) -> dict[str, object]:
    return {
        "rounds": tables.rounds(facts),
        "funnel": tables.funnel(facts, _stage),
        "yields": tables.yields(facts),
        "tags": [(tag.name, sentences.about(tag), _with_dumbbells(tag, facts)) for tag in facts.tags],
        "extremes": answers.extremes_table(facts.extremes),
        "samples": answers.samples_table(facts),
        "asked": tables.pairs(facts.asked.settings if facts.asked else (), ("Setting", "Value")),
        "ledger": tables.ledger(facts),
        "training": tables.training(facts),
        "times": tables.times(facts),
        "settings": tables.pairs(facts.settings, ("Setting", "Value")),
        "versions": tables.pairs(facts.versions, ("Package", "Version")),
        "hardware": tables.pairs(facts.hardware, ("Part", "Value")),
    }


def _stage(value: int | None, most: int) -> str:
    """A number of the funnel over a bar of that length."""
    return whole(value) if value is None else Markup("{}{}").format(whole(value), figures.bar(value, most))


def _with_dumbbells(tag: Tag, facts: Facts) -> tables.Table:
    """The table of a tag with a picture of each change at its end."""
    plain = tables.tag(tag, facts)
    drawn = [figures.dumbbell(one.before, one.after, moved=one.moved) for one in tables.surest(tag)]
    if len(drawn) < len(plain.rows) and facts.before and facts.after and facts.change:
        drawn.append(figures.dumbbell(facts.before, facts.after, moved=facts.change.moved(facts.change.p)))
    rows = tuple(
        tables.TableRow(cells=(*row.cells, picture), kind=row.kind)
        for row, picture in zip(plain.rows, drawn, strict=True)
    )
    return tables.Table(head=(*plain.head, "0 to 100%"), numbers_from=1, rows=rows)
