"""The metric script of `evaluate`: loads by its path, needs no network, and grades as asft does."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "metrics" / "answer_accuracy"
PROGRAM = """
import json, sys
import evaluate
metric = evaluate.load(sys.argv[1])
print(json.dumps(metric.compute(**json.loads(sys.argv[2]))))
"""


@pytest.mark.skipif(find_spec("evaluate") is None, reason="the package evaluate is not installed")
def test_it_gives_accuracy_interval_and_grades_by_hand(tmp_path: Path) -> None:
    given = {
        "predictions": [
            "so 40+32 = 72\n#### 72",
            "The answer is $1,000.",
            "I do not know",
            r"\boxed{\frac{1}{2}}",
            r"\boxed{(1, 2)}",
            "#### 2",
        ],
        "references": ["72", "worked\n#### 1000.0", "5", "0.75", "(1,2)", "(1,2)"],
    }
    # In a process of its own: the library writes to a cache and to loggers of its own.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SCRIPT), json.dumps(given)],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["grades"] == [1.0, 1.0, None, 0.0, 1.0, 0.0]
    assert (found["accuracy"], found["right"], found["unparsable"]) == (0.5, 3, 1)
    # Wilson of 3 of 6, z = 1.96: half the width is 1.96 sqrt(0.25/6 + 1.96^2/144) / (1 + 1.96^2/6).
    assert (found["low"], found["high"]) == pytest.approx((0.1876, 0.8124), abs=1e-4)
