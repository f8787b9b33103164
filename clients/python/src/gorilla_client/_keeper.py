"""Renews the locks of a client in threads: one that looks at the clock, and a few that send."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from ._clock import LOOK
from ._renew import Renewals
from ._threads import drive

if TYPE_CHECKING:
    from ._clock import Clock
    from ._hold import Hold
    from ._threads import Transport

_SENDERS = 8
"""How many renewals are sent at once. A thousand locks need one, if the server knows batches."""
_IDLE = 5.0
"""How long a thread without work stays, in seconds."""


class Keeper:
    """Renews the locks of a client."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        self._wake = threading.Condition()
        self._renewals = Renewals(self._clock)
        self._looks_at = 0.0
        self._thread: threading.Thread | None = None
        self._work: queue.SimpleQueue[list[Hold]] = queue.SimpleQueue()
        self._senders = 0
        self._idle_senders = 0

    def after_fork(self) -> None:
        """In the child: the threads and the locks belong to the parent."""
        self._reset()

    def add(self, hold: Hold) -> None:
        """Keeps a lock from now on."""
        self._renewals.add(hold)
        with self._wake:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="gorilla-keeper", daemon=True)
                self._thread.start()
            elif min(hold.due, hold.deadline) < self._looks_at:
                self._wake.notify()

    def remove(self, hold: Hold) -> None:
        self._renewals.remove(hold)

    def holds(self) -> list[Hold]:
        return self._renewals.holds()

    def _run(self) -> None:
        idle_since = self._clock.now()
        while True:
            batches, again = self._renewals.look()
            for batch in batches:
                self._submit(batch)
            now = self._clock.now()
            with self._wake:
                if len(self._renewals):
                    idle_since = now
                elif now - idle_since > _IDLE:
                    self._thread = None
                    return
                self._looks_at = min(again, now + LOOK)
                self._wake.wait(max(0.0, self._looks_at - now))

    def _submit(self, batch: list[Hold]) -> None:
        with self._wake:
            needs = self._idle_senders <= self._work.qsize() and self._senders < _SENDERS
            if needs:
                self._senders += 1
        self._work.put(batch)
        if needs:
            threading.Thread(target=self._send, name="gorilla-renewal", daemon=True).start()

    def _send(self) -> None:
        while True:
            with self._wake:
                self._idle_senders += 1
            try:
                batch = self._work.get(timeout=_IDLE)
            except queue.Empty:
                batch = []
            with self._wake:
                self._idle_senders -= 1
                if not batch:
                    # What was put meanwhile is for another sender.
                    if not self._work.empty():
                        continue
                    self._senders -= 1
                    return
            drive(self._renewals.renew(batch), self._transport, self._clock)
            with self._wake:
                self._wake.notify()
