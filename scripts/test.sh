#!/usr/bin/env bash
# The whole check, from a bare clone: an environment of its own, then ruff, mypy and pytest.
#
#     bash scripts/test.sh [pytest arguments]
#
# Slow tests are among them, which a bare `pytest` leaves out; -m 'not slow' leaves them out here, too.
# Needs Python 3.11 or newer with venv, and a package index. PYTHON=... picks the interpreter. ASFT_DATA=...
# is a folder with gsm8k/{train,test}.jsonl; without it the tests that read that data are skipped, and say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source scripts/environment.sh

# Two processes that both spin their OpenMP threads on the same cores starve each other.
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
# A test that reaches for the network fails at once instead of hanging, and nothing is reported home.
export HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1

make_environment .venv-test '.[dev]'
step "ruff check" "$bin/ruff" check
step "ruff format --check" "$bin/ruff" format --check
step "mypy --strict" "$bin/mypy"
echo "pytest${ASFT_DATA:+ with ASFT_DATA=$ASFT_DATA}"
# One process for each core; neighbours stay together, since what a file's tests share is made in each process.
"$bin/python" -m pytest -n auto --maxprocesses 8 --dist worksteal -m '' "$@"
