#!/bin/sh
# Makes a Python environment with the greenlet package under target/ and prints its interpreter's path:
#   GREENLET_PYTHON=$(scripts/python-greenlet.sh) cargo test --test model
set -eu
cd "$(dirname "$0")/.."
version=3.5.6
venv="$PWD/target/python-greenlet-$version"
if ! "$venv/bin/python" -c "import greenlet; assert greenlet.__version__ == '$version'" 2>/dev/null; then
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "greenlet==$version" >&2
fi
echo "$venv/bin/python"
