"""Takes and releases locks with redis-py in a closed loop, and prints what it measured as a line of JSON.

Arguments: PORT own-locks|one-lock|semaphore CLIENTS WARM_UP_S MEASURED_S, as benches/src/programs.rs has them.

Each client is a thread. With 64 of them that made a fifth more cycles than redis.asyncio with as many tasks.
"""

import json
import os
import sys
import threading
import time

from redis import Redis

LEASE = 30


class Tally:
    """What all clients write into. The phase is one of warm-up, measured and over."""

    def __init__(self):
        self.phase = "warm-up"
        self.waits = []
        self.longest = 0.0


def closed_loop(lock, tally):
    longest = 0.0
    while tally.phase != "over":
        asked = time.perf_counter()
        lock.acquire()
        wait = time.perf_counter() - asked
        if tally.phase == "measured":
            tally.waits.append(wait)
        if tally.phase != "warm-up":
            longest = max(longest, wait)
        lock.release()
    tally.longest = max(tally.longest, longest)


def end_with_the_first_that_fails(failed):
    """Else the others would go on, and the figures would be those of fewer clients."""
    sys.__excepthook__(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


def run(port, workload, clients, warm_up, measured):
    threading.excepthook = end_with_the_first_that_fails
    # The pool has 100 connections by default, and fails whoever wants another.
    redis = Redis(host="127.0.0.1", port=port, max_connections=clients)
    names = ["bench" if workload != "own-locks" else f"bench-{client}" for client in range(clients)]
    tally = Tally()
    threads = [threading.Thread(target=closed_loop, args=(redis.lock(name, timeout=LEASE), tally)) for name in names]
    for thread in threads:
        thread.start()
    time.sleep(warm_up)
    cpu, begun = time.process_time(), time.perf_counter()
    tally.phase = "measured"
    time.sleep(measured)
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - begun
    tally.phase = "over"
    for thread in threads:
        thread.join()
    waits = sorted(tally.waits)

    def percentile(percent):
        return waits[len(waits) * percent // 100] if waits else 0.0

    # A cycle is two requests.
    return {
        "cycles_per_s": len(waits) / elapsed,
        "p50_us": percentile(50) * 1e6,
        "p99_us": percentile(99) * 1e6,
        "longest_us": tally.longest * 1e6,
        "load_cpu_us": cpu / len(waits) / 2 * 1e6 if waits else 0.0,
        "load_busy_percent": cpu / elapsed * 100,
    }


port, workload, clients, warm_up, measured = sys.argv[1:]
print(json.dumps(run(int(port), workload, int(clients), float(warm_up), float(measured))))
