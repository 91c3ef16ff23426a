"""What every test shares: the data sets of the machine, quiet libraries, and repeatable property tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Set before any test module imports torch or a Hugging Face library, which read them once. They are the
# same as in scripts/test.sh, so that a bare `pytest` tests the same thing.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

# A shell starts what runs in the background with SIGINT ignored, and so are its children: none would end on
# the Ctrl-C that a test sends.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every machine and run: a check that fails on one commit in ten hides who broke it.
# No deadline: a busy machine is not a failure.
settings.register_profile("asft", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("asft")


@pytest.fixture(scope="session")
def asft_data() -> Path:
    """The folder with the data sets, where the machine has one."""
    named = os.environ.get("ASFT_DATA")
    if not named:
        pytest.skip("ASFT_DATA is not set (a folder with gsm8k/train.jsonl and gsm8k/test.jsonl)")
    folder = Path(named)
    if not folder.is_dir():
        # A misspelt folder must not pass for "no data here".
        pytest.fail(f"ASFT_DATA={named} is not a folder")
    return folder


@pytest.fixture(scope="session")
def gsm8k(asft_data: Path) -> Path:
    """The folder with train.jsonl and test.jsonl of GSM8K."""
    folder = asft_data / "gsm8k"
    if not folder.is_dir():
        pytest.fail(f"{folder} does not exist")
    return folder
