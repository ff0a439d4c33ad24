"""Tasks of gevent, asked one line at a time: `what size laps` -> nanoseconds, or `no`. The loops are those of
src/tasks; sleeps are left out, a million of them take too long here."""

import sys
from time import thread_time_ns

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore, Semaphore
from gevent.pool import Pool
from gevent.queue import Queue

FAR = 10
MEMBERS = 100


def everyone(size, run):
    gevent.joinall([gevent.spawn(run) for _ in range(size)])


def spawns(size, laps):
    for lap in range(laps):
        for task in [gevent.spawn(lambda: lap) for _ in range(size)]:
            task.get()


def yields(size, laps):
    def run():
        for _ in range(laps):
            gevent.sleep(0)

    everyone(size, run)


def timeouts(size, laps):
    def run():
        for _ in range(laps):
            with gevent.Timeout(FAR):
                gevent.sleep(0)

    everyone(size, run)


def hand_off(capacity, laps):
    queue = Queue(capacity)

    def get():
        for _ in range(laps):
            queue.get()

    def put():
        for lap in range(laps):
            queue.put(lap)

    gevent.joinall([gevent.spawn(get), gevent.spawn(put)])


def acquires(semaphore, size, laps):
    def run():
        for _ in range(laps):
            with semaphore:
                if size > 1:
                    gevent.sleep(0)

    everyone(size, run)


def mutex(size, laps):
    acquires(BoundedSemaphore(1), size, laps)


def semaphore(size, laps):
    acquires(Semaphore((size + 1) // 2), size, laps)


def broadcast(size, laps):
    here = 0
    all_here = Event()
    # An event that is cleared before its waiters run is not set for them: each lap has its own.
    told = [Event() for _ in range(laps)]

    def run():
        nonlocal here
        for lap in range(laps):
            here += 1
            if here == size:
                all_here.set()
            told[lap].wait()

    tasks = [gevent.spawn(run) for _ in range(size)]
    for lap in range(laps):
        all_here.wait()
        all_here.clear()
        here = 0
        told[lap].set()
    gevent.joinall(tasks)


def mapped(size, laps):
    pool = Pool(MEMBERS)
    for _ in range(laps):
        pool.map(lambda item: item, range(size))


LOOPS = {
    "spawn": spawns,
    "yield": yields,
    "timeout": timeouts,
    "queue": hand_off,
    "mutex": mutex,
    "semaphore": semaphore,
    "event": broadcast,
    "pool": mapped,
}


def answer(words):
    if words[0] == "version":
        return gevent.__version__
    run = LOOPS.get(words[0])
    if run is None:
        return "no"
    began = thread_time_ns()
    run(int(words[1]), int(words[2]))
    return thread_time_ns() - began


def main():
    for line in sys.stdin:
        print(answer(line.split()), flush=True)


if __name__ == "__main__":
    main()
