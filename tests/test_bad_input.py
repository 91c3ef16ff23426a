"""Bad input as a user meets it: one clear sentence with the next step, exit code 1, nothing lost.

Everything goes through the command line. A traceback would come out of `main` and fail the test.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft.cli import main

KEY = "sk-marker-93ae7c"

# Without a section for training, which makes a recipe slow to read, as trl and peft are asked for its keys.
NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 1,
    "per_round": 2,
    "task": {"use": "pocket", "seeds": 4, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 4},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "random"},
    "writer": {"use": "question_then_answer"},
    "filters": [{"use": "well_formed"}],
}

Tell = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's own, with a key in the environment that nothing may show."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path


@pytest.fixture
def refused(here: Path, capsys: pytest.CaptureFixture[str]) -> Tell:
    """refused("check", teacher={...}) -> what is told of the nano recipe with these sections."""

    def tell(command: str, *arguments: str, **changed: Any) -> str:
        recipe(here, **changed)
        assert main([command, "nano.yaml", *arguments]) == 1
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        assert KEY not in told.out + told.err
        last = told.err[told.err.index("asft: ") :]
        return last.removeprefix("asft: ").rstrip("\n")

    return tell


def recipe(folder: Path, **changed: Any) -> None:
    (folder / "nano.yaml").write_text(yaml.safe_dump({**NANO, **changed}), "utf-8")


def lines(path: Path, *rows: Mapping[str, Any]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return str(path)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


# Recipes


def test_an_unknown_key_is_told_with_the_likely_one(refused: Tell) -> None:
    assert refused("check", criterionn=3) == "criterionn: unknown key, did you mean 'criterion'?"
    assert refused("run", rouns=3) == "rouns: unknown key, did you mean 'rounds'?"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rounds": "three"}, "rounds = 'three': a whole number of at least 1 is wanted"),
        (
            {"task": {"use": "pocket", "seeds": "many"}},
            "task: option 'seeds' = 'many': Input should be a valid integer",
        ),
        ({"train": {"max_steps": "x"}}, "train.max_steps = 'x': Input should be a valid integer"),
        ({"train": {"optim": "adam"}}, "train.optim = 'adam': Input should be 'adamw_torch'"),
        ({"lora": {"bias": "some"}}, "lora.bias = 'some': Input should be 'none', 'all' or 'lora_only'"),
        ({"licence": 4.0}, "licence = 4.0: a text is wanted"),
        ({"filters": "duplicate"}, "filters = 'duplicate': a list is wanted, each item with `use`"),
    ],
)
def test_a_value_of_another_type_is_told_with_key_value_and_what_is_wanted(
    refused: Tell, changed: Mapping[str, Any], told: str
) -> None:
    assert refused("check", **changed).startswith(told)


def test_a_training_setting_of_another_type_is_told_before_the_data_is_paid(
    refused: Tell, here: Path
) -> None:
    assert refused("run", "--out", "run", train={"max_steps": "x"}).startswith("train.max_steps = 'x'")
    assert not (here / "run").exists()


def test_a_recipe_that_is_not_there_is_told_with_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "run"):
        assert main([command, "none.yaml"]) == 1
        assert capsys.readouterr().err == (
            "asft: there is no recipe none.yaml; `asft init DIR` writes one to start from\n"
        )


def test_a_recipe_that_is_no_yaml_is_told_with_its_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bad.yaml").write_text("name: x\ntask: [1,\nuse: :y", "utf-8")
    assert main(["check", "bad.yaml"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("asft: bad.yaml is no YAML: ")
    assert "line 3" in told
    assert told.count("\n") == 1


def test_a_prompt_that_is_not_there_is_told(refused: Tell) -> None:
    writer = {"use": "question_then_answer", "question_prompt": "prompts/mine.md"}
    told = refused("check", writer=writer)
    assert told.startswith(
        "writer: prompt file prompts/mine.md does not exist; correct the path, or name one of"
    )
    assert "question_with_answer" in told
    writer = {"use": "question_then_answer", "question_prompt": "questoin"}
    assert refused("check", writer=writer).startswith("writer: there is no prompt 'questoin'; did you mean")


def test_all_that_is_wrong_with_keys_data_teacher_and_training_is_told_at_once(
    refused: Tell, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    told = refused(
        "check",
        rouns=3,
        selector={"use": "tops"},
        task={"use": "qa", "seed": lines(here / "empty.jsonl")},
        teacher={"use": "openai", "model": "m"},
        budget={"usd": 5},
        lora={"r": "many", "rr": 3},
    ).splitlines()
    assert told[0] == "8 problems:"
    for line, start in zip(
        told[1:],
        (
            "  rouns: unknown key, did you mean 'rounds'?",
            "  selector: there is no selector 'tops'; did you mean 'top'?",
            f"  task: {here}/empty.jsonl: there are no rows in it; give a file with at least one question",
            "  task: task 'qa' has no test data; set its option 'test'",
            "  teacher: the environment variable OPENAI_API_KEY is not set",
            "  budget.usd: the teacher's prices are unknown; give it `prices`",
            "  lora.rr: unknown key",
            "  lora.r = 'many': Input should be a valid integer",
        ),
        strict=True,
    ):
        assert line.startswith(start)


def test_without_a_traceback_in_a_process_of_its_own(here: Path) -> None:
    recipe(here, rouns=3)
    done = subprocess.run(
        [sys.executable, "-m", "asft", "check", "nano.yaml"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "asft: rouns: unknown key, did you mean 'rounds'?\n"


# Data


def test_a_row_without_an_answer_is_told_with_its_line(refused: Tell, here: Path) -> None:
    good = {"question": "What is 1 + 1?", "answer": "2"}
    test = lines(here / "test.jsonl", good)
    seed = lines(here / "seed.jsonl", good, {"question": "What is 1 + 2?"})
    told = refused("check", task={"use": "qa", "seed": seed, "test": test})
    assert told.startswith(f"task: {seed}, line 2: there is no column 'answer'; columns: question; every row")
    lines(here / "seed.jsonl", good, {"question": "What is 1 + 2?", "answer": None})
    told = refused("run", "--out", "run", task={"use": "qa", "seed": seed, "test": test})
    assert told == f"task: {seed}, line 2: column 'answer' is empty; every row needs an answer"
    assert not (here / "run").exists()


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_folder_without_a_test_split_is_told(refused: Tell, here: Path, command: str) -> None:
    (here / "data").mkdir()
    lines(here / "data" / "train.jsonl", {"question": "What is 1 + 1?", "answer": "1 + 1 = 2\n#### 2"})
    told = refused(command, task={"use": "gsm8k", "source": "./data"})
    assert told == "task: there is no file data/test.jsonl; give the path of one that exists, or a hub name"


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_empty_pool_is_told(refused: Tell, here: Path, command: str) -> None:
    told = refused(command, task={"use": "pocket", "seeds": 0, "tests": 4})
    assert told == "task: the split 'seed' is empty; give it at least one example"
    assert [path.name for path in here.iterdir()] == ["nano.yaml"]


def test_a_file_that_is_not_there_is_told(refused: Tell) -> None:
    told = refused("check", task={"use": "qa", "seed": "./none.jsonl", "test": "./none.csv"})
    assert told.splitlines()[1:] == [
        "  task: there is no file none.jsonl; give the path of one that exists, or a hub name",
        "  task: there is no file none.csv; give the path of one that exists, or a hub name",
    ]


def test_seeds_that_no_prompt_can_be_made_from_are_told(refused: Tell, here: Path) -> None:
    data = lines(here / "data.jsonl", {"question": "What is 1 + 1?", "answer": "2"})
    told = refused(
        "check",
        task={"use": "qa", "seed": data, "test": data},
        writer={"use": "question_with_answer", "prompt": "gsm8k_question_with_answer"},
    )
    assert told.startswith("writer: it asks nothing about any of the 1 seeds (no solution: ")
    assert told.endswith("; use another prompt, or seeds that have what it needs")


# Teachers and keys


class Endpoint:
    """An endpoint on loopback that refuses every key, and says it back as some do."""

    def __init__(self) -> None:
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                said = {"error": {"message": f"Incorrect API key: {self.headers['Authorization']}"}}
                body = json.dumps(said).encode()
                self.send_response(401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *values: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_key_that_is_refused_stops_the_run_and_is_written_nowhere(
    refused: Tell, here: Path, endpoint: Endpoint
) -> None:
    teacher = {"use": "openai", "model": "m", "base_url": endpoint.url}
    told = refused("run", "--out", "run", teacher=teacher, engine={"concurrency": 1})
    assert told.startswith(
        f"{endpoint.url} answers 401: Incorrect API key: Bearer ***. Set OPENAI_API_KEY to"
    )
    # A wrong key is not tried again.
    assert endpoint.asked == 1
    assert KEY.encode() not in everything_in(here)


def test_a_run_goes_on_where_a_refused_key_stopped_it(
    refused: Tell, here: Path, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    refused("run", "--out", "run", teacher={"use": "openai", "model": "m", "base_url": endpoint.url})
    done = [here / "run" / name for name in ("round-00/evaluate.jsonl", "round-01/select.jsonl")]
    before = [path.stat().st_mtime_ns for path in done]
    recipe(here)  # the rules teacher needs no key
    assert main(["run", "nano.yaml", "--out", "run", "--set", "filters=[]"]) == 0
    assert [path.stat().st_mtime_ns for path in done] == before


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_key_that_is_missing_is_told_before_anything_is_done(
    refused: Tell, here: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    teacher = {"use": "openai", "model": "m", "base_url": "https://api.example.com/v1", "key_env": "MY_KEY"}
    assert refused(command, teacher=teacher) == (
        "teacher: the environment variable MY_KEY is not set, and https://api.example.com/v1 needs a key; "
        "export MY_KEY=..., or name another variable as key_env"
    )
    assert [path.name for path in here.iterdir()] == ["nano.yaml"]


def test_a_key_in_place_of_its_variable_is_refused_and_not_shown(refused: Tell) -> None:
    told = refused("check", teacher={"use": "openai", "model": "m", "key_env": KEY})
    assert told.startswith("teacher: key_env is the name of an environment variable")
    assert "export the key under a name such as OPENAI_API_KEY" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"extra_headers": {"X-Api-Key": KEY}}, "teacher: extra_headers.X-Api-Key would put a secret into"),
        ({"base_url": f"https://me:{KEY}@example.com/v1"}, "teacher: base_url holds a user, a password"),
        ({"extra_headers": KEY}, "teacher: option 'extra_headers': Input should be a valid dictionary"),
        ({"api_key": KEY}, "teacher: unknown option 'api_key', options: model, base_url, key_env"),
    ],
)
def test_a_key_elsewhere_in_a_recipe_is_refused_and_not_shown(
    refused: Tell, here: Path, options: Mapping[str, Any], told: str
) -> None:
    teacher = {"use": "openai", "model": "m", **options}
    assert refused("run", "--out", "run", teacher=teacher).startswith(told)
    assert not (here / "run").exists()


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    free = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    free.server_close()
    return f"http://127.0.0.1:{free.server_port}/v1"


def test_an_address_where_nobody_listens_is_told_before_anything_is_measured(
    refused: Tell, here: Path, nobody: str
) -> None:
    told = refused("run", "--out", "run", teacher={"use": "openai", "model": "m", "base_url": nobody})
    assert told.startswith(f"teacher: {nobody} cannot be reached: nothing listens there. Check that the")
    assert not (here / "run").exists()


def test_a_run_whose_endpoint_went_away_is_told_how_to_go_on(
    refused: Tell, here: Path, endpoint: Endpoint, nobody: str
) -> None:
    teacher = {"use": "openai", "model": "m", "base_url": endpoint.url}
    refused("run", "--out", "run", teacher=teacher)
    engine = {"tries": 1, "concurrency": 1}
    told = refused("run", "--out", "run", teacher={**teacher, "base_url": nobody}, engine=engine)
    assert f"{nobody} cannot be reached" in told
    assert told.endswith("Nothing is lost: run the same command again to continue")


# What is not wrong, and hardly meant


def test_agreement_without_votes_is_warned_of(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe(here, filters=[{"use": "well_formed"}, {"use": "agrees"}])
    assert main(["check", "nano.yaml"]) == 0
    told = capsys.readouterr().out
    assert "Warning: filters.1 (agrees): the writer asks for no further answers" in told
    assert "Nothing is wrong" not in told
    assert main(["check", "nano.yaml", "--set", "writer.votes=2"]) == 0
    assert "Nothing is wrong with this recipe." in capsys.readouterr().out
    recipe(here, filters=[{"use": "agrees", "mode": "task"}])
    assert main(["check", "nano.yaml"]) == 0
    assert "Warning: filters.0 (agrees): the task solves no questions" in capsys.readouterr().out


def test_seeds_without_the_worked_answers_that_the_criterion_reads_are_warned_of(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = lines(here / "data.jsonl", {"question": "What is 1 + 1?", "answer": "2"})
    recipe(here, task={"use": "qa", "seed": data, "test": data}, criterion={"use": "loss", "of": "gold"})
    assert main(["check", "nano.yaml"]) == 0
    assert (
        "Warning: criterion: it reads worked answers, and 1 of 1 seeds have none" in capsys.readouterr().out
    )


def test_check_says_where_the_key_is_from_and_makes_no_call(
    here: Path, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(here, teacher={"use": "openai", "model": "m", "base_url": endpoint.url})
    assert main(["check", "nano.yaml"]) == 0
    told = capsys.readouterr().out
    assert f"teacher   openai: m at {endpoint.url}, with the key in OPENAI_API_KEY\n" in told
    assert KEY not in told
    assert endpoint.asked == 0


def test_a_prompt_can_be_shown_on_a_terminal_that_knows_ascii_only(here: Path) -> None:
    data = lines(here / "data.jsonl", {"question": "¿Cuánto es 1 + 1?", "answer": "2"})
    recipe(here, task={"use": "qa", "seed": data, "test": data})
    done = subprocess.run(
        [sys.executable, "-m", "asft", "check", "nano.yaml"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\xbfCu\xe1nto" in done.stdout
