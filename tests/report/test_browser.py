"""The page in a real browser: what it loads, what it complains of, what it shows."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from asft.report import write

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is on the PATH")

# What the browser asks for by itself, whatever the page: its own updates, clock and account.
ITS_OWN = {"update.googleapis.com", "clients2.google.com", "accounts.google.com"}


@dataclass(frozen=True)
class Visit:
    """What came of opening a page."""

    dom: str
    console: list[str]
    requests: list[str]


def visit(page: Path, scratch: Path) -> Visit:
    """Open a page in a browser that can reach nothing, and note what it tried."""
    log = scratch / "net.json"
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={scratch / 'profile'}",
            "--enable-logging=stderr",
            f"--log-net-log={log}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    urls = re.findall(r'"url":("(?:[^"\\]|\\.)*")', log.read_text("utf-8"))
    wanted = sorted({json.loads(url) for url in urls})
    return Visit(
        dom=done.stdout,
        console=[line for line in done.stderr.splitlines() if "CONSOLE" in line],
        requests=[url for url in wanted if url.startswith("http") and url.split("/")[2] not in ITS_OWN],
    )


def test_the_report_opens_without_a_complaint_or_a_request(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    found = visit(write(build(tmp_path / "quickstart")).html, tmp_path)
    assert found.console == []
    assert found.requests == []
    headings = re.findall(r"<h[12][^>]*>(.*?)</h[12]>", found.dom)
    assert headings == [
        "quickstart",
        "Rounds",
        "From seeds to training set",
        "Scores",
        "Hardest seeds",
        "Drafts beside their seeds",
        "Accuracy by tag",
        "How the student was asked",
        "Ledger",
        "Training and time",
        "Settings and versions",
    ]


def test_complaints_and_requests_of_a_page_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<script>console.error("boo")</script><img src="http://example.test/a.png">', "utf-8")
    found = visit(page, tmp_path)
    assert any("boo" in line for line in found.console)
    assert found.requests == ["http://example.test/a.png"]
