"""What the holder of a lock can ask of it, in threads and in asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import LockLost

if TYPE_CHECKING:
    from ._hold import Hold
    from ._options import Mode


class View:
    """A lock that is held, or was held."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._hold: Hold | None = None

    def __repr__(self) -> str:
        hold = self._hold
        if hold is None:
            return f"<{type(self).__name__} {self._resource!r}, not acquired>"
        state = "held" if hold.is_held() else "not held"
        return f"<{type(self).__name__} {self._resource!r}, {state}, fence {hold.grant.fence}>"

    @property
    def resource(self) -> str:
        """The name of what is locked."""
        return self._resource

    @property
    def owner(self) -> str:
        """The label that this client gave itself."""
        return self._held_once().owner

    @property
    def id(self) -> str:
        """The id of the grant."""
        return self._held_once().grant.id

    @property
    def fence(self) -> int:
        """The fencing token: larger than those of all earlier grants. Send it along with each write."""
        return self._held_once().grant.fence

    @property
    def floor(self) -> int:
        """The fencing token of the first of those that share the lock; of an exclusive lock, its own. Storage keeps the
        largest floor that it has seen, and refuses a fence below it."""
        return self._held_once().grant.floor

    @property
    def mode(self) -> Mode:
        """Whether the lock is held alone or shared."""
        return self._held_once().grant.mode

    @property
    def permits(self) -> int | None:
        """How many permits a shared lock takes; None of an exclusive lock."""
        return self._held_once().grant.permits

    @property
    def limit(self) -> int | None:
        """How many permits all holders may have; None if there is no limit."""
        return self._held_once().grant.limit

    @property
    def token(self) -> str:
        """The right to extend and to release the lock. Keep it secret. A renewal may replace it."""
        return self._held_once().token

    @property
    def held(self) -> bool:
        """Whether the lock is held for sure at this moment, by the clock."""
        return self._hold is not None and self._hold.is_held()

    @property
    def loss(self) -> LockLost | None:
        """Why the lock was lost, if it was."""
        return None if self._hold is None else self._hold.loss()

    def remaining(self) -> float:
        """For how many seconds the lock is held for sure, if no further renewal is confirmed; 0 if it is not held."""
        return 0.0 if self._hold is None else self._hold.remaining()

    def check(self) -> None:
        """Raises `LockLost` unless the lock is held for sure at this moment. Looks at the clock, so it is right also in
        a process that was suspended or whose threads were blocked."""
        hold = self._hold
        loss = None if hold is None else hold.loss()
        if loss is not None:
            raise loss.copy()
        if hold is None or not hold.is_held():
            raise LockLost(f'the lock "{self._resource}" is not held', reason="ended", resource=self._resource)

    def _held_once(self) -> Hold:
        if self._hold is None:
            raise RuntimeError(f'the lock "{self._resource}" was not acquired')
        return self._hold
