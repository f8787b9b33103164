"""A base task for Celery that runs under a lock.

    @app.task(base=LockedTask, lock_name="orders:{0}", lock_ttl=60)
    def sync_orders(shop): ...

Two calls for the same shop never run at the same time, on whichever worker. A worker that can't have the lock sends the
task back to the queue, to come again after `lock_retry_in` seconds; with `lock_else="skip"` it leaves the task out.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import threading
from typing import Any, ClassVar, Literal

from celery import Task

from gorilla_client import SKIPPED, Client, Lock, NotAcquired

__all__ = ["LockedTask"]


class LockedTask(Task):  # type: ignore[misc]
    """A task that holds a lock while it runs."""

    abstract = True

    lock_client: ClassVar[Client | None] = None
    """The client, for all tasks of the process. By default one of the environment: GORILLA_URL, GORILLA_API_KEY."""
    lock_name: str | None = None
    """The name of the lock, with the arguments of the task as in `str.format`. By default the name of the task."""
    lock_ttl: float = 30.0
    lock_wait: float = 0.0
    """How long a worker waits for the lock. It serves no other task meanwhile, so it is short or 0."""
    lock_at_least: float = 0.0
    lock_else: Literal["retry", "skip"] = "retry"
    """What becomes of a task whose lock somebody else holds."""
    lock_retry_in: float = 10.0

    _held = threading.local()

    @property
    def lock(self) -> Lock:
        """The lock of the task that this thread runs."""
        lock: Lock = self._held.lock
        return lock

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        lock = self._client().lock(
            self._name_of(args, kwargs), ttl=self.lock_ttl, wait=self.lock_wait, at_least=self.lock_at_least
        )
        try:
            lock.acquire()
        except NotAcquired as error:
            if self.lock_else == "skip":
                return repr(SKIPPED)
            raise self.retry(countdown=self.lock_retry_in, exc=error, max_retries=None) from error
        outer = getattr(self._held, "lock", None)
        self._held.lock = lock
        try:
            with lock.scope():
                return super().__call__(*args, **kwargs)
        finally:
            self._held.lock = outer

    def _name_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if self.lock_name is None:
            return f"celery:{self.name}"
        return self.lock_name.format(*args, **kwargs)

    @classmethod
    def _client(cls) -> Client:
        if LockedTask.lock_client is None:
            LockedTask.lock_client = Client()
        return LockedTask.lock_client
