"""The client for threads."""

from __future__ import annotations

import functools
import math
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from . import _fencing as fencing
from ._acquire import Acquire
from ._client import SKIPPED, BaseClient, Part, Skipped, attach, first_loss, in_use, parts_of
from ._clock import Clock
from ._deliver import PATIENCE
from ._errors import GorillaError, LockLost, NotAcquired, Unavailable, Unknown
from ._hold import Hold, Ticket
from ._keeper import Keeper
from ._options import TTL, Event, Listener, Mode, Options
from ._renew import adopt, extend, release
from ._server import TROUBLES
from ._steps import Steps
from ._threads import Cancel, Transport, drive, sleep_until
from ._view import View
from ._watching import IDLE, LockEvent, Watch

if TYPE_CHECKING:
    from ._generated import Broken, Free, Held, Limit, Queue, Shared

P = ParamSpec("P")
T = TypeVar("T")
L = TypeVar("L", bound="Lock")

_PAUSE_OF_CANDIDATE = 1.0
"""How long a candidate pauses that can't reach the server, in seconds."""


def terminate(lost: LockLost) -> None:
    """For `on_lost`: ends this process by SIGTERM, as a supervisor would."""
    os.kill(os.getpid(), signal.SIGTERM)


class _Scope:
    """The life of one lock or of several: acquired together, released together."""

    def __init__(
        self,
        client: Client,
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
        self._mutex = threading.Lock()
        self._acquiring: Cancel | None = None
        self._holds: list[Hold] = []
        self._pid = os.getpid()
        self.lost = threading.Event()
        """Set when the lock counts as lost."""

    def cancel(self) -> None:
        """Cancels an acquire that another thread waits for: it raises `concurrent.futures.CancelledError`, and the
        server takes the request out of its queue."""
        acquiring = self._acquiring
        if acquiring is not None:
            acquiring.cancel()

    def _acquire(self, cancel: Cancel | None = None) -> list[Hold]:
        if self._pid != os.getpid():
            # A child of the process that made this object: what the parent holds is not the child's.
            self._mutex, self._holds, self._acquiring = threading.Lock(), [], None
            self.lost, self._pid = threading.Event(), os.getpid()
        with self._mutex:
            if self._acquiring is not None or self._holds:
                raise in_use()
            cancel = self._acquiring = cancel or Cancel()
        client = self._client
        acquire = Acquire(
            client._clock,
            self._parts,
            self._options,
            is_set=self._is_set,
            patience=client._patience,
            on_event=self._on_event,
        )
        try:
            holds = client._run(acquire.run(), cancel)
        except GorillaError:
            raise
        except BaseException:
            if acquire.is_in_doubt:
                client._in_background(acquire.undo())
            raise
        finally:
            self._acquiring = None
        self._begin(holds)
        return holds

    def _begin(self, holds: list[Hold]) -> None:
        self.lost.clear()
        self._holds = holds
        for hold in holds:
            hold.when_lost(functools.partial(_tell_lost, weakref.ref(self), hold))
            self._client._keeper.add(hold)

    def _tell_lost(self, hold: Hold) -> None:
        self.lost.set()
        if self._on_lost is not None and hold.lost is not None:
            self._on_lost(hold.lost)

    def _release(self) -> LockLost | None:
        """Gives back what is held. The loss, if a lock was lost; nothing else is an error."""
        with self._mutex:
            holds, self._holds = self._holds, []
        holds = [hold for hold in holds if not hold.is_foreign]
        if not holds:
            return None
        self._client._release(holds)
        loss: LockLost | None = first_loss(holds)
        return loss

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loss = self._release()
        if error is not None:
            attach(error, loss)
        elif loss is not None:
            raise loss

    def release(self) -> None:
        """Gives the lock back, and waits until the server has confirmed it, for as long as the patience of the client.

        Raises `LockLost` if the lock was lost before. If the server doesn't confirm the release, the lock ends with its
        lease; the event `not_released` tells it.
        """
        if not self._holds:
            raise RuntimeError("the lock is not held by this object")
        loss = self._release()
        if loss is not None:
            raise loss

    def __del__(self) -> None:
        holds = [hold for hold in self._holds if hold.is_held()]
        for hold in holds:
            # A finalizer may run anywhere, so it sends nothing: the lock ends with its lease.
            self._client._keeper.remove(hold)
            warnings.warn(f'the lock "{hold.resource}" was never released', ResourceWarning, source=self, stacklevel=2)


def _tell_lost(scope: weakref.ref[_Scope], hold: Hold) -> None:
    """Tells a loss to the lock object, if it is still there: the keeper keeps no lock object alive."""
    found = scope()
    if found is not None:
        found._tell_lost(hold)


class Lock(View, _Scope):
    """A lock, for `with`. Made by `Client.lock`."""

    def __init__(
        self,
        client: Client,
        resource: str,
        options: Options,
        on_lost: Callable[[LockLost], object] | None,
        on_event: Listener | None,
    ) -> None:
        View.__init__(self, resource)
        parts = [(resource, options.kind())]
        _Scope.__init__(self, client, parts, options, is_set=False, on_lost=on_lost, on_event=on_event)

    def acquire(self) -> Self:
        """Acquires the lock, or raises `NotAcquired` at the end of the wait. `release` gives it back; prefer `with`."""
        self._hold = self._acquire()[0]
        return self

    __enter__ = acquire

    def scope(self) -> AbstractContextManager[Self]:
        """The body of a lock that `acquire` has acquired: `with lock.scope():` releases it at its end."""
        return _acquired(self)

    def _acquire_until(self, cancel: Cancel) -> None:
        self._hold = self._acquire(cancel)[0]

    def extend(self, ttl: float) -> None:
        """Gives the lease another length, counted from now: of a lock that is not renewed. A lease can't be shortened.

        Raises `LockLost` if the lock has ended.
        """
        client = self._client
        give_up = client._clock.now() + client._patience
        client._run(extend(client._clock, self._held_once(), ttl, give_up))

    def detach(self) -> Ticket:
        """Ends the renewing, and leaves the lock to another process, which adopts the ticket before the lease ends."""
        hold = self._held_once()
        ticket = hold.detach()
        self._client._keeper.remove(hold)
        self._holds = []
        return ticket

    def fence_in(
        self,
        cursor: Any,
        resource: str | None = None,
        floor: int | None = None,
        table: str = fencing.TABLE,
        paramstyle: fencing.Paramstyle | None = None,
    ) -> None:
        """Notes the fence of this lock in the database, in the transaction that writes. Raises `Superseded` if a later
        holder has written; roll back then. The cursor is one of PEP 249, or of Django."""
        floor = self.floor if floor is None else floor
        fencing.fence_in(cursor, resource or self.resource, self.fence, floor, table=table, paramstyle=paramstyle)


class HeldLock(View):
    """One of the locks of a `LockSet`."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(hold.resource)
        self._hold = hold

    fence_in = Lock.fence_in


class LockSet(_Scope):
    """Several locks, all or none, for `with`. Made by `Client.locks`."""

    def __init__(
        self,
        client: Client,
        parts: Sequence[tuple[str, dict[str, Any]]],
        options: Options,
        on_lost: Callable[[LockLost], object] | None,
        on_event: Listener | None,
    ) -> None:
        super().__init__(client, parts, options, is_set=True, on_lost=on_lost, on_event=on_event)
        self.locks: list[HeldLock] = []
        """The locks, in the order of the names."""

    def acquire(self) -> Self:
        """Acquires all locks, or raises `NotAcquired` and holds none of them."""
        self.locks = [HeldLock(hold) for hold in self._acquire()]
        return self

    __enter__ = acquire

    def __getitem__(self, resource: str) -> HeldLock:
        """The lock with this name. Write to each resource with the fence of its own lock."""
        for lock in self.locks:
            if lock.resource == resource:
                return lock
        raise KeyError(resource)

    def __iter__(self) -> Iterator[HeldLock]:
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


class Leader(View):
    """This process leads. Given to what `Client.elect` runs."""

    def __init__(self, lock: Lock) -> None:
        super().__init__(lock.resource)
        self._hold = lock._hold
        self.lost = lock.lost
        """Set when the leadership is lost: return then."""

    @property
    def term(self) -> int:
        """The term, which is the fence of the lock: larger than all terms before."""
        return self.fence

    fence_in = Lock.fence_in


class Client(BaseClient):
    """A Gorilla server, or a load balancer in front of several replicas, for programs with threads.

    Use one client for all locks of a program: it renews them together. A client is safe to use from several threads,
    and after a fork: the child holds none of the locks of its parent.
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
        """Connects to nothing yet.

        - `url`: the address of the server, else GORILLA_URL, else http://127.0.0.1:4000.
        - `api_key`: sent as a bearer token, else GORILLA_API_KEY.
        - `ca`: a file in PEM with the certificate authorities to trust, else GORILLA_CA, else those of this machine.
        - `patience`: for how long a request is sent again while the server can't be reached or can't serve, in seconds.
        - `owner`: the label of the locks of this client; by default the name of the machine and the id of the process.
        - `on_event`: called with what happens to locks, from any thread.
        """
        super().__init__(url, api_key=api_key, ca=ca, patience=patience, owner=owner, on_event=on_event, clock=clock)
        self._transport = Transport(self._server, self._clock)
        self._keeper = Keeper(self._transport, self._clock)
        self._background: set[threading.Thread] = set()
        _clients.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Releases all locks that are held, and closes the connections."""
        holds = [hold for hold in self._keeper.holds() if not hold.is_foreign]
        if holds:
            self._release(holds)
        for thread in list(self._background):
            thread.join(self._patience)
        self._transport.close()

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
    ) -> Lock:
        """A lock, for one `with`. Nothing is asked for before. Times are in seconds.

        - `ttl`: the lease: how long the lock lasts after the last renewal.
        - `wait`: how long to wait for the lock, first come, first served; `math.inf` is for ever.
        - `grace`: the lock counts as lost so long before the lease may run out, so that there is time to stop. By
          default a sixth of the ttl, and at most 5 s.
        - `mode="shared"`: with all others that share the lock. `limit`: with at most so many permits for all of them, a
          semaphore; `permits`: takes so many of them, by default one.
        - `at_least`: others are granted the lock so long after this grant at the earliest.
        - `max_hold`: the lock counts as lost after so long.
        - `headstart`, `replaces`: docs/guides/waiting.md.
        - `renew=False`: the lock ends after the ttl, unless `Lock.extend` extends it.
        - `on_lost`: called when the lock is lost, from any thread; `terminate` ends the process.
        - `on_event`: in place of that of the client.
        """
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
        return Lock(self, resource, options, on_lost, on_event or self._on_event)

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
    ) -> LockSet:
        """Several locks, all or none. Each is a name, or a name with `{"mode": …, "limit": …, "permits": …}`. No two
        such calls can wait for each other, whatever the order of the names."""
        options = self._options(ttl=ttl, wait=wait, owner=owner, metadata=metadata, grace=grace, max_hold=max_hold)
        return LockSet(self, parts_of(resources), options, on_lost, on_event or self._on_event)

    def adopt(
        self,
        ticket: Ticket,
        *,
        ttl: float = TTL,
        grace: float | None = None,
        max_hold: float | None = None,
        on_lost: Callable[[LockLost], object] | None = None,
        on_event: Listener | None = None,
    ) -> Lock:
        """Takes over a lock that another process has detached. It is held already: leave it by `with` or `release`.

        Raises `LockLost` if the lock has ended.
        """
        lock = self.lock(ticket.resource, ttl=ttl, grace=grace, max_hold=max_hold, on_lost=on_lost, on_event=on_event)
        done = self._run(adopt(self._clock, ticket.resource, ticket.token, ttl, self._patience))
        options = lock._options
        hold = Hold(
            self._clock,
            done.body,
            done.sent,
            ttl=ttl,
            grace=options.shown_grace,
            max_hold=max_hold,
            on_event=on_event or self._on_event,
        )
        return _Adopted(lock, hold)

    def once(
        self, name: str, *, ttl: float = TTL, at_least: float = 0.0, wait: float = 0.0
    ) -> Callable[[Callable[P, T]], Callable[P, T | Skipped]]:
        """Makes a function that runs on one machine only, of all that call it at about the same time: the others return
        `SKIPPED`. `at_least` should be longer than the clocks of the machines differ."""

        def make(function: Callable[P, T]) -> Callable[P, T | Skipped]:
            @functools.wraps(function)
            def once(*args: P.args, **kwargs: P.kwargs) -> T | Skipped:
                lock = self.lock(name, ttl=ttl, at_least=at_least, wait=wait)
                try:
                    lock.acquire()
                except NotAcquired:
                    return SKIPPED
                with lock.scope():
                    return function(*args, **kwargs)

            return once

        return make

    def elect(
        self,
        name: str,
        run: Callable[[Leader], T],
        *,
        ttl: float = TTL,
        owner: str | None = None,
        metadata: Any = None,
        grace: float | None = None,
        cancel: Cancel | None = None,
        on_event: Listener | None = None,
    ) -> T:
        """Campaigns until this process leads, then runs `run` in this thread. When `run` returns, resigns and returns
        its result. If the leadership is lost, `leader.lost` is set; `run` should return, or let `LockLost` of
        `leader.check()` pass, and then this campaigns again. Any other error of `run` resigns, and passes.

        Another thread ends this by `cancel`: `leader.lost` is set, and when `run` has ended, this resigns and raises
        `concurrent.futures.CancelledError`.
        """
        cancel = cancel or Cancel()
        while True:
            lock = self.lock(
                name, ttl=ttl, wait=math.inf, owner=owner, metadata=metadata, grace=grace, on_event=on_event
            )
            try:
                lock._acquire_until(cancel)
            except (Unavailable, Unknown):
                # A candidate goes on: the server comes back.
                sleep_until(self._clock.now() + _PAUSE_OF_CANDIDATE, self._clock, cancel)
                continue
            cancel.when_cancelled(lock.lost.set)
            try:
                result = run(Leader(lock))
            except LockLost:
                if lock._release() is None:
                    # Of another lock.
                    raise
            except BaseException as error:
                attach(error, lock._release())
                raise
            else:
                is_lost = lock._release() is not None
                cancel.check()
                if not is_lost:
                    return result
            cancel.check()

    def watch(
        self,
        *,
        prefix: str | None = None,
        resources: Sequence[str] = (),
        owner: str | None = None,
        types: Sequence[str] = (),
        since: str | None = None,
        snapshot: bool = False,
    ) -> Generator[LockEvent]:
        """The events of locks as they happen, for ever: docs/guides/watch-locks.md. Connects again by itself, and goes
        on where it was; an event `missed` says that events may have been lost."""
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
                with self._transport.stream(watch.request(), IDLE) as response:
                    if response.status != 200:
                        watch.refuse(response.status, response.read(), response.headers)
                    else:
                        for chunk in response.iter_stream():
                            yield from watch.feed(chunk)
            except TROUBLES as error:
                watch.failed(self._server.failure(error).why)
            sleep_until(watch.again_at(), self._clock)

    def state(self, resource: str) -> Free | Held | Shared:
        """What every client may know about a lock."""
        return self._run(self._state(resource))

    def list(self, prefix: str = "", *, owner: str | None = None) -> list[Held | Shared]:
        """The locks that are held and whose names begin with `prefix`."""
        return self._run(self._list(prefix, owner))

    def queue(self, resource: str) -> Queue:
        """The requests that wait for a lock."""
        return self._run(self._queue(resource))

    def limit(self, resource: str) -> Limit:
        """How many permits all holders of a shared lock may have, and whether this limit is pinned."""
        return self._run(self._limit(resource))

    def pin_limit(self, resource: str, permits: int) -> Limit:
        """Pins the limit of a shared lock: it stays until it is unpinned, and requests need not name it."""
        return self._run(self._pin_limit(resource, permits))

    def unpin_limit(self, resource: str) -> Limit:
        """Unpins the limit of a shared lock."""
        return self._run(self._unpin_limit(resource))

    def break_lock(
        self, resource: str, *, fence: int | None = None, reason: str | None = None, grace: float = 0.0
    ) -> Broken:
        """Ends the lock of a holder that is gone: the grant with this fence. With a grace the holder may keep it for so
        long."""
        return self._run(self._break_lock(resource, fence, reason, grace))

    def _run(self, steps: Steps[T], cancel: Cancel | None = None) -> T:
        return drive(steps, self._transport, self._clock, cancel)

    def _in_background(self, steps: Steps[object]) -> None:
        """Runs steps that a cancelled request has left. Not a daemon: the process waits for it at its end."""

        def run() -> None:
            try:
                self._run(steps)
            except GorillaError:
                # The lock ends with its lease.
                pass
            finally:
                self._background.discard(thread)

        thread = threading.Thread(target=run, name="gorilla-undo", daemon=False)
        self._background.add(thread)
        thread.start()

    def _release(self, holds: Sequence[Hold]) -> None:
        """Releases, and tells what became of it."""
        now = self._clock.now()
        give_up = now + self._patience
        for hold in holds:
            # Leaves time for the release itself.
            hold.begin_release(now + self._patience / 2)
        for hold in holds:
            self._await_renewal(hold, give_up)
        self._run(release(self._clock, list(holds), give_up))
        for hold in holds:
            self._keeper.remove(hold)

    def _await_renewal(self, hold: Hold, give_up: float) -> None:
        """A renewal that is under way ends before the release is sent."""
        settled = threading.Event()
        hold.on_settled = settled.set
        while hold.is_renewing and self._clock.now() < give_up:
            settled.wait(0.5)

    def _after_fork(self) -> None:
        self._background = set()
        self._transport.after_fork()
        self._keeper.after_fork()


class _Adopted(Lock):
    """A lock that is held from the beginning: `with` begins nothing."""

    def __init__(self, lock: Lock, hold: Hold) -> None:
        super().__init__(lock._client, lock.resource, lock._options, lock._on_lost, lock._on_event)
        self._hold = hold
        self._begin([hold])
        hold.tell("acquired", fence=hold.grant.fence)

    def acquire(self) -> Self:
        return self

    __enter__ = acquire


@contextmanager
def _acquired(lock: L) -> Generator[L]:
    """The scope of a lock that is acquired already."""
    try:
        yield lock
    except BaseException as error:
        attach(error, lock._release())
        raise
    loss = lock._release()
    if loss is not None:
        raise loss


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _after_fork() -> None:
    for client in list(_clients):
        client._after_fork()


os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Client", "Event", "HeldLock", "Leader", "Lock", "LockSet", "terminate"]
