"""Waits for conditions, in place of sleeps of a fixed length."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

DEADLINE = 30.0


def until(condition: Callable[[], object], deadline: float = DEADLINE) -> None:
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, "this did not come true in time"
        time.sleep(0.01)


async def auntil(condition: Callable[[], object], deadline: float = DEADLINE) -> None:
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, "this did not come true in time"
        await asyncio.sleep(0.01)
