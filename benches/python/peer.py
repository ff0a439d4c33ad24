"""Python's greenlet, asked one line at a time: `what size laps` -> nanoseconds, or `no`.

Processor time, as src/measure.rs takes it. The loops are those of src/work.rs: a body suspends at the bottom of a chain of calls, for ever.
"""

import platform
import sys
from time import thread_time_ns

import greenlet
from greenlet import getcurrent

new = greenlet.greenlet


class Thrown(Exception):
    pass


def zero(home, value):
    return home.switch(value)


def one(home, value):
    return home.switch(value + 1) + 1


def two(home, value):
    return one(home, value + 1) + 1


def three(home, value):
    return two(home, value + 1) + 1


def four(home, value):
    return three(home, value + 1) + 1


def other_one(home, value):
    return home.switch(value + 3) + 3


def other_two(home, value):
    return other_one(home, value + 3) + 3


def endless(step):
    home = getcurrent()

    def body(value):
        while True:
            # The values are kept small: growing integers are Python's own cost.
            value = step(home, value) & 0xFFFF

    return new(body)


def started(step):
    g = endless(step)
    g.switch(0)
    return g


def resumer_one(g, value):
    return g.switch(value + 1) + 1


def resumer_two(g, value):
    return resumer_one(g, value + 1) + 1


def round_trip(depth):
    g = started({0: zero, 2: two, 4: four}[depth])

    def run(laps):
        value = 0
        for _ in range(laps):
            value = g.switch(value)

    return run


def resumer_two_deep(_):
    g = started(four)

    def run(laps):
        value = 0
        for _ in range(laps):
            value = resumer_two(g, value) & 0xFFFF

    return run


def in_turn(greenlets):
    def run(laps):
        value = 0
        for _ in range(laps):
            for g in greenlets:
                value = g.switch(value)

    return run


def two_chains(count):
    return in_turn([started((two, other_two)[i % 2]) for i in range(count)])


def ring(count):
    return in_turn([started(two) for _ in range(count)])


def direct(count):
    home = getcurrent()
    siblings = []

    def onward_one(target, value):
        return target.switch(value)

    def onward_two(target, value):
        return onward_one(target, value)

    def sibling(index):
        def body(_):
            target = siblings[(index + 1) % count]
            left = home.switch()
            while True:
                left -= 1
                left = onward_two(target if left else home, left)

        return new(body)

    siblings.extend(sibling(i) for i in range(count))
    for g in siblings:
        # From home: a greenlet started by another one inherits its depth of recursion.
        g.switch(0)

    def run(laps):
        siblings[0].switch(laps * count)

    return run


def create_finish(_):
    def body(value):
        return value + 1

    def run(laps):
        value = 0
        for _ in range(laps):
            value = new(body).switch(value) & 0xFFFF

    return run


def create_kill(_):
    home = getcurrent()

    def body(value):
        while True:
            value = two(home, value)

    def run(laps):
        value = 0
        for _ in range(laps):
            g = new(body)
            value = g.switch(value) & 0xFFFF
            del g

    return run


def create_unstarted(_):
    def body(value):
        return value + 1

    def run(laps):
        for _ in range(laps):
            new(body)

    return run


def throw_unwinding(_):
    home = getcurrent()

    def body(value):
        while True:
            try:
                value = two(home, value)
            except Thrown:
                value = 0

    g = new(body)
    g.switch(0)

    def run(laps):
        for _ in range(laps):
            g.throw(Thrown)

    return run


QUESTIONS = {
    f.__name__: f
    for f in (
        round_trip,
        resumer_two_deep,
        two_chains,
        ring,
        direct,
        create_finish,
        create_kill,
        create_unstarted,
        throw_unwinding,
    )
}


def main():
    asked, run = None, None
    for line in sys.stdin:
        words = line.split()
        if words == ["version"]:
            answer = f"greenlet {greenlet.__version__}, Python {platform.python_version()}"
        elif words[0] not in QUESTIONS:
            answer = "no"
        else:
            if asked != words[:2]:
                asked, run = words[:2], None
                run = QUESTIONS[words[0]](int(words[1]))
            laps = int(words[2])
            start = thread_time_ns()
            run(laps)
            answer = thread_time_ns() - start
        print(answer, flush=True)


main()
