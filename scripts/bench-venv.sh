#!/bin/sh
# Puts Python's greenlet where the benches look for it: benches/.venv.
set -eu
cd "$(dirname "$0")/../benches"
"${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check greenlet
.venv/bin/python -c 'import greenlet, sys; print("greenlet", greenlet.__version__, "on Python", sys.version.split()[0])'
