"""All formats say the same, and text from models and data stays text in each of them."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from asft.report import as_json, read_facts, write
from asft.report.html import page
from asft.report.markdown import block, inline, markdown
from asft.report.scale import ticks
from asft.report.sentences import headline
from asft.report.wording import decimal, dollars, duration, p_value, points, short, visible

# The files


def test_all_formats_say_the_same_figures(run: Path) -> None:
    facts = read_facts(run)
    html, text = page(facts), markdown(facts)
    for figure in (
        "42.7% (37.2 to 48.3)",
        "71.3% (66.0 to 76.2)",
        "duplicate: equal to a seed",
        "torch",
        "2.13.0",
        "rounds was 2, now 3",
    ):
        assert figure in html
        assert figure in text
    for sentence in headline(facts):
        assert sentence in html.replace("&lt;", "<")
        assert sentence in text.replace("\\", "")
    assert json.loads(as_json(facts))["before"]["right"] == 128


def test_a_report_made_again_is_the_same_byte_for_byte(copy: Path) -> None:
    names = ("report.html", "report.md", "report.json")
    assert write(copy).html == copy / "report.html"
    first = [(copy / name).read_bytes() for name in names]
    write(copy)
    assert [(copy / name).read_bytes() for name in names] == first
    assert [path.name for path in copy.iterdir() if path.name.startswith(".")] == []


class Tags(HTMLParser):
    """The elements and attributes that a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_element_is_closed_in_order(run: Path) -> None:
    assert Tags(page(read_facts(run))).open == []


def test_the_page_loads_nothing_and_runs_nothing(run: Path) -> None:
    html = page(read_facts(run))
    found = Tags(html)
    assert {"script", "link", "img", "iframe", "object", "image", "use"} & set(found.tags) == set()
    assert {name for name, _ in found.attributes if name.startswith("on")} == set()
    links = [value for name, value in found.attributes if name in ("href", "src", "xlink:href", "style")]
    assert all((value or "").startswith("#") for value in links)
    assert "url(" not in html
    assert "@import" not in html


def test_the_policy_allows_only_the_one_style_sheet(run: Path) -> None:
    html = page(read_facts(run))
    css = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert css is not None
    digest = base64.b64encode(hashlib.sha256(css[1].encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'content="{policy}"' in html


def test_every_figure_has_a_title(run: Path) -> None:
    html = page(read_facts(run))
    for figure in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        assert "aria-hidden" in figure or re.search(r'role="img"><title>[^<]+</title>', figure)


# Text from models and data


def test_no_text_becomes_an_element_or_an_attribute(run: Path, nasty: Path) -> None:
    found = Tags(page(read_facts(nasty)))
    clean = Tags(page(read_facts(run)))
    assert set(found.tags) == set(clean.tags)
    assert {name for name, _ in found.attributes} == {name for name, _ in clean.attributes}
    assert found.open == []
    assert "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>" in found.text
    assert "{{ 7*7 }}" in found.text


def test_characters_that_nobody_sees_are_written_out(nasty: Path) -> None:
    write(nasty)
    for name in ("report.html", "report.md", "report.json"):
        text = (nasty / name).read_text("utf-8")
        assert [hex(ord(c)) for c in "\u202e\u2066\u200b\x00\x1b\u2028" if c in text] == []
    assert "⟨U+202E⟩gnp.exe" in (nasty / "report.html").read_text("utf-8")
    assert "⟨U+202E⟩gnp.exe" in (nasty / "report.md").read_text("utf-8")
    told, found = (json.loads((nasty / name).read_text("utf-8")) for name in ("run.json", "report.json"))
    assert found["task"] == told["task"]


def test_text_that_is_merely_foreign_is_left_as_it_is() -> None:
    assert visible("ünï 漢字 עברית 👩\u200d🔬\n\tx\r\ny") == "ünï 漢字 עברית 👩\u200d🔬\n\tx\ny"


def test_no_text_becomes_markup_in_markdown(nasty: Path) -> None:
    text = markdown(read_facts(nasty))
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)[<>&`@$~\[\]]", outside)
    assert "http://" not in outside
    # A table keeps its columns: every line of it has as many bars that are not escaped.
    for chunk in re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in chunk.splitlines()}) == 1


def test_text_cannot_end_its_own_fence() -> None:
    fenced = block("a\n````\n# b").splitlines()
    assert fenced[0] == "`````text"
    assert fenced[-1] == "`````"


def test_inline_text_is_one_line_without_markup() -> None:
    assert inline("a|b\n# *c* <d> https://e.test") == r"a\|b \# \*c\* \<d\> https:\/\/e.test"


# How figures are written


def test_ticks_are_round_and_hold_the_ends() -> None:
    assert ticks(0, 168, 4) == [0, 50, 100, 150, 200]
    assert ticks(0.1, 0.3, 4) == [0.1, 0.15, 0.2, 0.25, 0.3]
    assert ticks(-3.2, 4.1, 5) == [-4, -2, 0, 2, 4, 6]
    assert ticks(2, 2, 5) == [1.5, 2.5]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (dollars(None), "unknown"),
        (dollars(0.0), "$0.00"),
        (dollars(0.0457), "$0.0457"),
        (dollars(0.00000312), "$3.1e-06"),
        (dollars(1234.5), "$1,234.50"),
        (duration(None), "–"),
        (duration(4.21), "4.2 s"),
        (duration(59.97), "1 min 00 s"),
        (duration(7500), "2 h 05 min"),
        (short(9_999), "9,999"),
        (short(65_367), "65.4k"),
        (short(4_612_000), "4.61M"),
        (short(6.1e12), "6.1T"),
        (short(2e18), "2E"),
        (p_value(0.0001), "< 0.001"),
        (p_value(0.0342), "0.034"),
    ],
)
def test_figures_are_written_as_people_read_them(written: str, expected: str) -> None:
    assert written == expected


def test_what_rounds_to_nothing_has_no_minus() -> None:
    assert (decimal(-0.0001), decimal(-0.0012)) == ("0.000", "−0.001")
    assert (points(-0.0001), points(-0.012)) == ("+0.0", "−1.2")
