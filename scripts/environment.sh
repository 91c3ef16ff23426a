# Sourced by the other scripts: makes an environment of their own in the clone, and has asft in it.
#
#     make_environment DIR WHAT     e.g. make_environment .venv-test '.[dev]'; sets $bin
#
# An environment that is there and up to date is used as it is.

# A module that lies on the caller's path must not stand in for one that the package forgot to require.
unset PYTHONPATH PYTHONHOME

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step NAME COMMAND...: one line with its seconds; the command's output only where it fails.
step() {
    local name=$1 start=$SECONDS status=0
    shift
    printf '%-58s ' "$name"
    "$@" >"$log" 2>&1 || status=$?
    if ((status)); then
        printf 'FAILED after %d s\n' $((SECONDS - start))
        cat "$log"
        exit "$status"
    fi
    printf '%4d s\n' $((SECONDS - start))
}

suitable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    if [[ -n ${PYTHON:-} ]]; then
        suitable "$PYTHON" && echo "$PYTHON" && return
        echo "PYTHON=$PYTHON is not Python 3.11 or newer with venv and pip" >&2
        return 1
    fi
    # The caller's own python3 first: on a machine with several it is the one that they chose.
    for candidate in python3 python3.13 python3.12 python3.11; do
        suitable "$candidate" && echo "$candidate" && return
    done
    echo "asft needs Python 3.11 or newer with venv (on Debian and Ubuntu: apt install python3-venv)." >&2
    echo "None of python3, python3.13, python3.12, python3.11 is that; name one with PYTHON=/path/to/python." >&2
    return 1
}

# What the environment is made from: it is made anew when any of this changes, or when the clone has moved.
fingerprint() {
    "$python" -c 'import hashlib, os, sys
parts = [sys.version, os.path.realpath(sys.executable), os.getcwd(), open("pyproject.toml").read()]
parts.append(os.environ["ASFT_INSTALL"])
print(hashlib.sha256("\0".join(parts).encode()).hexdigest())'
}

# uv resolves and installs several times faster than pip, but does not read pip's settings: a mirror or a
# folder of wheels that pip is told of has to reach uv as well, or the two install different things.
install_with_uv() {
    "$bin/python" -m pip install --quiet uv && "$bin/python" - <<'PYTHON'
import ast
import os
import subprocess
import sys

UV_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
# Weakest first, as in pip.
SECTIONS = ("global", "install", ":env:")

listed = subprocess.run(
    [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
).stdout
settings = {}
for line in listed.splitlines():
    key, _, value = line.partition("=")
    settings[key] = ast.literal_eval(value)
environment = dict(os.environ)
for section in SECTIONS:
    for option, (name, separator) in UV_NAMES.items():
        value = settings.get(f"{section}.{option}")
        # A setting of uv's own stands: whoever made it meant uv.
        if value and name not in os.environ:
            environment[name] = separator.join(value.split())
if "UV_INDEX" in environment:
    # pip takes the best version that any index has; uv by itself stops at the first index with the name.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
command = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "-e", os.environ["ASFT_INSTALL"]]
sys.exit(subprocess.call(command, env=environment))
PYTHON
}

install_with_pip() {
    echo "uv did not install the package; pip's own account follows" && "$bin/python" -m pip install -e "$ASFT_INSTALL"
}

install() {
    install_with_uv || install_with_pip
}

make_environment() {
    local venv=$1 python stamp
    export ASFT_INSTALL=$2
    bin=$venv/bin
    python=$(find_python)
    stamp=$(fingerprint)
    if [[ $(cat "$venv/asft-stamp" 2>/dev/null) == "$stamp" ]]; then
        echo "environment $venv is up to date"
        return
    fi
    step "make $venv with $("$python" -V)" "$python" -m venv --clear "$venv"
    step "install $ASFT_INSTALL" install
    step "pip check" "$bin/python" -m pip check
    # Written last: an environment whose making was cut short is made anew.
    echo "$stamp" >"$venv/asft-stamp"
}
