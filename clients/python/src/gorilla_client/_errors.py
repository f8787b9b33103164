"""What can go wrong. A caller should react differently to each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LossReason = Literal["ended", "unconfirmed", "max_hold", "foreign"]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: of a shared lock, the holder that ends last."""

    owner: str
    """The label that the holder gave itself."""
    fence: int
    """The fencing token of its grant."""
    ttl: float
    """How long the lease lasts unless the holder renews it, in seconds."""


class GorillaError(Exception):
    """What all errors of this library have in common. No message has a token or an API key."""

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.request_id = request_id
        """The id of the last request that was answered, which finds it in the log of the server. None if nothing was
        answered."""


class NotAcquired(GorillaError):  # noqa: N818 - the names are those of all clients
    """Another client has the lock, also at the end of the wait. Nothing was done."""

    def __init__(
        self,
        message: str,
        *,
        resource: str | None = None,
        holder: Holder | None = None,
        position: int | None = None,
        waiting: int = 0,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.resource = resource
        """The lock that could not be acquired: one of several, if the request was for several."""
        self.holder = holder
        """The holder of the lock. None while the next waiter in the queue is about to take it."""
        self.position = position
        """The place of this request in the queue, from 1, if it has waited."""
        self.waiting = waiting
        """How many requests wait for the lock."""


class LockLost(GorillaError):  # noqa: N818
    """The client held the lock and does not any more, or not for sure. Stop what needs the lock.

    The reason is `ended` (the server says that the grant has ended: somebody broke the lock, or the lease ran out),
    `unconfirmed` (the lease may run out before the server confirms a renewal), `max_hold` (the lock was held for as
    long as `max_hold` allows) or `foreign` (this process was forked while its parent held the lock).
    """

    def __init__(
        self,
        message: str,
        *,
        reason: LossReason,
        resource: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.reason: LossReason = reason
        self.resource = resource

    def copy(self) -> LockLost:
        """The same loss, to be raised at another place."""
        return LockLost(str(self), reason=self.reason, resource=self.resource, request_id=self.request_id)


class Unknown(GorillaError):  # noqa: N818
    """In spite of all retries no answer tells what became of the request. If the server granted a lock, the lock ends
    with its lease at the latest."""


class Unavailable(GorillaError):  # noqa: N818
    """The server can't be reached, or can't serve now. Nothing was done."""


class Refused(GorillaError):  # noqa: N818
    """The server refuses the request, and would refuse it again. Nothing was done."""

    def __init__(self, message: str, *, code: str, field: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.code = code
        """The stable code, from docs/reference/errors.md. Empty if the answer is not one of Gorilla."""
        self.field = field
        """The field, parameter or header that breaks a rule."""


class Superseded(GorillaError):  # noqa: N818
    """A later holder of the lock has written: the fence of this holder is too small. Roll the transaction back."""

    def __init__(self, message: str, *, resource: str, fence: int) -> None:
        super().__init__(message)
        self.resource = resource
        self.fence = fence
