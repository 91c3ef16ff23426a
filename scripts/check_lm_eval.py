"""Check that lm-evaluation-harness finds what asft found: the same texts and grades, item by item.

    python scripts/check_lm_eval.py [--environment DIR] [--items N] [--keep DIR]

A short run trains the pocket student on its own task; its merged model answers the test split again under
lm-eval, by the task that `asft export` writes. The same with a system prompt, two shots and a stop string;
and for GSM8K where $ASFT_DATA has it, on which the pocket student is hardly ever right: what agrees there is
how wrong, missing and cut-off answers are graded. Prints how many items agree and each that does not; exits
with 1 where there is one.

lm-eval and asft are installed into --environment (default: .venv-lm-eval in the clone).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from asft.rundir import read_jsonl

ROOT = Path(__file__).resolve().parent.parent
LM_EVAL = "lm_eval==0.4.13"
VARIABLES = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def interpreter(environment: Path) -> str:
    """A Python that has lm-eval and asft."""
    python = environment / "bin" / "python"
    if python.exists():
        return str(python)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    (environment / ".gitignore").write_text("*\n")
    subprocess.run([python, "-m", "pip", "install", "--quiet", LM_EVAL, "-e", ROOT], check=True)
    return str(python)


def recipes(items: int, folder: Path) -> Iterator[dict[str, Any]]:
    """What is run: a round of a few examples each."""
    shared = {
        "seed": 1,
        "rounds": 1,
        "student": {"base": "pocket", "max_new_tokens": 200},
        "teacher": {"use": "rules"},
        "criterion": {"use": "loss", "of": "gold"},
        "selector": {"use": "random"},
        "writer": {"use": "question_then_answer"},
        "filters": [{"use": "well_formed"}],
        "per_round": 16,
        "train": {"max_steps": 10, "warmup_steps": 0},
    }
    pocket = {"use": "pocket", "seeds": 50, "tests": items}
    yield {**shared, "name": "pocket", "task": pocket}
    around = {"system": "Answer the question.", "shots": 2, "stop": ["\n####"]}
    yield {**shared, "name": "pocket-shots", "task": pocket, "evaluate": around}
    data = os.environ.get("ASFT_DATA")
    if data is None:
        print("gsm8k is left out: ASFT_DATA is not set (a folder with gsm8k/train.jsonl and test.jsonl)")
        return
    source = Path(data) / "gsm8k"
    cut = folder / "gsm8k-data"
    cut.mkdir(exist_ok=True)
    for name, most in (("train", 400), ("test", items)):
        lines = (source / f"{name}.jsonl").read_text("utf-8").split("\n")[:most]
        (cut / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    writer = {"use": "question_with_answer", "prompt": "gsm8k_question_with_answer"}
    yield {**shared, "name": "gsm8k", "task": {"use": "gsm8k", "source": str(cut)}, "writer": writer}


def command(*arguments: object, folder: Path) -> None:
    """Run it, and show what it said where it fails."""
    done = subprocess.run(
        [str(one) for one in arguments],
        cwd=folder,
        env={**os.environ, **VARIABLES},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))} breaks off:\n{(done.stdout + done.stderr)[-3000:]}")


def disagreements(python: str, settings: dict[str, Any], folder: Path) -> list[str]:
    """Run the recipe, export it and run the task; what differs."""
    name = settings["name"]
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(settings))
    started = time.monotonic()
    command(python, "-m", "asft", "run", f"{name}.yaml", "--out", name, folder=folder)
    parts = ("--only", "merged", "--only", "lm-eval")
    command(python, "-m", "asft", "export", name, "--out", f"{name}-out", *parts, folder=folder)
    place = folder / f"{name}-out" / "lm-eval"
    shown = (place / "README.md").read_text("utf-8").split("```bash\n")[1].split("\n```")[0].split()
    # As its README has it; lm_eval is beside the interpreter.
    harness = [str(Path(python).parent / shown[0]), *shown[1:]]
    command(*harness, "--log_samples", "--output_path", place / "found", folder=place)
    [samples] = (path for path in (place / "found").rglob("samples_*") if path.is_file())
    theirs = {row["doc"]["id"]: row for row in read_jsonl(samples)}
    ours = read_jsonl(folder / name / "round-01" / "evaluate.jsonl")
    differ = []
    for row in ours:
        other = theirs.pop(row["example_id"], None)
        if other is None:
            differ.append(f"{name} {row['example_id']}: lm-eval has no such item")
            continue
        same_text = other["resps"][0][0] == row["text"]
        graded = (other["accuracy"] == 1.0, other["unparsable"] == 1.0)
        if not same_text or graded != (row["grade"] == 1.0, row["grade"] is None):
            said = json.dumps([row["text"], other["resps"][0][0]])
            differ.append(f"{name} {row['example_id']}: grade {row['grade']} and {graded}, answers {said}")
    differ += [f"{name} {one}: asft has no such item" for one in theirs]
    right = sum(row["grade"] == 1.0 for row in ours)
    missing = sum(row["grade"] is None for row in ours)
    cut = sum(row["finish"] == "length" for row in ours)
    print(
        f"{name}: {len(ours) - len(differ)} of {len(ours)} items agree; {right} right, {missing} without a "
        f"final answer, {cut} cut off; {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return differ


def main() -> int:
    """Parse, run, say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv-lm-eval")
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--keep", type=Path, help="a folder for runs and exports (default: a temporary one)")
    arguments = parser.parse_args()
    python = interpreter(arguments.environment.resolve())
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        differ = [
            line for one in recipes(arguments.items, folder) for line in disagreements(python, one, folder)
        ]
    print("\n".join(differ))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
