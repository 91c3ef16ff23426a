"""The page about devices: its recipes are read, and its commands are taken by those who are to run them."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.commands.launch import launch_command_parser

from asft import recipe
from asft.cli import _parser
from asft.workers.group import command

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
RECIPES = [text for kind, text in BLOCKS if kind == "yaml"]
COMMANDS = [line for kind, text in BLOCKS if kind == "" for line in text.splitlines()]
REST: dict[str, Any] = {
    "per_round": 2,
    "task": {"use": "pocket"},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
}


@pytest.mark.parametrize("text", RECIPES)
def test_every_section_is_one_of_a_recipe(text: str) -> None:
    recipe.read({**REST, **yaml.safe_load(text)})


def commands(of: str) -> list[list[str]]:
    words = [shlex.split(line) for line in COMMANDS]
    words = [line[1:] if "=" in line[0] else line for line in words]
    found = [line for line in words if line[:1] == [of]]
    assert found
    return found


@pytest.mark.parametrize("words", commands("asft"))
def test_every_command_of_asft_is_one(words: list[str]) -> None:
    _parser().parse_args(words[1:])


def test_another_machine_is_told_what_the_first_is() -> None:
    [words] = commands("accelerate")
    there = launch_command_parser().parse_args(words[2:])
    [section] = [text for text in RECIPES if "machine_rank" in text]
    given = command(recipe.read({**REST, **yaml.safe_load(section)}).workers)
    here = launch_command_parser().parse_args(given[3:])
    differ = {name for name, value in vars(here).items() if value != getattr(there, name)}
    assert differ <= {"machine_rank", "num_cpu_threads_per_process", "nondefault"}
    assert (here.machine_rank, there.machine_rank) == (0, 1)
    assert (here.training_script, here.module) == ("asft.workers", True)


def test_an_error_names_the_log_that_the_page_names() -> None:
    from asft.workers.group import LOG

    assert f"`logs/{LOG}`" in PAGE
