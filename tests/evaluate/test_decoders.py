"""Who decodes in `asft eval`: transformers, or vLLM, of which a fake that has been told the answers."""

import json
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from asft import cli, decoder, student
from asft.rundir import read_json, read_jsonl, write_json
from asft.tasks.pocket.task import Pocket
from tests.teachers import fake_vllm_server

ASKED = ["pocket", "--set", "tests=3", "--max-new-tokens", "20"]
VLLM = ["--decoder", "vllm", "--vllm", f"python={sys.executable}"]
PROMPTS = [example.prompt for example in Pocket(tests=3).load("test")]


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vLLM for this interpreter's children that answers as the student does, greedily."""
    loaded = student.load(student.Student(), "cpu")
    known = {
        " ".join(map(str, ids)): list(one.token_ids)
        for ids, one in zip(
            student.prompt_ids(loaded.tokenizer, PROMPTS),
            decoder.decode(loaded, PROMPTS, max_new_tokens=20),
            strict=True,
        )
    }
    (tmp_path / "answers.json").write_text(json.dumps(known), "utf-8")
    monkeypatch.setenv("FAKE_VLLM_ANSWERS", str(tmp_path / "answers.json"))
    monkeypatch.setenv("PYTHONPATH", fake_vllm_server.installed(tmp_path / "fake"))
    # What stays behind after a fault.
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def left_behind(folder: Path) -> list[Path]:
    return [path for path in (folder / "temporary").rglob("*") if path.is_file()]


def is_alive(process: str) -> bool:
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_both_decoders_give_the_same_items_and_figures_and_each_is_named(
    answers: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, items = [], []
    for name, more in (("hf", []), ("vllm", VLLM)):
        out, told = tmp_path / f"{name}.jsonl", tmp_path / "new" / f"{name}.json"
        assert cli.main(["eval", *ASKED, *more, "--out", str(out), "--json", str(told)]) == 0
        items.append(read_jsonl(out))
        figures.append(read_json(told))
        assert f"Decoded by {figures[-1]['asked']['decoder']}." in capsys.readouterr().out
    assert items[0] == items[1]
    hf, vllm = (one["asked"].pop("decoder") for one in figures)
    assert hf.startswith("transformers ")
    assert vllm == "vLLM 0.0.fake"
    assert figures[0] == figures[1]
    assert left_behind(tmp_path) == []


def test_of_a_run_that_vllm_decodes_for_its_last_student_is_decoded_so_unless_hf_is_asked_for(
    answers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"decoder": "vllm", "vllm": {"python": sys.executable, "args": ["--max-num-seqs=3"]}}
    of_student = {"base": "pocket", "revision": None, "max_new_tokens": 20, "batch_size": 128, **settings}
    (tmp_path / "run").mkdir()
    lock = {"seed": 0, "task": {"use": "pocket", "tests": 3}, "student": of_student, "evaluate": {}}
    write_json(tmp_path / "run" / "recipe.lock.json", lock)
    write_json(tmp_path / "run" / "run.json", {})
    monkeypatch.setattr(student, "of", lambda _: student.Student())
    log = tmp_path / "run" / "logs" / "student-vllm.log"
    assert cli.main(["eval", str(tmp_path / "run"), "--decoder", "hf"]) == 0
    assert not log.exists()
    assert cli.main(["eval", str(tmp_path / "run"), "--vllm", "args=[--max-num-seqs=5]"]) == 0
    assert "--max-num-seqs=5" in log.read_text()
    assert "--max-num-seqs=3" not in log.read_text()
    assert "Decoded by vLLM" in capsys.readouterr().out


def test_where_it_does_not_start_the_end_of_its_log_is_told_and_the_log_stays(
    answers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "dies")
    assert cli.main(["eval", *ASKED, *VLLM]) == 1
    told = capsys.readouterr().err
    [log] = left_behind(tmp_path)
    assert "CUDA out of memory" in told
    assert str(log) in told


def test_an_evaluation_that_is_killed_leaves_no_server(
    answers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "deaf")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    with subprocess.Popen([sys.executable, "-m", "asft", "eval", *ASKED, *VLLM]) as asft:
        found = None
        while found is None and asft.poll() is None:
            time.sleep(0.1)
            logs = left_behind(tmp_path)
            found = re.search(r"worker: (\d+)", logs[0].read_text()) if logs else None
        asft.send_signal(signal.SIGKILL)
    assert found is not None
    deadline = time.monotonic() + 60.0
    while is_alive(found[1]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(found[1])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--decoder", "vllm"], "vLLM is not installed here; install it with `pip install 'asft[vllm]'`"),
        (["--decoder", "vlm"], "option 'decoder' = 'vlm'"),
        (["--vllm", "python=x"], "the section vllm has no effect without `decoder: vllm`"),
        (["--vllm", "python"], "--vllm python: write it as key.path=value"),
        (["--decoder", "vllm", "--vllm", "pyton=x"], "pyton"),
        (["--decoder", "vllm", "--vllm", "python=/nowhere/python"], "/nowhere/python cannot be run"),
        (["--decoder", "vllm", "--by", "likelihood"], "have no effect where nothing is written"),
    ],
)
def test_what_cannot_be_decoded_is_told(
    given: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("asft.decoder.vllm.in_process.find_spec", lambda name: None)
    assert cli.main(["eval", *ASKED, *given]) == 1
    assert told in capsys.readouterr().err


# The real one


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore")  # vLLM's own, of torch and Triton
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.parametrize("where", [[], ["--vllm", f"python={sys.executable}"]], ids=["in process", "server"])
def test_the_real_vllm_gives_the_items_of_transformers(
    where: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GB; on a CPU the default is most of the memory.
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    vllm = ["--decoder", "vllm", *where, "--vllm", "args=[--enforce-eager, --max-model-len=512]"]
    # At so low a temperature what is drawn is what is likeliest.
    asked = ["eval", "pocket", "--set", "tests=8", "--stop", "####", "--k", "2", "--temperature", "1e-4"]
    for name, more in (("hf", []), ("vllm", vllm)):
        assert cli.main([*asked, *more, "--out", str(tmp_path / name)]) == 0
    hf, found = (read_jsonl(tmp_path / name) for name in ("hf", "vllm"))
    assert found == hf
    assert all("####" not in row["text"] for row in found)
