#!/bin/sh
# Writes the public names of Python's greenlet, gevent and eventlet to tests/porting/*.txt, which tests/porting/main.rs
# compares with the tables in src/porting. Needs CPython 3.11: names of other versions differ a little.
set -eu
cd "$(dirname "$0")/.."
greenlet=3.5.6 gevent=26.9.0 eventlet=0.41.3 dnspython=2.9.2
venv="$PWD/target/python-names-$greenlet-$gevent-$eventlet"
if [ ! -e "$venv/complete" ]; then
    "${PYTHON:-python3.11}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "greenlet==$greenlet" "gevent==$gevent" "eventlet==$eventlet" "dnspython==$dnspython"
    touch "$venv/complete"
fi
"$venv/bin/python" -W ignore scripts/python-names.py tests/porting
