"""Measures what the client costs: `.venv/bin/python bench.py`, after ./test has made .venv.

Prints the time of `with client.lock(…)` beside that of its two bare requests, beside redis-py's Lock on the same Redis,
and the threads and the memory of a thousand holds. GORILLA_BIN names the server: a debug build is slow.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median

import redis

from gorilla_client import AsyncClient, Client
from gorilla_client._requests import acquire, release
from gorilla_client._steps import Reply
from gorilla_client._threads import Transport

ROUNDS, CALLS = 15, 200


def measure(contestants: dict[str, Callable[[], None]]) -> dict[str, float]:
    """The median of the rounds, in microseconds a call. The contestants take turns, so that all meet the same
    machine."""
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, call in contestants.items():
            begun = time.perf_counter()
            for _ in range(CALLS):
                call()
            rounds[name].append((time.perf_counter() - begun) / CALLS * 1e6)
    return {name: median(times) for name, times in rounds.items()}


def resident() -> float:
    """The memory of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def overhead(url: str, socket: str) -> None:
    client = Client(url)
    transport: Transport = client._transport
    cache = redis.Redis(unix_socket_path=socket)

    def locks() -> None:
        with client.lock("bench"):
            pass

    def bare() -> None:
        body = {"owner": "bench", "timeout": 30}
        answer = transport.send(acquire("bare", body, str(uuid.uuid4())), 3.0)
        assert isinstance(answer, Reply)
        token = re.search(rb'"token":"([^"]+)"', answer.body)
        assert token is not None
        transport.send(release("bare", token[1].decode(), str(uuid.uuid4())), 3.0)

    def redis_py() -> None:
        with cache.lock("bench-redis-py", timeout=30):
            pass

    times = measure({"with client.lock": locks, "two bare requests": bare, "redis-py's Lock": redis_py})
    for name, took in times.items():
        print(f"{name:20} {took:8.0f} µs")
    ours = times["with client.lock"]
    for other in ("two bare requests", "redis-py's Lock"):
        print(f"with client.lock / {other}: {ours / times[other]:.2f}")
    client.close()


def holds(url: str) -> None:
    client = Client(url)
    client.state("warm")
    memory = resident()
    locks = [client.lock(f"hold-{number}", ttl=15).acquire() for number in range(1000)]
    most = 0
    end = time.monotonic() + 12
    while time.monotonic() < end:
        most = max(most, sum(thread.name.startswith("gorilla-") for thread in threading.enumerate()))
        time.sleep(0.05)
    held = sum(lock.held for lock in locks)
    more = resident() - memory
    print(f"threads: {held} of 1000 held for 12 s with a ttl of 15 s; {most} threads and {more:.1f} MB more")
    client.close()


async def holds_in_a_loop(url: str) -> None:
    async with AsyncClient(url) as client:
        await client.state("warm")
        memory = resident()
        locks = [client.lock(f"ahold-{number}", ttl=15) for number in range(1000)]
        for first in range(0, 1000, 50):
            await asyncio.gather(*(lock.acquire() for lock in locks[first : first + 50]))
        await asyncio.sleep(12)
        held = sum(lock.held for lock in locks)
        print(f"asyncio: {held} of 1000 held for 12 s with a ttl of 15 s; {resident() - memory:.1f} MB more")


def main() -> None:
    program = os.environ.get("GORILLA_BIN") or str(Path(__file__).parents[2] / "target" / "debug" / "gorilla")
    with tempfile.TemporaryDirectory() as state:
        arguments = [program, "dev", "--listen", "127.0.0.1:0", "--state", state]
        server = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert server.stdout is not None
            url = next(found[1] for line in server.stdout if (found := re.search(r"serves on (http://\S+),", line)))
            threading.Thread(target=server.stdout.read, daemon=True).start()
            overhead(url, f"{state}/redis.sock")
            holds(url)
            asyncio.run(holds_in_a_loop(url))
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
