#!/bin/sh
# Puts Python's greenlet and gevent where the benches look for them: benches/.venv.
set -eu
cd "$(dirname "$0")/../benches"
"${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check greenlet gevent
.venv/bin/python -c 'import greenlet, sys; print("greenlet", greenlet.__version__, "on Python", sys.version.split()[0])'
.venv/bin/python -c 'import gevent; print("gevent", gevent.__version__)'
