"""The section `workers` of a recipe, and the command that it becomes."""

import os
from typing import Any

import pytest

from asft import recipe
from asft.errors import RecipeError
from asft.recipe import WorkerOptions
from asft.workers.group import command

RECIPE: dict[str, Any] = {
    "per_round": 2,
    "task": {"use": "pocket"},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer"},
}


def read(workers: dict[str, Any], **changed: Any) -> WorkerOptions:
    return recipe.read({**RECIPE, "workers": workers, **changed}).workers


def value(of: list[str], flag: str) -> str:
    return of[of.index(flag) + 1]


def test_one_process_does_everything_where_the_recipe_is_silent() -> None:
    assert recipe.read(RECIPE).workers.processes == 1


@pytest.mark.parametrize(
    ("workers", "sentence"),
    [
        ({"processes": 1, "args": ["--debug"]}, "have no effect on one process"),
        ({"processes": 2, "args": ["--num_processes", "4"]}, "the option `processes` says it"),
        ({"processes": 2, "args": ["--config-file=a.yaml"]}, "the option `config` says it"),
        ({"processes": 2, "args": ["--cpu"]}, "starts one process alone"),
        ({"processes": 2, "args": ["--use_fsdp"]}, "each worker holds the whole student"),
        ({"processes": 2, "args": ["--num_machines", "two"]}, "--num_machines wants a whole number"),
        ({"processes": 3, "args": ["--num_machines", "2"]}, "as many on each of 2 machines"),
        ({"processes": 0}, "processes"),
    ],
)
def test_what_cannot_be_is_refused(workers: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        read(workers)


def test_a_vllm_of_their_own_is_refused_and_a_server_is_not() -> None:
    with pytest.raises(RecipeError, match=r"workers: .*student\.vllm\.base_url"):
        read({"processes": 2}, student={"decoder": "vllm"})
    server = {"decoder": "vllm", "vllm": {"base_url": "http://127.0.0.1:8000/v1"}}
    assert read({"processes": 2}, student=server).processes == 2


def test_workers_read_the_same_recipe_from_its_settings() -> None:
    given = recipe.read({**RECIPE, "workers": {"processes": 2}, "filters": [{"use": "well_formed"}]})
    again = recipe.read({**given.settings, "judge": None})
    assert again.settings == given.settings


def test_threads_are_shared_out_among_the_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)))
    assert value(command(WorkerOptions(processes=8)), "--num_cpu_threads_per_process") == "2"
    assert value(command(WorkerOptions(processes=64)), "--num_cpu_threads_per_process") == "1"
    two = WorkerOptions(processes=16, args=["--num_machines", "2"])
    assert value(command(two), "--num_cpu_threads_per_process") == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert value(command(two), "--num_cpu_threads_per_process") == "3"


def test_the_command_has_a_port_of_its_own_unless_another_is_given() -> None:
    assert value(command(WorkerOptions(processes=2)), "--main-process-port") == "0"
    given = command(WorkerOptions(processes=2, args=["--main_process_port", "29501"]))
    assert "--main-process-port" not in given
    assert value(given, "--main_process_port") == "29501"
    by_config = command(WorkerOptions(processes=2, config="two.yaml"))
    assert value(by_config, "--config_file") == "two.yaml"
    assert "--main-process-port" not in by_config
    assert by_config[-2:] == ["-m", "asft.workers"]
