"""The `vllm` teacher: a server that it starts, asks and ends; its identity; what it refuses; the real one."""

import asyncio
import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import check, recipe
from asft.errors import FatalError, PluginError, RecipeError
from asft.registry import make
from asft.student import POCKET
from asft.teachers.openai import OpenAI
from asft.teachers.vllm import VLLM
from asft.types import Message, Reply, Request, Sampling, Sleeper
from tests.teachers import fake_vllm_server

HAS_VLLM = find_spec("vllm") is not None
ASKED = Request(messages=(Message(role="user", content="hello"),), sampling=Sampling(max_tokens=20), draw=2)


@pytest.fixture
def fake(tmp_path: Path) -> dict[str, str]:
    """The environment in which the fake is vLLM's server."""
    return {"PYTHONPATH": fake_vllm_server.installed(tmp_path / "fake")}


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 24}')
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


async def ask(teacher: VLLM) -> Reply:
    async with teacher:
        return await teacher.reply(ASKED)


def is_alive(process: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(process: int, within: float = 30.0) -> bool:
    deadline = time.monotonic() + within
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(process)


def worker(log: Path) -> int:
    """The process that the server has started."""
    found = re.findall(r"worker: (\d+)", log.read_text())
    return int(found[-1])


# A server of its own


def test_a_server_is_started_asked_and_ended_with_all_that_it_started(
    tmp_path: Path, fake: dict[str, str]
) -> None:
    teacher = VLLM(model="m", environment=fake, log=str(tmp_path / "logs"))

    reply = asyncio.run(ask(teacher))

    assert (reply.text, reply.finish) == ("m says hello", "stop")
    assert (reply.input_tokens, reply.output_tokens, reply.cost_usd) == (7, 3, 0.0)
    assert gone(worker(tmp_path / "logs" / "vllm.log"))


def test_a_server_that_is_awake_before_it_is_entered_lives_on_until_it_is_stopped(
    tmp_path: Path, fake: dict[str, str]
) -> None:
    teacher = VLLM(model="m", environment=fake, between_rounds="stay")
    log = tmp_path / "logs" / "vllm.log"

    async def round_of_a_run() -> None:
        await teacher.wake(tmp_path / "logs")
        await ask(teacher)
        await teacher.sleep()

    # Each write step has an event loop of its own.
    asyncio.run(round_of_a_run())
    asyncio.run(round_of_a_run())
    alive = is_alive(worker(log))
    asyncio.run(teacher.stop())

    assert alive
    assert gone(worker(log))
    assert log.read_text().count("worker:") == 1


def test_between_rounds_it_stops_where_it_cannot_sleep(tmp_path: Path, fake: dict[str, str]) -> None:
    teacher = VLLM(model="m", environment=fake, between_rounds="stop")

    async def two_rounds() -> None:
        for _ in range(2):
            await teacher.wake(tmp_path)
            await teacher.sleep()

    asyncio.run(two_rounds())

    assert (tmp_path / "vllm.log").read_text().count("worker:") == 2
    assert gone(worker(tmp_path / "vllm.log"))


def test_a_server_that_sleeps_is_woken_up_and_not_started_again(
    tmp_path: Path, fake: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    teacher = VLLM(model="m", environment=fake)

    async def two_rounds() -> None:
        for _ in range(2):
            await teacher.wake(tmp_path)
            await ask(teacher)
            await teacher.sleep()
        await teacher.stop()

    asyncio.run(two_rounds())

    said = (tmp_path / "vllm.log").read_text()
    chat = "POST /v1/chat/completions"
    assert re.findall("POST .*", said) == [
        chat,
        "POST /sleep?level=1",
        "POST /wake_up",
        chat,
        "POST /sleep?level=1",
    ]
    assert "--enable-sleep-mode" in said


def test_a_server_that_ends_before_it_is_ready_shows_the_end_of_its_log(
    tmp_path: Path, fake: dict[str, str]
) -> None:
    teacher = VLLM(model="m", environment={**fake, "FAKE_VLLM": "dies"}, log=str(tmp_path / "logs"))
    with pytest.raises(
        FatalError, match=r"(?s)ends before it is ready.*vllm\.log.*CUDA out of memory.*not started"
    ):
        asyncio.run(ask(teacher))


def test_a_server_that_is_never_ready_is_given_up_at_the_deadline(
    tmp_path: Path, fake: dict[str, str]
) -> None:
    deaf = {**fake, "FAKE_VLLM": "deaf"}
    teacher = VLLM(model="m", environment=deaf, log=str(tmp_path), ready_within=0.5, between_rounds="stop")
    with pytest.raises(FatalError, match=r"is not ready within `ready_within` = 0\.5 s"):
        asyncio.run(ask(teacher))
    assert not teacher._engine.running


def test_a_server_that_dies_stops_the_run_and_is_not_asked_again(
    tmp_path: Path, fake: dict[str, str]
) -> None:
    teacher = VLLM(model="m", environment={**fake, "FAKE_VLLM": "mortal"}, log=str(tmp_path / "logs"))

    async def until_it_is_noticed() -> None:
        async with teacher:
            while True:
                with contextlib.suppress(Exception):
                    await teacher.reply(ASKED)
                await asyncio.sleep(0.5)
                await teacher.reply(ASKED)

    with pytest.raises(FatalError, match=r"(?s)has ended in the middle of its work.*the engine core is dead"):
        asyncio.run(until_it_is_noticed())
    assert gone(worker(tmp_path / "logs" / "vllm.log"))


def test_a_start_that_is_cancelled_leaves_nothing_behind(tmp_path: Path, fake: dict[str, str]) -> None:
    log = tmp_path / "vllm.log"
    teacher = VLLM(model="m", environment={**fake, "FAKE_VLLM": "deaf"})

    async def cancelled() -> None:
        starting = asyncio.create_task(teacher.wake(tmp_path))
        while not log.exists() or "worker:" not in log.read_text():
            await asyncio.sleep(0.05)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)

    asyncio.run(cancelled())
    assert gone(worker(log))


OWNER = """
import asyncio, sys
from pathlib import Path
from asft.teachers.vllm import VLLM

async def main():
    await VLLM(model="m", environment={"PYTHONPATH": sys.argv[1]}).wake(Path(sys.argv[2]))
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_run_that_is_killed_leaves_no_server_behind(tmp_path: Path, fake: dict[str, str]) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, fake["PYTHONPATH"], str(tmp_path)], stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    with owner, owner.stdout as said:
        ready = said.readline()
        owner.send_signal(signal.SIGKILL)
    assert ready == b"ready\n"
    assert gone(worker(tmp_path / "vllm.log"))


WATCHED = """
import os, subprocess, sys
command = [sys.executable, "-I", sys.argv[1], "watch", str(os.getpid())]
guard = subprocess.Popen(command, stdin=subprocess.PIPE)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
guard.stdin.write(b"%d\\n" % child.pid)
guard.stdin.flush()
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_processes_that_the_guard_watches_end_with_the_one_that_started_them() -> None:
    guard = Path(sys.modules["asft.teachers.vllm.guard"].__file__ or "")
    owner = subprocess.Popen(
        [sys.executable, "-c", WATCHED, guard], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    with owner, owner.stdout as said:
        child = int(said.readline())
        alive = is_alive(child)
        owner.send_signal(signal.SIGKILL)
    assert alive
    assert gone(child)


def test_an_adapter_is_loaded_with_a_rank_that_it_fits_in_and_asked_by_its_name(
    tmp_path: Path, fake: dict[str, str], adapter: Path
) -> None:
    teacher = VLLM(
        model="m", environment=fake, adapter=str(adapter), max_model_len=512, args=["--enforce-eager"],
        log=str(tmp_path / "logs"),
    )  # fmt: skip

    reply = asyncio.run(ask(teacher))

    assert reply.text == "adapter says hello"
    told = re.search("flags: (.*)", (tmp_path / "logs" / "vllm.log").read_text())
    assert told is not None
    flags = json.loads(told[1])
    assert flags[flags.index("--max-lora-rank") + 1] == "32"
    assert flags[flags.index("--max-model-len") + 1] == "512"
    assert "--enforce-eager" in flags


# What the journal knows it by


def test_a_plain_one_is_known_as_a_server_that_somebody_else_has_started_here() -> None:
    by_hand = OpenAI(model="m", base_url="http://localhost:8000/v1", extra_body={"top_k": 5})
    assert VLLM(model="m", sampling={"top_k": 5}).identity == by_hand.identity


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "in_process"},
        {"environment": {"A": "b"}},
        {"gpu_memory_utilization": 0.5},
        {"between_rounds": "stop"},
        {"args": ["--max_num_seqs", "4", "--tensor-parallel-size=2"]},
    ],
)
def test_its_identity_does_not_depend_on_how_it_is_run(options: dict[str, Any]) -> None:
    assert VLLM(model="m", **options).identity == VLLM(model="m").identity


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "float16"},
        {"max_model_len": 100},
        {"args": ["--quantization", "fp8"]},
        {"sampling": {"top_k": 5}},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ],
)
def test_its_identity_depends_on_what_changes_answers(options: dict[str, Any]) -> None:
    identity = VLLM(model="m", **options).identity
    assert identity != VLLM(model="m").identity
    assert json.loads(json.dumps(identity)) == identity


def test_its_identity_depends_on_what_the_adapter_holds_and_not_on_where(
    tmp_path: Path, adapter: Path
) -> None:
    moved, other = (shutil.copytree(adapter, tmp_path / name) for name in ("moved", "other"))
    (other / "adapter_model.safetensors").write_bytes(b"other weights")
    first, second, third = (VLLM(model="m", adapter=str(a)).identity for a in (adapter, moved, other))
    assert first == second != third
    assert first != VLLM(model="m").identity


def test_the_readme_shows_options_that_it_takes() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    [shown] = re.findall(r"^```yaml\n(use: vllm\n.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    options = yaml.safe_load(shown)
    assert make("teacher", options.pop("use"), options).args == ["--quantization", "fp8"]


# What it refuses


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"args": ["--port", "1"]}, "args must not hold --port: asft decides it"),
        ({"args": ["--max_model_len=9"]}, "the option `max_model_len` says it"),
        ({"args": ["--api-key", "x"]}, "would be in every file of the run"),
        ({"environment": {"HF_TOKEN": "x"}}, "environment.HF_TOKEN would put a secret"),
        ({"sampling": {"topk": 1}}, "sampling.topk: unknown key, did you mean 'top_k'?"),
        ({"mode": "in_process", "python": "python"}, "python and environment are for `mode: server`"),
        ({"between_rounds": "nap"}, "between_rounds"),
    ],
)
def test_options_that_cannot_be_meant_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(PluginError, match=re.escape(told)):
        make("teacher", "vllm", {"model": "m", **options})


def test_a_secret_in_the_environment_of_the_server_is_not_shown() -> None:
    with pytest.raises(PluginError) as told:
        make("teacher", "vllm", {"model": "m", "environment": {"HF_TOKEN": "hf_marker"}})
    assert "hf_marker" not in str(told.value)


@pytest.mark.skipif(HAS_VLLM, reason="vLLM is installed")
def test_a_recipe_is_refused_before_anything_is_measured_where_vllm_is_not_installed() -> None:
    settings = {
        "per_round": 1,
        "task": {"use": "pocket", "seeds": 2, "tests": 2},
        "teacher": {"use": "vllm", "model": "m"},
        "criterion": {"use": "loss"},
        "selector": {"use": "top"},
        "writer": {"use": "question_with_answer"},
    }
    with pytest.raises(
        RecipeError, match=r"teacher: vLLM is not installed here; install it with .*asft\[vllm\]"
    ):
        check.check(recipe.look_at(settings))


def test_an_interpreter_without_vllm_is_told(tmp_path: Path) -> None:
    without = tmp_path / "python"
    without.write_text("#!/bin/sh\nexit 1\n")
    without.chmod(0o755)
    with pytest.raises(FatalError, match=r"vLLM is not installed for .*/python; install it"):
        VLLM(model="m", python=str(without)).check()
    with pytest.raises(FatalError, match="nowhere/python cannot be run"):
        VLLM(model="m", python=str(tmp_path / "nowhere/python")).check()


def test_an_interpreter_with_vllm_and_an_adapter_is_told_of(fake: dict[str, str], adapter: Path) -> None:
    said = VLLM(model="m", environment=fake, adapter=str(adapter)).check()
    assert said == f"m with the adapter {adapter}, by vLLM as a server of its own; between rounds: sleep"


def test_a_folder_that_holds_no_adapter_is_told(tmp_path: Path, fake: dict[str, str]) -> None:
    with pytest.raises(FatalError, match="holds no LoRA adapter"):
        VLLM(model="m", environment=fake, adapter=str(tmp_path)).check()


def test_it_is_a_sleeper_that_leaves_the_device_unless_it_is_told_to_stay() -> None:
    assert isinstance(VLLM(model="m"), Sleeper)
    assert VLLM(model="m").shares_device
    assert not VLLM(model="m", between_rounds="stay").shares_device


# The real one


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore")  # vLLM's own, of torch and Triton
@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed")
def test_the_real_vllm_answers_the_same_as_a_server_and_inside_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GB; on a CPU the default is most of the memory.
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    question = "Tom has 3 apples and buys 4 more. How many apples does Tom have?"
    asked = Request(messages=(Message(role="user", content=question),), sampling=Sampling(max_tokens=60))
    options: dict[str, Any] = {
        "model": str(POCKET),
        "dtype": "float32",
        "max_model_len": 512,
        "args": ["--enforce-eager"],
        "log": str(tmp_path),
    }

    async def answered(**mode: Any) -> Reply:
        async with VLLM(**options, **mode) as teacher:
            return await teacher.reply(asked)

    by_server, inside = (asyncio.run(answered(mode=mode)) for mode in ("server", "in_process"))

    assert by_server.text == inside.text
    assert by_server.text.rstrip().endswith("#### 7")
    counts = [(reply.input_tokens, reply.output_tokens, reply.finish) for reply in (by_server, inside)]
    assert counts[0] == counts[1]
