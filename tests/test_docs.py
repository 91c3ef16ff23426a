"""The page about criteria, selectors and filters says what their docstrings say."""

import subprocess
import sys
from pathlib import Path

import pytest

from asft import registry

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "measuring.md").read_text("utf-8")


def test_the_page_is_what_the_docstrings_make() -> None:
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
