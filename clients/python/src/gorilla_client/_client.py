"""What the clients for threads and for asyncio have in common."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from . import _requests as requests
from ._clock import Clock
from ._deliver import ask
from ._errors import LockLost, Refused
from ._options import Listener, Options
from ._server import Server
from ._steps import Steps

if TYPE_CHECKING:
    from ._generated import Broken, Free, Held, Limit, Queue, Shared
    from ._hold import Hold


class Skipped:
    """What a function of `once` returns where another client runs it."""

    def __repr__(self) -> str:
        return "SKIPPED"

    def __bool__(self) -> bool:
        return False


SKIPPED: Final = Skipped()


class BaseClient:
    """The settings of a client, and the operations that take one request."""

    def __init__(
        self,
        url: str | None,
        *,
        api_key: str | None,
        ca: str | os.PathLike[str] | None,
        patience: float,
        owner: str | None,
        on_event: Listener | None,
        clock: Clock | None,
    ) -> None:
        self._server = Server.of(url, api_key, ca)
        self._patience = patience
        self._owner = owner
        self._on_event = on_event
        self._clock = clock or Clock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._server.url}>"

    @property
    def url(self) -> str:
        """The address of the server."""
        return self._server.url

    def _options(self, **options: Any) -> Options:
        if options.get("owner") is None:
            options["owner"] = self._owner
        return Options(**options)

    def _state(self, resource: str) -> Steps[Free | Held | Shared]:
        return ask(self._clock, requests.state(resource), self._patience)

    def _queue(self, resource: str) -> Steps[Queue]:
        return ask(self._clock, requests.queue(resource), self._patience)

    def _list(self, prefix: str, owner: str | None) -> Steps[list[Held | Shared]]:
        locks: dict[str, Held | Shared] = {}
        cursor: str | None = None
        while True:
            page = yield from ask(self._clock, requests.page(prefix, owner, cursor), self._patience)
            # A lock may be on two pages.
            locks.update({lock["resource"]: lock for lock in page["locks"]})
            cursor = page["cursor"]
            if cursor is None:
                return [locks[name] for name in sorted(locks)]

    def _limit(self, resource: str) -> Steps[Limit]:
        return ask(self._clock, requests.limit(resource), self._patience)

    def _pin_limit(self, resource: str, permits: int) -> Steps[Limit]:
        return ask(self._clock, requests.pin_limit(resource, permits), self._patience)

    def _unpin_limit(self, resource: str) -> Steps[Limit]:
        return ask(self._clock, requests.unpin_limit(resource), self._patience)

    def _break_lock(self, resource: str, fence: int | None, reason: str | None, grace: float) -> Steps[Broken]:
        return ask(self._clock, requests.break_lock(resource, fence, reason, grace), self._patience)


Part = str | tuple[str, dict[str, Any]]
"""One of several locks: its name, or its name and its `mode`, `limit` and `permits`."""


def parts_of(names: Sequence[Part]) -> list[tuple[str, dict[str, Any]]]:
    none: dict[str, Any] = {}
    parts = [(part, none) if isinstance(part, str) else part for part in names]
    if not parts:
        raise ValueError("locks needs at least one name")
    return parts


def in_use() -> Refused:
    """What a second task or thread is told that enters a lock object: its token belongs to the first."""
    return Refused("this lock object is in use; call lock() for each use", code="lock_in_use")


def first_loss(holds: Sequence[Hold]) -> LockLost | None:
    """The loss of the first lock that was lost."""
    return next((hold.lost for hold in holds if hold.lost is not None), None)


def attach(error: BaseException, loss: BaseException | None) -> None:
    """Notes the loss at the error of a body, which counts more."""
    if loss is not None and error is not loss:
        error.add_note(f"gorilla: {loss}")
