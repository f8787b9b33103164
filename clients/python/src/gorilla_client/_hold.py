"""A lock that is held: its lease, and whether it is lost. Decides by the clock at each call."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ._errors import LockLost, LossReason
from ._options import Event, Listener, Mode

if TYPE_CHECKING:
    from ._clock import Clock
    from ._generated import Lock as WireLock

DRIFT = 0.01
"""The part of the lease that a client doesn't count on, because its clock and that of the server may run at different
rates."""

_WHY: dict[LossReason, str] = {
    "ended": "the server says that the grant has ended",
    "unconfirmed": "no renewal was confirmed in time",
    "max_hold": "it was held for as long as max_hold allows",
    "foreign": "this process was forked while its parent held the lock",
}


class Phase(Enum):
    """Where a hold is in its life."""

    HELD = auto()
    RELEASING = auto()
    OVER = auto()
    DETACHED = auto()


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted: the same until the lock is converted."""

    id: str
    fence: int
    floor: int
    mode: Mode
    permits: int | None
    limit: int | None

    @staticmethod
    def of(lock: WireLock) -> Grant:
        return Grant(
            id=lock["id"],
            fence=lock["fence"],
            floor=lock.get("floor", lock["fence"]),
            mode=lock.get("mode", "exclusive"),
            permits=lock.get("permits"),
            limit=lock.get("limit"),
        )


@dataclass(frozen=True, slots=True)
class Ticket:
    """A lock that was detached from its process, for another process to adopt. Keep it secret: it has the token."""

    resource: str
    id: str
    fence: int
    token: str = field(repr=False)


class Hold:
    """A lock that is held. All methods may be called from any thread."""

    def __init__(
        self,
        clock: Clock,
        lock: WireLock,
        base: float,
        *,
        ttl: float,
        grace: float,
        at_least: float = 0.0,
        max_hold: float | None = None,
        renews: bool = True,
        on_event: Listener | None = None,
    ) -> None:
        """The lease counts from `base`: a moment before the server granted it."""
        self._clock = clock
        self._mutex = threading.Lock()
        self._on_event = on_event
        self.resource: str = lock["resource"]
        self.owner: str = lock["owner"]
        self.grant = Grant.of(lock)
        self.ttl = ttl
        self.grace = grace
        self.begun = base
        self.renews = renews
        self.at_least = at_least
        self.end_of_hold = None if max_hold is None else base + max_hold
        self.ends = base + lock["ttlMs"] / 1000 * (1 - DRIFT)
        self.token: str = lock["token"]
        self.phase = Phase.HELD
        self.is_breaking = False
        self.is_renewing = False
        """Whether a renewal is under way: there is one at a time."""
        self.lost: LockLost | None = None
        self._trouble: str | None = None
        self._pid = os.getpid()
        self._on_loss: list[Callable[[], None]] = []
        self.on_settled: Callable[[], None] | None = None
        """Called when a renewal has ended that was under way when the release began."""
        self.settle_until = 0.0
        """Until then a renewal that is in doubt may be sent again after the release has begun."""

    # What the holder asks.

    @property
    def deadline(self) -> float:
        """From then on the lock counts as lost."""
        deadline = self.ends - self.grace
        return deadline if self.end_of_hold is None else min(deadline, self.end_of_hold)

    @property
    def due(self) -> float:
        """When to renew."""
        return self.ends - self.ttl * 2 / 3

    @property
    def is_foreign(self) -> bool:
        """Whether this process is a child of the process that holds the lock."""
        return self._pid != os.getpid()

    def loss(self) -> LockLost | None:
        """The loss, if the lock is lost at this moment. A loss is final; whoever finds it first tells it."""
        if self.is_foreign:
            return self._error("foreign")
        with self._mutex:
            is_new = self._find_loss()
        if is_new:
            self._spread()
        return self.lost

    def is_held(self) -> bool:
        return self.phase is Phase.HELD and self.loss() is None

    def remaining(self) -> float:
        """The seconds for which the lock is held for sure; 0 if it is not."""
        return max(0.0, self.deadline - self._clock.now()) if self.is_held() else 0.0

    def lasts(self) -> float:
        """How long the lease lasts; less than 0 after its end."""
        return self.ends - self._clock.now()

    def when_lost(self, call: Callable[[], None]) -> None:
        """Calls this once, when the lock is lost, from whichever thread finds out."""
        self._on_loss.append(call)

    # What the keeper tells.

    def begin_renewal(self) -> bool:
        """Whether a renewal may begin now."""
        if self.loss() is not None:
            return False
        with self._mutex:
            may = self.phase is Phase.HELD and not self.is_renewing
            self.is_renewing = may or self.is_renewing
            return may

    def end_renewal(self) -> None:
        with self._mutex:
            self.is_renewing = False
            settled = self.on_settled
        if settled is not None:
            settled()

    def confirm(self, lock: WireLock, sent: float) -> None:
        """A renewal was confirmed that was sent at that moment. Revives nothing."""
        loss = self.loss()
        with self._mutex:
            # Also of a lock that counts as lost: the release needs it.
            self.token = lock["token"]
            if loss is not None:
                return
            self.grant = Grant.of(lock)
            self.ends = sent + lock["ttlMs"] / 1000 * (1 - DRIFT)
            self._trouble = None
        self.tell("renewed", ttlMs=lock["ttlMs"])

    def begin_anew(self, lock: WireLock, sent: float) -> None:
        """The lease was extended by hand, or before the holder has got the lock."""
        with self._mutex:
            self.token = lock["token"]
            self.grant = Grant.of(lock)
            self.ends = sent + lock["ttlMs"] / 1000 * (1 - DRIFT)

    def end(self, loss: LockLost) -> None:
        """The server says that the grant has ended."""
        with self._mutex:
            if self.lost is not None or self.phase is not Phase.HELD:
                return
            self.lost = loss
        self._spread()

    def breaking(self, sent: float, left: float) -> None:
        """Somebody breaks the lock, which lasts for so long after a renewal was sent. Nobody can renew it any more."""
        with self._mutex:
            self.ends = min(self.ends, sent + left * (1 - DRIFT))
            self.is_breaking = True
        self.tell("breaking", ttlMs=round(left * 1000))

    def trouble(self, why: str) -> None:
        """A renewal was not confirmed, and will be tried again."""
        self._trouble = why
        self.tell("trouble", reason=why)

    # The end.

    def begin_release(self, settle_until: float = 0.0) -> LockLost | None:
        """No renewal begins from now on. The loss, if the lock was lost before."""
        loss = self.loss()
        self.settle_until = settle_until
        with self._mutex:
            if self.phase is Phase.HELD:
                self.phase = Phase.RELEASING
        return loss

    def detach(self) -> Ticket:
        """Ends the renewing and leaves the lock as it is."""
        loss = self.loss()
        if loss is not None:
            raise loss
        with self._mutex:
            if self.phase is not Phase.HELD:
                raise RuntimeError("the lock is not held")
            self.phase = Phase.DETACHED
            return Ticket(self.resource, self.grant.id, self.grant.fence, self.token)

    def over(self) -> None:
        self.phase = Phase.OVER

    def tell(self, event: str, **facts: Any) -> None:
        if self._on_event is not None:
            self._on_event(Event(event, self.resource, facts))

    def _find_loss(self) -> bool:
        """Whether the clock says just now that the lock is lost. The mutex is held."""
        if self.lost is not None or self.phase is not Phase.HELD or self._clock.now() < self.deadline:
            return False
        # Of two deadlines that are over, the one that came first counts.
        if self.end_of_hold is not None and self.end_of_hold <= self.ends - self.grace:
            self.lost = self._error("max_hold")
        else:
            self.lost = self._error("ended" if self.is_breaking else "unconfirmed")
        return True

    def _error(self, reason: LossReason) -> LockLost:
        why = _WHY[reason]
        if reason == "ended" and self.is_breaking:
            why = "somebody broke the lock, and the grace is over"
        if reason == "unconfirmed" and self._trouble:
            why += f" ({self._trouble})"
        return LockLost(f'the lock "{self.resource}" is lost: {why}', reason=reason, resource=self.resource)

    def _spread(self) -> None:
        """Tells the loss to those who listen, once. No mutex is held."""
        loss, calls = self.lost, self._on_loss
        self._on_loss = []
        if loss is not None:
            self.tell("lost", reason=loss.reason)
        for call in calls:
            call()
