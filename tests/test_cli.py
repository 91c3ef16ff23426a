"""What a user types, and sees."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from asft.cli import main
from asft.starter import recipes


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    named = ("run", "generate", "check", "probe", "init", "eval", "report", "journal", "list", "serve")
    for command in named:
        assert f"\n    {command} " in shown


def test_help_loads_nothing_that_takes_time() -> None:
    program = (
        "import contextlib, sys\n"
        "from asft.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "slow = {*'asyncio dataclasses datasets openai pydantic sqlite3 ssl torch yaml'.split()}\n"
        "sys.exit(', '.join(sorted(slow & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_renders_the_first_prompt_and_the_ceilings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recipes() / "quickstart.yaml"), "--set", "task.seeds=50"]) == 0
    shown = capsys.readouterr().out
    assert "50 seeds, 1000 test items" in shown
    # 3 rounds of 170 examples, of 4 x 170 drafts at most
    assert re.search(r"  drafts +510 +2040$", shown, re.MULTILINE)
    assert "[user] <problem>" in shown
    assert re.search(r"  USD +0\.00 +0\.00$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "no-such.yaml"], "there is no recipe no-such.yaml; `asft init DIR`"),
        (["report", "no-such-run"], "no-such-run"),
        (["eval", "pocket", "--task", "gsm8k", "--set", "source=./nowhere"], "there is no folder nowhere"),
        (["eval", "./no-model"], "student './no-model' cannot be loaded"),
        (["list", "techer"], "there is no kind of plug-in 'techer'; did you mean 'teacher'?"),
        (["serve", "--set", "error_rte=1"], "unknown option 'error_rte', did you mean 'error_rate'?"),
    ],
)
def test_a_mistake_is_one_sentence_without_a_traceback(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("asft: ")
    assert "Traceback" not in shown


def test_list_shows_every_plug_in_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("selector softmax(") and "temperature=" in line for line in lines)
    assert any(line.startswith("task pocket(salt='A'") for line in lines)
    assert main(["list", "teacher"]) == 0
    shown = {line.split("(")[0] for line in capsys.readouterr().out.splitlines()}
    assert shown >= {"teacher openai", "teacher rules"}
    assert all(line.startswith("teacher ") for line in shown)


def test_init_writes_a_recipe_that_check_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "study")]) == 0
    assert main(["check", str(tmp_path / "study" / "recipe.yaml"), "--set", "task.seeds=5"]) == 0
    assert main(["init", str(tmp_path / "study")]) == 1
    assert "is there already" in capsys.readouterr().err


def test_serve_answers_like_an_endpoint_and_ends_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "asft", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        asked = {"model": "rules", "messages": [{"role": "user", "content": "Hello."}]}
        request = urllib.request.Request(
            f"{url}/chat/completions",
            data=json.dumps(asked).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            said = json.load(reply)["choices"][0]["message"]["content"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert said.startswith("I cannot do this")
