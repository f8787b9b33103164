"""Takes and releases locks with redis-py in a closed loop, and prints what it measured as a line of JSON.

Arguments: own|one PORT CLIENTS WARM_UP_S MEASURED_S, as benches/src/direct/mod.rs has them.
"""

import asyncio
import json
import sys
import time

from redis.asyncio import Redis

LEASE = 30


class Tally:
    """What all clients write into. The phase is one of warm-up, measured and over."""

    def __init__(self):
        self.phase = "warm-up"
        self.waits = []
        self.longest = 0.0


async def closed_loop(lock, tally):
    while tally.phase != "over":
        asked = time.perf_counter()
        await lock.acquire()
        wait = time.perf_counter() - asked
        if tally.phase == "measured":
            tally.waits.append(wait)
        if tally.phase != "warm-up":
            tally.longest = max(tally.longest, wait)
        await lock.release()


async def run(locks, port, clients, warm_up, measured):
    # The pool has 100 connections by default, and fails whoever wants another.
    redis = Redis(host="127.0.0.1", port=port, max_connections=clients)
    names = ["bench" if locks == "one" else f"bench-{client}" for client in range(clients)]
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(closed_loop(redis.lock(name, timeout=LEASE), tally))
        await asyncio.sleep(warm_up)
        cpu, begun = time.process_time(), time.perf_counter()
        tally.phase = "measured"
        await asyncio.sleep(measured)
        cpu, elapsed = time.process_time() - cpu, time.perf_counter() - begun
        tally.phase = "over"
    await redis.aclose()
    waits = sorted(tally.waits)

    def percentile(percent):
        return waits[len(waits) * percent // 100] if waits else 0.0

    return {
        "cycles": len(waits),
        "elapsed": elapsed,
        "p50": percentile(50),
        "p99": percentile(99),
        "longest": tally.longest,
        "client_cpu": cpu,
    }


locks, port, clients, warm_up, measured = sys.argv[1:]
print(json.dumps(asyncio.run(run(locks, int(port), int(clients), float(warm_up), float(measured)))))
