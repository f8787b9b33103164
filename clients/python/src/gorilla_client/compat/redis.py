"""A look-alike of redis-py's `Lock`, sync and async, that keeps its locks in Gorilla.

    from gorilla_client import Client
    from gorilla_client.compat.redis import Lock

    client = Client()
    with Lock(client, "orders", timeout=10, blocking_timeout=5):
        ...

What is different from redis-py:

- With `timeout=None` the lock is renewed in the background, and ends 30 s after the death of its process. redis-py's is
  held for ever then.
- Waiting is first come, first served, and asks the server once: `sleep` is ignored.
- The token is one of the instance, whatever `thread_local` says; and Gorilla makes it: `acquire(token=…)` is refused.
- A lease can't be shortened: `extend(1, replace_ttl=True)` of a lock that has more left raises `LockError`.
"""

from __future__ import annotations

import logging
import math
from types import TracebackType
from typing import Literal, Self

from gorilla_client._async import AsyncClient
from gorilla_client._async import AsyncLock as _AsyncLock
from gorilla_client._errors import LockLost, NotAcquired, Refused
from gorilla_client._generated import Code
from gorilla_client._options import TTL
from gorilla_client._sync import Client
from gorilla_client._sync import Lock as _Lock

from ._redis_errors import LockError, LockNotOwnedError

__all__ = ["AsyncLock", "Lock", "LockError", "LockNotOwnedError"]

Number = int | float

_logger = logging.getLogger(__name__)


class _Local:
    """What redis-py keeps for each thread: the token."""

    def __init__(self) -> None:
        self.token: bytes | None = None

    def __repr__(self) -> str:
        return "<token>" if self.token else "<no token>"


class _Base:
    """What the two locks do alike."""

    def __init__(
        self,
        name: str,
        timeout: Number | None,
        sleep: Number,
        blocking: bool,
        blocking_timeout: Number | None,
        thread_local: bool,
        raise_on_release_error: bool,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.sleep = sleep
        self.blocking = blocking
        self.blocking_timeout = blocking_timeout
        self.thread_local = bool(thread_local)
        self.raise_on_release_error = raise_on_release_error
        self.local = _Local()

    def _wait(self, blocking: bool | None, blocking_timeout: Number | None, token: str | bytes | None) -> float:
        if token is not None:
            raise LockError("Gorilla makes the tokens of locks itself", lock_name=self.name)
        if blocking is None:
            blocking = self.blocking
        if not blocking:
            return 0.0
        if blocking_timeout is None:
            blocking_timeout = self.blocking_timeout
        return math.inf if blocking_timeout is None else float(blocking_timeout)

    def _extendable(self, verb: str) -> float:
        """The timeout of a lock that has one and is locked."""
        if self.local.token is None:
            raise LockError(f"Cannot {verb} an unlocked lock", lock_name=self.name)
        if self.timeout is None:
            raise LockError(f"Cannot {verb} a lock with no timeout", lock_name=self.name)
        return float(self.timeout)

    def _not_owned(self, verb: str) -> LockNotOwnedError:
        return LockNotOwnedError(f"Cannot {verb} a lock that's no longer owned", lock_name=self.name)

    def _unlocked(self) -> LockError:
        return LockError("Cannot release a lock that's not owned or is already unlocked.", lock_name=self.name)

    def _not_acquired(self) -> LockError:
        return LockError("Unable to acquire lock within the time specified", lock_name=self.name)

    def _refused(self, error: Refused) -> Exception:
        if error.code == Code.TIMEOUT_SHORTER:
            return LockError("Cannot shorten the lease of a lock", lock_name=self.name)
        return error

    def _left(self, lock: _Lock | _AsyncLock) -> float:
        """How long the lease lasts, as far as this client knows."""
        hold = lock._hold
        return 0.0 if hold is None else max(0.0, hold.lasts())


class Lock(_Base):
    """As `redis.lock.Lock`, with a `gorilla_client.Client` in place of the Redis client."""

    def __init__(
        self,
        client: Client,
        name: str,
        timeout: Number | None = None,
        sleep: Number = 0.1,
        blocking: bool = True,
        blocking_timeout: Number | None = None,
        thread_local: bool = True,
        raise_on_release_error: bool = True,
    ) -> None:
        super().__init__(name, timeout, sleep, blocking, blocking_timeout, thread_local, raise_on_release_error)
        self._client = client
        self._lock: _Lock | None = None

    def __enter__(self) -> Self:
        if self.acquire():
            return self
        raise self._not_acquired()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.release()
        except LockError:
            if error is not None:
                # The error of the body counts more.
                return
            if self.raise_on_release_error:
                raise
            _logger.warning("Lock was unlocked or no longer owned when exiting context manager.")

    def acquire(
        self,
        sleep: Number | None = None,
        blocking: bool | None = None,
        blocking_timeout: Number | None = None,
        token: str | bytes | None = None,
    ) -> bool:
        """Whether the lock was acquired."""
        wait = self._wait(blocking, blocking_timeout, token)
        ttl, renews = (TTL, True) if self.timeout is None else (float(self.timeout), False)
        lock = self._client.lock(self.name, ttl=ttl, wait=wait, renew=renews, grace=None if renews else 0.0)
        try:
            lock.acquire()
        except NotAcquired:
            return False
        self._lock, self.local.token = lock, lock.token.encode()
        return True

    def locked(self) -> bool:
        """Whether anybody holds the lock."""
        return self._client.state(self.name)["held"]

    def owned(self) -> bool:
        """Whether this lock object holds the lock."""
        lock = self._lock
        if lock is None or self.local.token is None or not lock.held:
            return False
        state = self._client.state(self.name)
        return state.get("id") == lock.id

    def release(self) -> None:
        lock = self._lock
        if lock is None or self.local.token is None:
            raise self._unlocked()
        self._lock, self.local.token = None, None
        try:
            lock.release()
        except LockLost as error:
            raise self._not_owned("release") from error

    def extend(self, additional_time: Number, replace_ttl: bool = False) -> Literal[True]:
        """Adds to the lease, or replaces it."""
        self._extendable("extend")
        assert self._lock is not None  # noqa: S101 - there is a token
        left = 0.0 if replace_ttl else self._left(self._lock)
        return self._extend("extend", self._lock, left + float(additional_time))

    def reacquire(self) -> Literal[True]:
        """Makes the lease last for the timeout again."""
        timeout = self._extendable("reacquire")
        assert self._lock is not None  # noqa: S101
        return self._extend("reacquire", self._lock, timeout)

    def _extend(self, verb: str, lock: _Lock, ttl: float) -> Literal[True]:
        try:
            lock.extend(ttl)
        except LockLost as error:
            raise self._not_owned(verb) from error
        except Refused as error:
            raise self._refused(error) from error
        return True


class AsyncLock(_Base):
    """As `redis.asyncio.lock.Lock`, with a `gorilla_client.AsyncClient` in place of the Redis client. The body of
    `async with` is not cancelled when the lock is lost, as redis-py's isn't."""

    def __init__(
        self,
        client: AsyncClient,
        name: str,
        timeout: Number | None = None,
        sleep: Number = 0.1,
        blocking: bool = True,
        blocking_timeout: Number | None = None,
        thread_local: bool = True,
        raise_on_release_error: bool = True,
    ) -> None:
        super().__init__(name, timeout, sleep, blocking, blocking_timeout, thread_local, raise_on_release_error)
        self._client = client
        self._lock: _AsyncLock | None = None

    async def __aenter__(self) -> Self:
        if await self.acquire():
            return self
        raise self._not_acquired()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.release()
        except LockError:
            if error is not None:
                return
            if self.raise_on_release_error:
                raise
            _logger.warning("Lock was unlocked or no longer owned when exiting context manager.")

    async def acquire(
        self,
        sleep: Number | None = None,
        blocking: bool | None = None,
        blocking_timeout: Number | None = None,
        token: str | bytes | None = None,
    ) -> bool:
        """Whether the lock was acquired."""
        wait = self._wait(blocking, blocking_timeout, token)
        ttl, renews = (TTL, True) if self.timeout is None else (float(self.timeout), False)
        lock = self._client.lock(self.name, ttl=ttl, wait=wait, renew=renews, grace=None if renews else 0.0)
        try:
            await lock.acquire()
        except NotAcquired:
            return False
        self._lock, self.local.token = lock, lock.token.encode()
        return True

    async def locked(self) -> bool:
        """Whether anybody holds the lock."""
        return (await self._client.state(self.name))["held"]

    async def owned(self) -> bool:
        """Whether this lock object holds the lock."""
        lock = self._lock
        if lock is None or self.local.token is None or not lock.held:
            return False
        state = await self._client.state(self.name)
        return state.get("id") == lock.id

    async def release(self) -> None:
        lock = self._lock
        if lock is None or self.local.token is None:
            raise self._unlocked()
        self._lock, self.local.token = None, None
        try:
            # Goes to its end also if this task is cancelled meanwhile.
            await lock.release()
        except LockLost as error:
            raise self._not_owned("release") from error

    async def extend(self, additional_time: Number, replace_ttl: bool = False) -> Literal[True]:
        """Adds to the lease, or replaces it."""
        self._extendable("extend")
        assert self._lock is not None  # noqa: S101 - there is a token
        left = 0.0 if replace_ttl else self._left(self._lock)
        return await self._extend("extend", self._lock, left + float(additional_time))

    async def reacquire(self) -> Literal[True]:
        """Makes the lease last for the timeout again."""
        timeout = self._extendable("reacquire")
        assert self._lock is not None  # noqa: S101
        return await self._extend("reacquire", self._lock, timeout)

    async def _extend(self, verb: str, lock: _AsyncLock, ttl: float) -> Literal[True]:
        try:
            await lock.extend(ttl)
        except LockLost as error:
            raise self._not_owned(verb) from error
        except Refused as error:
            raise self._refused(error) from error
        return True
