"""A run with a journal of its own."""

from pathlib import Path

import pytest

from tests.engine.driving import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "journal.sqlite")
