"""The errors of the look-alikes: subclasses of redis-py's, where redis-py is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING


class _LockError(ValueError):
    def __init__(self, message: str | None = None, lock_name: str | None = None) -> None:
        super().__init__(message)
        self.lock_name = lock_name


class _LockNotOwnedError(_LockError):
    pass


if not TYPE_CHECKING:
    try:
        from redis.exceptions import LockError as _LockError
        from redis.exceptions import LockNotOwnedError as _LockNotOwnedError
    except ImportError:
        pass


class LockError(_LockError):
    """The lock was not acquired, or is not held."""


class LockNotOwnedError(LockError, _LockNotOwnedError):
    """The lock is not held any more."""
