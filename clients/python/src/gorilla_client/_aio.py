"""The driver for asyncio: sends and sleeps for the core, and renews the locks of a client in tasks."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, TypeVar

import httpcore2

from ._clock import LOOK, Clock
from ._renew import Renewals
from ._server import TROUBLES, Server, header, retry_after
from ._steps import Failure, Outcome, Reply, Request, Send, Steps

if TYPE_CHECKING:
    from ._hold import Hold

T = TypeVar("T")

_IDLE = 5.0
"""How long the task that looks at the clock stays without locks, in seconds."""


class AsyncTransport:
    """The connections to the server, of one event loop."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._pool = httpcore2.AsyncConnectionPool(**server.pool_options())

    async def close(self) -> None:
        await self._pool.aclose()

    async def send(self, request: Request, timeout: float) -> Reply | Failure:
        server = self._server
        sent = self._clock.now()
        try:
            async with asyncio.timeout(timeout):
                response = await self._pool.request(
                    request.method,
                    server.address_of(request.path),
                    headers=server.headers_of(request),
                    content=server.content_of(request),
                    extensions=server.timeouts(timeout),
                )
        except TROUBLES as error:
            return server.failure(error)
        return Reply(
            sent,
            response.status,
            response.content,
            header(response.headers, b"x-request-id"),
            retry_after(response.headers),
        )

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, idle: float) -> AsyncGenerator[httpcore2.Response]:
        """An answer that goes on. Ends if nothing comes for so long."""
        server = self._server
        address = server.address_of(request.path)
        headers, extensions = server.headers_of(request), server.timeouts(idle)
        async with self._pool.stream(request.method, address, headers=headers, extensions=extensions) as response:
            yield response


async def drive(steps: Steps[T], transport: AsyncTransport, clock: Clock) -> T:
    """Runs steps of the core in this task."""
    outcome: Outcome = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        outcome = None
        if isinstance(step, Send):
            outcome = await transport.send(step.request, step.timeout)
        else:
            await sleep_until(step.until, clock)


async def drive_to_end(steps: Steps[T], transport: AsyncTransport, clock: Clock) -> T:
    """The same for what must be done although the task is cancelled: the loop ends, for example. The steps are bounded
    by time themselves."""
    outcome: Outcome = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        outcome = None
        try:
            if isinstance(step, Send):
                outcome = Failure(in_doubt=True, why="the request was cancelled")
                outcome = await transport.send(step.request, step.timeout)
            else:
                await sleep_until(step.until, clock)
        except asyncio.CancelledError:
            # Only the request or the sleep ends.
            continue


async def shielded(task: asyncio.Task[T], longest: float = math.inf) -> int:
    """Waits for the end of a task, also if this task is cancelled meanwhile, for `longest` seconds at most. Returns how
    often this task was cancelled."""
    loop = asyncio.get_running_loop()
    end = loop.time() + longest
    cancelled = 0
    while not task.done() and loop.time() < end:
        try:
            await asyncio.wait([task], timeout=None if longest == math.inf else end - loop.time())
        except asyncio.CancelledError:
            cancelled += 1
    return cancelled


async def sleep_until(until: float, clock: Clock) -> None:
    while (left := until - clock.now()) > 0:  # noqa: ASYNC110 - timers stand still while the machine is suspended
        await asyncio.sleep(min(left, LOOK))


class AsyncKeeper:
    """Renews the locks of a client, in the event loop of the client."""

    def __init__(self, transport: AsyncTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._renewals = Renewals(clock)
        self._wake = asyncio.Event()
        self._looks_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def add(self, hold: Hold) -> None:
        """Keeps a lock from now on."""
        self._renewals.add(hold)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="gorilla-keeper")
        elif min(hold.due, hold.deadline) < self._looks_at:
            self._wake.set()

    def remove(self, hold: Hold) -> None:
        self._renewals.remove(hold)

    def holds(self) -> list[Hold]:
        return self._renewals.holds()

    async def close(self) -> None:
        tasks = [*self._sending, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        idle_since = self._clock.now()
        while True:
            self._wake.clear()
            batches, again = self._renewals.look()
            for batch in batches:
                steps = self._renewals.renew(batch)
                task = asyncio.create_task(drive(steps, self._transport, self._clock), name="gorilla-renewal")
                self._sending.add(task)
                task.add_done_callback(self._sent)
            now = self._clock.now()
            if len(self._renewals):
                idle_since = now
            elif now - idle_since > _IDLE:
                self._task = None
                return
            self._looks_at = min(again, now + LOOK)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._looks_at - now)):
                    await self._wake.wait()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake.set()
