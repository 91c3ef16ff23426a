"""How many parameters of a teacher a token meets, for FLOPs: told by whoever knows it, and never guessed."""

from pathlib import Path
from typing import Any

import pytest

from asft.engine import Endpoint
from asft.errors import PluginError
from asft.registry import make

AT = {"model": "m", "base_url": "http://127.0.0.1:9/v1"}


def size(use: str, **options: Any) -> float | None:
    return Endpoint.of(make("teacher", use, options)).active_params


@pytest.mark.parametrize(
    ("use", "options"), [("openai", AT), ("vllm", {"model": "m"}), ("recorded", {"path": "p"})]
)
def test_a_teacher_says_how_large_it_is(use: str, options: dict[str, Any], tmp_path: Path) -> None:
    if use == "recorded":
        path = tmp_path / "replies.jsonl"
        path.write_text('{"messages": [{"role": "user", "content": "?"}], "reply": "!"}\n', "utf-8")
        options = {"path": str(path)}
    # PyYAML reads 7.6e9 as a text.
    assert size(use, **options, active_params="7.6e9") == 7.6e9
    assert size(use, **options) is None
    for wrong in (-1, "inf", "seven"):
        with pytest.raises(PluginError, match="active_params"):
            make("teacher", use, {**options, "active_params": wrong})


def test_the_journal_knows_a_teacher_by_the_same_name_whatever_its_size() -> None:
    known = [make("teacher", "openai", {**AT, **more}).identity for more in ({}, {"active_params": 1e9})]
    assert known[0] == known[1]


def test_rules_compute_nothing() -> None:
    assert size("rules") == 0.0


@pytest.mark.parametrize(
    ("sizes", "expected"), [([1e9, 7e9], 7e9), ([1e9, None], None), ([0, 0], 0.0), ([3e9], 3e9)]
)
def test_a_pool_is_as_large_as_its_largest_member(sizes: list[float | None], expected: float | None) -> None:
    members = [{"use": "openai", **AT, "active_params": one} for one in sizes]
    assert size("pool", members=members) == expected
