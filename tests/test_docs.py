"""The pages that are made from elsewhere say what stands there."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from asft import registry

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "measuring.md").read_text("utf-8")
PRESETS = sorted((ROOT / "recipes" / "presets").glob("*.yaml"))


def test_the_pages_are_what_their_sources_make() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_docs.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (made.returncode, made.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["criterion", "selector", "filter"])
def test_every_one_has_a_place_on_it(kind: str) -> None:
    for name in registry.BUILT_IN[kind]:
        assert f"\n### {name}\n" in PAGE


@pytest.mark.parametrize("name", registry.BUILT_IN["criterion"])
def test_every_criterion_says_what_it_costs_when_to_take_it_and_whose_it_is(name: str) -> None:
    own = PAGE.partition(f"\n### {name}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    for fact in ("Cost", "When", "Source"):
        assert f"- **{fact}**: " in own


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_has_a_place_and_its_yields(preset: Path) -> None:
    page = (ROOT / "docs" / "presets.md").read_text("utf-8")
    assert f"\n### {preset.stem}\n" in page
    with (ROOT / "docs" / "presets.csv").open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row["preset"] == preset.stem]
    assert [row["round"] for row in found] == ["1", "2"]
    assert all(int(row["kept"].split()[0]) > 0 for row in found)


def test_no_preset_that_is_gone_is_on_the_page() -> None:
    with (ROOT / "docs" / "presets.csv").open(encoding="utf-8", newline="") as file:
        assert {row["preset"] for row in csv.DictReader(file)} == {path.stem for path in PRESETS}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_says_whose_it_is_or_what_it_goes_with(preset: Path) -> None:
    above = preset.read_text("utf-8").partition("extends: ")
    others = {path.name for path in PRESETS if path != preset}
    assert "\n# Source: " in above[0] or above[2].split()[0] in others
