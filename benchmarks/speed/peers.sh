#!/bin/sh
# Installs the tools that asft is measured beside, each into an environment of its own under .venv-peers/.
#   sh benchmarks/speed/peers.sh
# PYTHON names the interpreter (default: python3); 3.11 is what the figures were taken with.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .venv-peers

install() {
    folder=".venv-peers/$1"
    shift
    "${PYTHON:-python3}" -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
    "$folder/bin/pip" freeze >"$folder/versions.txt"
}

# Its extra leaves out requests, which it imports.
install distilabel "distilabel[openai]==1.5.3" requests
install curator "bespokelabs-curator==0.1.31"
install rouge-score "rouge-score==0.1.2"
