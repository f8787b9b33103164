"""The client for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import warnings
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from . import _fencing as fencing
from ._acquire import Acquire
from ._aio import AsyncKeeper, AsyncTransport, drive, drive_to_end, shielded, sleep_until
from ._client import SKIPPED, BaseClient, Part, Skipped, attach, first_loss, in_use, parts_of
from ._clock import Clock
from ._deliver import PATIENCE
from ._errors import GorillaError, LockLost, NotAcquired, Unavailable, Unknown
from ._hold import Hold, Ticket
from ._options import TTL, Listener, Mode, Options
from ._renew import adopt, extend, release
from ._server import TROUBLES
from ._steps import Steps
from ._view import View
from ._watching import IDLE, LockEvent, Watch

if TYPE_CHECKING:
    from ._generated import Broken, Free, Held, Limit, Queue, Shared

P = ParamSpec("P")
T = TypeVar("T")

_PAUSE_OF_CANDIDATE = 1.0
"""How long a candidate pauses that can't reach the server, in seconds."""
_MOMENT = 2.0
"""How long a cancelled acquire waits at most until the server has taken it back, in seconds."""


class _AsyncScope:
    """The life of one lock or of several: acquired together, released together."""

    def __init__(
        self,
        client: AsyncClient,
        parts: Sequence[tuple[str, dict[str, Any]]],
        options: Options,
        *,
        is_set: bool,
        on_lost: Callable[[LockLost], object] | None,
        on_event: Listener | None,
    ) -> None:
        self._client = client
        self._parts = parts
        self._options = options
        self._is_set = is_set
        self._on_lost = on_lost
        self._on_event = on_event
        self._is_acquiring = False
        self._holds: list[Hold] = []
        self._body: asyncio.Task[Any] | None = None
        self._cancels_before = 0
        self._has_cancelled = False
        self.lost = asyncio.Event()
        """Set when the lock counts as lost."""

    async def _acquire(self) -> list[Hold]:
        if self._is_acquiring or self._holds:
            raise in_use()
        self._is_acquiring = True
        client = self._client
        client._open()
        acquire = Acquire(
            client._clock,
            self._parts,
            self._options,
            is_set=self._is_set,
            patience=client._patience,
            on_event=self._on_event,
        )
        try:
            holds = await client._run(acquire.run())
        except GorillaError:
            raise
        except BaseException:
            if acquire.is_in_doubt:
                await client._in_background(acquire.undo())
            raise
        finally:
            self._is_acquiring = False
        self._begin(holds)
        return holds

    def _begin(self, holds: list[Hold]) -> None:
        self.lost.clear()
        self._holds = holds
        for hold in holds:
            hold.when_lost(functools.partial(_tell_lost, weakref.ref(self), hold))
            self._client._keeper.add(hold)

    def _enter_body(self) -> None:
        """From now on a loss cancels this task."""
        task = asyncio.current_task()
        if task is not None:
            self._body, self._cancels_before = task, task.cancelling()
            if self.lost.is_set():
                self._cancel_body()

    def _cancel_body(self) -> None:
        if self._body is not None and not self._has_cancelled:
            self._has_cancelled = True
            self._body.cancel("the lock is lost")

    def _tell_lost(self, hold: Hold) -> None:
        self.lost.set()
        self._cancel_body()
        if self._on_lost is not None and hold.lost is not None:
            self._on_lost(hold.lost)

    async def _release(self) -> tuple[LockLost | None, int]:
        """Gives back what is held, also if this task is cancelled meanwhile. The loss, if a lock was lost, and how
        often this task was cancelled."""
        holds, self._holds = self._holds, []
        holds = [hold for hold in holds if not hold.is_foreign]
        if not holds:
            return None, 0
        task = asyncio.create_task(self._client._release(holds), name="gorilla-release")
        cancelled = await shielded(task)
        task.result()
        return first_loss(holds), cancelled

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        body, self._body = self._body, None
        loss, cancelled = await self._release()
        is_ours = False
        if self._has_cancelled and body is not None:
            self._has_cancelled = False
            # As asyncio.timeout does: was the task cancelled by this lock alone?
            is_ours = body.uncancel() <= self._cancels_before
            if cancelled and is_ours and not isinstance(error, asyncio.CancelledError):
                # It came too late for the body, and ended nothing.
                cancelled = 0
        if isinstance(error, asyncio.CancelledError):
            if is_ours and loss is not None:
                raise loss from error
            attach(error, loss)
        elif error is not None:
            attach(error, loss)
            if cancelled:
                raise asyncio.CancelledError from error
        elif cancelled:
            raise asyncio.CancelledError
        elif loss is not None:
            raise loss

    async def release(self) -> None:
        """Gives the lock back, and waits until the server has confirmed it, for as long as the patience of the client.

        Raises `LockLost` if the lock was lost before. If the server doesn't confirm the release, the lock ends with its
        lease; the event `not_released` tells it.
        """
        if not self._holds:
            raise RuntimeError("the lock is not held by this object")
        loss, cancelled = await self._release()
        if cancelled:
            raise asyncio.CancelledError
        if loss is not None:
            raise loss

    def __del__(self) -> None:
        holds = [hold for hold in self._holds if hold.is_held()]
        for hold in holds:
            # A finalizer may run anywhere, so it sends nothing: the lock ends with its lease.
            self._client._keeper.remove(hold)
            warnings.warn(f'the lock "{hold.resource}" was never released', ResourceWarning, source=self, stacklevel=2)


def _tell_lost(scope: weakref.ref[_AsyncScope], hold: Hold) -> None:
    """Tells a loss to the lock object, if it is still there: the keeper keeps no lock object alive."""
    found = scope()
    if found is not None:
        found._tell_lost(hold)


class AsyncLock(View, _AsyncScope):
    """A lock, for `async with`. Made by `AsyncClient.lock`."""

    def __init__(
        self,
        client: AsyncClient,
        resource: str,
        options: Options,
        on_lost: Callable[[LockLost], object] | None,
        on_event: Listener | None,
    ) -> None:
        View.__init__(self, resource)
        parts = [(resource, options.kind())]
        _AsyncScope.__init__(self, client, parts, options, is_set=False, on_lost=on_lost, on_event=on_event)

    async def acquire(self) -> Self:
        """Acquires the lock, or raises `NotAcquired` at the end of the wait. A loss then cancels nothing: look at
        `lost`. `release` gives the lock back; prefer `async with`."""
        self._hold = (await self._acquire())[0]
        return self

    async def __aenter__(self) -> Self:
        await self.acquire()
        self._enter_body()
        return self

    def scope(self) -> AbstractAsyncContextManager[AsyncLock]:
        """The body of a lock that `acquire` has acquired: `async with lock.scope():` releases it at its end, and is
        cancelled when the lock is lost."""
        return _Acquired(self)

    async def extend(self, ttl: float) -> None:
        """Gives the lease another length, counted from now: of a lock that is not renewed. A lease can't be shortened.

        Raises `LockLost` if the lock has ended.
        """
        client = self._client
        give_up = client._clock.now() + client._patience
        await client._run(extend(client._clock, self._held_once(), ttl, give_up))

    def detach(self) -> Ticket:
        """Ends the renewing, and leaves the lock to another process, which adopts the ticket before the lease ends."""
        hold = self._held_once()
        ticket = hold.detach()
        self._client._keeper.remove(hold)
        self._holds = []
        return ticket

    async def fence_in(
        self,
        cursor: Any,
        resource: str | None = None,
        floor: int | None = None,
        table: str = fencing.TABLE,
        paramstyle: fencing.Paramstyle | None = None,
    ) -> None:
        """Notes the fence of this lock in the database, in the transaction that writes. Raises `Superseded` if a later
        holder has written; roll back then. The cursor is one of psycopg or aiosqlite, or a connection of asyncpg."""
        floor = self.floor if floor is None else floor
        await fencing.fence_in_async(
            cursor, resource or self.resource, self.fence, floor, table=table, paramstyle=paramstyle
        )


class AsyncHeldLock(View):
    """One of the locks of an `AsyncLockSet`."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(hold.resource)
        self._hold = hold

    fence_in = AsyncLock.fence_in


class AsyncLockSet(_AsyncScope):
    """Several locks, all or none, for `async with`. Made by `AsyncClient.locks`."""

    def __init__(
        self,
        client: AsyncClient,
        parts: Sequence[tuple[str, dict[str, Any]]],
        options: Options,
        on_lost: Callable[[LockLost], object] | None,
        on_event: Listener | None,
    ) -> None:
        super().__init__(client, parts, options, is_set=True, on_lost=on_lost, on_event=on_event)
        self.locks: list[AsyncHeldLock] = []
        """The locks, in the order of the names."""

    async def acquire(self) -> Self:
        """Acquires all locks, or raises `NotAcquired` and holds none of them."""
        self.locks = [AsyncHeldLock(hold) for hold in await self._acquire()]
        return self

    async def __aenter__(self) -> Self:
        await self.acquire()
        self._enter_body()
        return self

    def __getitem__(self, resource: str) -> AsyncHeldLock:
        """The lock with this name. Write to each resource with the fence of its own lock."""
        for lock in self.locks:
            if lock.resource == resource:
                return lock
        raise KeyError(resource)

    def __iter__(self) -> Iterator[AsyncHeldLock]:
        return iter(self.locks)

    @property
    def held(self) -> bool:
        """Whether all locks are held for sure at this moment."""
        return bool(self.locks) and all(lock.held for lock in self.locks)

    def remaining(self) -> float:
        """For how many seconds all locks are held for sure, if no further renewal is confirmed."""
        return min((lock.remaining() for lock in self.locks), default=0.0)

    def check(self) -> None:
        """Raises `LockLost` unless all locks are held for sure at this moment."""
        for lock in self.locks:
            lock.check()


class AsyncLeader(View):
    """This process leads. Given to what `AsyncClient.elect` runs."""

    def __init__(self, lock: AsyncLock) -> None:
        super().__init__(lock.resource)
        self._hold = lock._hold
        self.lost = lock.lost
        """Set when the leadership is lost. What runs is cancelled then."""

    @property
    def term(self) -> int:
        """The term, which is the fence of the lock: larger than all terms before."""
        return self.fence

    fence_in = AsyncLock.fence_in


class AsyncClient(BaseClient):
    """A Gorilla server, or a load balancer in front of several replicas, for programs with asyncio.

    Use one client for all locks of a program: it renews them together. A client belongs to the event loop in which it
    was used first.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        patience: float = PATIENCE,
        owner: str | None = None,
        on_event: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Connects to nothing yet. The arguments are those of `Client`; `on_event` is called in the event loop."""
        super().__init__(url, api_key=api_key, ca=ca, patience=patience, owner=owner, on_event=on_event, clock=clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transport = AsyncTransport(self._server, self._clock)
        self._keeper = AsyncKeeper(self._transport, self._clock)
        self._background: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Releases all locks that are held, and closes the connections."""
        cancelled = 0
        holds = [hold for hold in self._keeper.holds() if not hold.is_foreign]
        if holds:
            cancelled += await shielded(asyncio.create_task(self._release(holds)))
        for task in list(self._background):
            cancelled += await shielded(task)
        await self._keeper.close()
        await self._transport.close()
        if cancelled:
            raise asyncio.CancelledError

    def lock(
        self,
        resource: str,
        *,
        ttl: float = TTL,
        wait: float = 0.0,
        owner: str | None = None,
        metadata: Any = None,
        grace: float | None = None,
        mode: Mode = "exclusive",
        limit: int | None = None,
        permits: int | None = None,
        at_least: float = 0.0,
        max_hold: float | None = None,
        headstart: float = 0.0,
        replaces: str | None = None,
        renew: bool = True,
        on_lost: Callable[[LockLost], object] | None = None,
        on_event: Listener | None = None,
    ) -> AsyncLock:
        """A lock, for one `async with`, whose body is cancelled when the lock is lost; `LockLost` comes out of it then.
        The arguments are those of `Client.lock`."""
        options = self._options(
            ttl=ttl,
            wait=wait,
            owner=owner,
            metadata=metadata,
            grace=grace,
            mode=mode,
            limit=limit,
            permits=permits,
            at_least=at_least,
            max_hold=max_hold,
            headstart=headstart,
            replaces=replaces,
            renew=renew,
        )
        return AsyncLock(self, resource, options, on_lost, on_event or self._on_event)

    def locks(
        self,
        resources: Sequence[Part],
        *,
        ttl: float = TTL,
        wait: float = 0.0,
        owner: str | None = None,
        metadata: Any = None,
        grace: float | None = None,
        max_hold: float | None = None,
        on_lost: Callable[[LockLost], object] | None = None,
        on_event: Listener | None = None,
    ) -> AsyncLockSet:
        """Several locks, all or none. Each is a name, or a name with `{"mode": …, "limit": …, "permits": …}`. No two
        such calls can wait for each other, whatever the order of the names."""
        options = self._options(ttl=ttl, wait=wait, owner=owner, metadata=metadata, grace=grace, max_hold=max_hold)
        return AsyncLockSet(self, parts_of(resources), options, on_lost, on_event or self._on_event)

    async def adopt(
        self,
        ticket: Ticket,
        *,
        ttl: float = TTL,
        grace: float | None = None,
        max_hold: float | None = None,
        on_lost: Callable[[LockLost], object] | None = None,
        on_event: Listener | None = None,
    ) -> AsyncLock:
        """Takes over a lock that another process has detached. It is held already: leave it by `async with` or
        `release`.

        Raises `LockLost` if the lock has ended.
        """
        self._open()
        lock = self.lock(ticket.resource, ttl=ttl, grace=grace, max_hold=max_hold, on_lost=on_lost, on_event=on_event)
        done = await self._run(adopt(self._clock, ticket.resource, ticket.token, ttl, self._patience))
        hold = Hold(
            self._clock,
            done.body,
            done.sent,
            ttl=ttl,
            grace=lock._options.shown_grace,
            max_hold=max_hold,
            on_event=on_event or self._on_event,
        )
        return _Adopted(lock, hold)

    def once(
        self, name: str, *, ttl: float = TTL, at_least: float = 0.0, wait: float = 0.0
    ) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T | Skipped]]]:
        """Makes a function that runs on one machine only, of all that call it at about the same time: the others return
        `SKIPPED`. `at_least` should be longer than the clocks of the machines differ."""

        def make(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T | Skipped]]:
            @functools.wraps(function)
            async def once(*args: P.args, **kwargs: P.kwargs) -> T | Skipped:
                lock = self.lock(name, ttl=ttl, at_least=at_least, wait=wait)
                try:
                    await lock.acquire()
                except NotAcquired:
                    return SKIPPED
                async with lock.scope():
                    return await function(*args, **kwargs)

            return once

        return make

    async def elect(
        self,
        name: str,
        run: Callable[[AsyncLeader], Awaitable[T]],
        *,
        ttl: float = TTL,
        owner: str | None = None,
        metadata: Any = None,
        grace: float | None = None,
        on_event: Listener | None = None,
    ) -> T:
        """Campaigns until this process leads, then runs `run`. When `run` returns, resigns and returns its result. If
        the leadership is lost, `run` is cancelled; when it has ended, this campaigns again. Any error of `run` resigns,
        and passes. Cancel this to resign."""
        while True:
            lock = self.lock(
                name, ttl=ttl, wait=math.inf, owner=owner, metadata=metadata, grace=grace, on_event=on_event
            )
            try:
                await lock.acquire()
            except (Unavailable, Unknown):
                # A candidate goes on: the server comes back.
                await sleep_until(self._clock.now() + _PAUSE_OF_CANDIDATE, self._clock)
                continue
            try:
                async with lock.scope():
                    return await run(AsyncLeader(lock))
            except LockLost:
                if lock.loss is None:
                    # Of another lock.
                    raise

    async def watch(
        self,
        *,
        prefix: str | None = None,
        resources: Sequence[str] = (),
        owner: str | None = None,
        types: Sequence[str] = (),
        since: str | None = None,
        snapshot: bool = False,
    ) -> AsyncGenerator[LockEvent]:
        """The events of locks as they happen, for ever: docs/guides/watch-locks.md. Connects again by itself, and goes
        on where it was; an event `missed` says that events may have been lost."""
        self._open()
        watch = Watch(
            self._clock,
            self._patience,
            prefix=prefix,
            resources=resources,
            owner=owner,
            types=types,
            since=since,
            snapshot=snapshot,
        )
        while True:
            try:
                async with self._transport.stream(watch.request(), IDLE) as response:
                    if response.status != 200:
                        watch.refuse(response.status, await response.aread(), response.headers)
                    else:
                        async for chunk in response.aiter_stream():
                            for event in watch.feed(chunk):
                                yield event
            except TROUBLES as error:
                watch.failed(self._server.failure(error).why)
            await sleep_until(watch.again_at(), self._clock)

    async def state(self, resource: str) -> Free | Held | Shared:
        """What every client may know about a lock."""
        return await self._run(self._state(resource))

    async def list(self, prefix: str = "", *, owner: str | None = None) -> list[Held | Shared]:
        """The locks that are held and whose names begin with `prefix`."""
        return await self._run(self._list(prefix, owner))

    async def queue(self, resource: str) -> Queue:
        """The requests that wait for a lock."""
        return await self._run(self._queue(resource))

    async def limit(self, resource: str) -> Limit:
        """How many permits all holders of a shared lock may have, and whether this limit is pinned."""
        return await self._run(self._limit(resource))

    async def pin_limit(self, resource: str, permits: int) -> Limit:
        """Pins the limit of a shared lock: it stays until it is unpinned, and requests need not name it."""
        return await self._run(self._pin_limit(resource, permits))

    async def unpin_limit(self, resource: str) -> Limit:
        """Unpins the limit of a shared lock."""
        return await self._run(self._unpin_limit(resource))

    async def break_lock(
        self, resource: str, *, fence: int | None = None, reason: str | None = None, grace: float = 0.0
    ) -> Broken:
        """Ends the lock of a holder that is gone: the grant with this fence. With a grace the holder may keep it for so
        long."""
        return await self._run(self._break_lock(resource, fence, reason, grace))

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("this client belongs to another event loop; make a client for each loop")

    async def _run(self, steps: Steps[T]) -> T:
        self._open()
        return await drive(steps, self._transport, self._clock)

    async def _in_background(self, steps: Steps[object]) -> None:
        """Runs steps that a cancelled request has left, to their end. Waits for them for a moment, because the event
        loop may be about to end, and would leave a new task undone."""

        async def run() -> None:
            # If it fails, the lock ends with its lease.
            with contextlib.suppress(GorillaError):
                await drive_to_end(steps, self._transport, self._clock)

        task = asyncio.create_task(run(), name="gorilla-undo")
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        await shielded(task, _MOMENT)

    async def _release(self, holds: Sequence[Hold]) -> None:
        """Releases, and tells what became of it."""
        now = self._clock.now()
        give_up = now + self._patience
        for hold in holds:
            # Leaves time for the release itself.
            hold.begin_release(now + self._patience / 2)
        for hold in holds:
            settled = asyncio.Event()
            hold.on_settled = settled.set
            # A renewal that is under way ends before the release is sent.
            while hold.is_renewing and self._clock.now() < give_up:
                try:
                    async with asyncio.timeout(0.5):
                        await settled.wait()
                except TimeoutError:
                    continue
        await drive_to_end(release(self._clock, list(holds), give_up), self._transport, self._clock)
        for hold in holds:
            self._keeper.remove(hold)


class _Acquired(AbstractAsyncContextManager[AsyncLock]):
    """The scope of a lock that is acquired already."""

    def __init__(self, lock: AsyncLock) -> None:
        self._lock = lock

    async def __aenter__(self) -> AsyncLock:
        self._lock._enter_body()
        return self._lock

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._lock.__aexit__(kind, error, traceback)


class _Adopted(AsyncLock):
    """A lock that is held from the beginning: `async with` acquires nothing."""

    def __init__(self, lock: AsyncLock, hold: Hold) -> None:
        super().__init__(lock._client, lock.resource, lock._options, lock._on_lost, lock._on_event)
        self._hold = hold
        self._begin([hold])
        hold.tell("acquired", fence=hold.grant.fence)

    async def acquire(self) -> Self:
        return self
