#!/usr/bin/env bash
# Makes the virtual environment and installs the locked packages: `stack/install.sh run` or `stack/install.sh dev`.
# It does nothing when what is locked is installed already, and two of it at once wait for each other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted=${1:-run}
python=${PYTHON:-python3}
locked=requirements/$wanted.txt
# dev.txt holds all of run.txt, so an environment for development also runs.
stamps=(".venv/installed-$wanted.txt")
[ "$wanted" = run ] && stamps+=(".venv/installed-dev.txt")

fail() {
    echo "error: $*" >&2
    exit 1
}

is_installed() {
    local stamp source
    for stamp in "${stamps[@]}"; do
        source=requirements/${stamp##*installed-}
        if [ -x .venv/bin/python ] && cmp -s "$source" "$stamp"; then return 0; fi
    done
    return 1
}

is_installed && exit 0

command -v "$python" >/dev/null || fail "$python is not here: install Python 3.11 or later, or name one with PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: this needs Python 3.11 or later; name one with PYTHON=..."

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        fail "Python's venv module is missing: install it with 'sudo apt-get install $package' and run this again"
    echo "Installing $package, which this Python lacks ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package"; } >/dev/null ||
        fail "'apt-get install $package' failed: install Python's venv module by hand and run this again"
fi

mkdir -p .venv
exec 9>.venv/install.lock
flock 9
is_installed && exit 0

echo "Installing the packages of $locked into .venv ..."
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    # Whatever is left of one that does not work, its links to a Python that is gone above all, is in the way.
    rm -rf .venv/bin .venv/lib .venv/lib64 .venv/include .venv/pyvenv.cfg
    "$python" -m venv .venv
fi
PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --quiet --require-hashes -r "$locked" ||
    fail "the packages could not be installed: the lines above say why"
cp "$locked" ".venv/installed-$wanted.txt"
