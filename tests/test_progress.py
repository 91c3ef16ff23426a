"""What a run shows of itself while it goes on."""

import io

import pytest

from asft.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_on_a_terminal_is_no_longer_than_it_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    progress = Progress(out)
    progress.start("round 1: write", 10)
    progress.end("x" * 100)
    assert max(len(line.removeprefix("\x1b[2K")) for line in out.getvalue().split("\r")) <= 40


def test_elsewhere_a_line_is_whole_and_its_own() -> None:
    out = io.StringIO()
    progress = Progress(out, every=0.0)
    progress.start("round 1: write", 10)
    progress.update(3, "no answer for 4 s; " + "x" * 200)
    [line] = out.getvalue().splitlines()
    assert line.startswith("round 1: write  3/10")
    assert line.endswith("x" * 200)
