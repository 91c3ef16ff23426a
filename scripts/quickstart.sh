#!/usr/bin/env bash
# The main job on the embedded default, from a bare clone: an environment of its own, then a whole run of
# three rounds with the pocket student and the rules teacher. No key, no download of models, no GPU.
#
#     bash scripts/quickstart.sh [asft run arguments]
#
# Needs Python 3.11 or newer with venv, and a package index. PYTHON=... picks the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

make_environment .venv .
"$bin/asft" run recipes/quickstart.yaml "$@"
