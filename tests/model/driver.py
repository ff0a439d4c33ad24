"""Runs programs that python.rs emits, each against the real greenlet package, and prints their logs.

Standard input: for each program a line with its length in bytes, then its source. Standard output: for each
program its log, then a line with one dot.
"""

import gc
import os
import sys

from greenlet import GreenletExit, getcurrent, greenlet

LOG = []
L = LOG.append
SLOTS = []  # handles, as in the other two runs; nothing else may hold a greenlet between two steps
SCRIPTS = []
CREATED = set()


class Error(Exception):
    def __init__(self, number):
        self.number = number


def show(value):
    return "exit" if isinstance(value, GreenletExit) else str(value)


def name(error):
    if isinstance(error, Error):
        return f"error {error.number}"
    return "exit" if isinstance(error, GreenletExit) else repr(error)


def who(found):
    return "none" if found is None else str(found.number)


def run(number, script):
    try:
        value = script() or 0
    except BaseException as error:
        L(f"{number} raised {name(error)}")
        raise
    L(f"{number} returned {value}")
    return value


def body(number):
    def start(*first):
        # An unstarted greenlet that is started by a child's exit gets no argument (see differences.rs).
        L(f"{number} started {show(first[0]) if first else 'exit'}")
        return run(number, SCRIPTS[number])

    return start


def make(number, parent=None):
    made = greenlet(body(number), parent)
    made.number = number
    return made


def clone(source, slot):
    old = SLOTS[slot]
    SLOTS[slot] = SLOTS[source]
    old = None  # the last handle, if it was one, goes here


def keep_current(slot):
    old = SLOTS[slot]
    SLOTS[slot] = getcurrent()
    old = None


def keep_parent(child, slot):
    old = SLOTS[slot]
    SLOTS[slot] = SLOTS[child].parent
    old = None


def create(number):
    CREATED.add(number)
    old = SLOTS[number]
    SLOTS[number] = make(number)
    old = None


def program(slots, scripts, parents):
    """Creates what is born at the start, runs the root's script, then looks at all slots and empties them."""
    SLOTS[:] = [None] * slots
    SCRIPTS[:] = scripts
    SLOTS[0] = getcurrent()
    CREATED.clear()
    for number, parent in enumerate(parents):
        if parent is not None:
            CREATED.add(number)
            SLOTS[number] = make(number, SLOTS[parent])
    try:
        run(0, scripts[0])
    except (Error, GreenletExit):
        pass
    for slot in range(slots):
        if SLOTS[slot] is not None:
            L(f"0 dead {slot} {'true' if SLOTS[slot].dead else 'false'}")
            L(f"0 parent {slot} {who(SLOTS[slot].parent)}")
    while SLOTS.count(None) < slots:
        for slot in range(slots):
            if SLOTS[slot] is not None:
                SLOTS[slot] = None
                L(f"0 dropped {slot}")
    L("end")


class Stderr:
    """CPython's complaint is the only thing that is written here."""

    def write(self, text):
        if text.startswith("GreenletExit did not kill"):
            L("did not kill")


def unraisable(report):
    L(f"unraisable {name(report.exc_value)}")


def main():
    gc.disable()
    getcurrent().number = 0
    sys.unraisablehook = unraisable
    sys.stderr = Stderr()
    while header := sys.stdin.buffer.readline():
        source = sys.stdin.buffer.read(int(header))
        LOG.clear()
        names = dict(globals())
        try:
            exec(compile(source, "program", "exec"), names)
        except BaseException as error:
            L(f"the program itself failed: {error!r}")
        names.clear()
        print("\n".join(LOG), ".", sep="\n", flush=True)
    os._exit(0)  # what is still suspended stays so


main()
