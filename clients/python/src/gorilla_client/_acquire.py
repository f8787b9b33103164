"""Asks for locks, and waits for them in the queues of the server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _requests as requests
from ._deliver import (
    ANSWER_TIMEOUT,
    LONGEST_PAUSE,
    LONGEST_PAUSE_OF_WAITER,
    Done,
    Refusal,
    Retry,
    Trouble,
    deliver,
    judge,
)
from ._errors import GorillaError, Unknown
from ._generated import Code
from ._hold import DRIFT, Hold
from ._options import Event, Listener, Options
from ._steps import Request, Steps, new_key, send

if TYPE_CHECKING:
    from ._clock import Clock
    from ._generated import Lock as WireLock

_FIRST_PIECE = 1.0
"""How long a request waits at first: for a moment, to learn who holds the lock. The server keeps the place from one
request to the next."""
_PIECE, _PIECE_OF_SET = 10.0, 60.0
"""How long one request waits at most: of a set for long, because a set begins anew with each request."""
_SHORTEST_PIECE = 0.1
_OUTAGE = 60.0
"""How long a client that has waited in the queue goes on while it can't reach the server."""
_LATE = 1.0
"""How much later than the end of the wait an answer may come."""
_FRESH = 0.9
"""A lease of which less is left is renewed before the lock is handed out."""

_BUSY = frozenset({Code.WAIT_TIMEOUT, Code.LOCK_HELD, Code.LOCK_RESERVED})


@dataclass
class Asked:
    """What is under way, for whoever cancels: the server may have granted this request, and nobody knows the token."""

    request: Request | None = None
    granted: list[WireLock] = field(default_factory=list["WireLock"])


class Acquire:
    """A request for one lock, or for several, all or none."""

    def __init__(
        self,
        clock: Clock,
        parts: Sequence[tuple[str, dict[str, Any]]],
        options: Options,
        *,
        is_set: bool,
        patience: float,
        on_event: Listener | None,
    ) -> None:
        """Each part has its name and the fields of its mode."""
        self._clock = clock
        self._parts = parts
        self._options = options
        self._is_set = is_set
        self._patience = patience
        self._on_event = on_event
        self._name = parts[0][0]
        self._deadline = clock.now() + options.wait
        self._asked = Asked()

    def run(self) -> Steps[list[Hold]]:
        """Acquires, and returns a hold of each lock. Each of them has most of its lease left."""
        while True:
            base, locks = yield from self._ask()
            self._asked.granted = locks
            holds = [self._hold(lock, base) for lock in locks]
            if all(self._is_fresh(lock, base) for lock in locks):
                break
            # The grants are older than their answer: a request of a client that was stopped, or an answer that was
            # lost.
            try:
                renewed = yield from self._renew_all(holds)
            except GorillaError as error:
                if (yield from self._is_undone()):
                    raise
                why = f"the lock was granted, and could be neither renewed nor released: {error}"
                raise Unknown(why, request_id=error.request_id) from error
            if renewed:
                break
            if not (yield from self._is_undone()):
                raise Unknown("some of the locks were granted, and could not be released")
        self._asked = Asked()
        for hold in holds:
            hold.tell("acquired", fence=hold.grant.fence)
        return holds

    def undo(self) -> Steps[None]:
        """Gives back what the server has granted, or may have granted to a request that was cancelled."""
        asked, self._asked = self._asked, Asked()
        give_up = self._clock.now() + self._patience
        locks = asked.granted
        if not locks and asked.request is not None:
            # A copy that doesn't wait: its answer has the tokens, if the lock was granted.
            body = {name: value for name, value in asked.request.body.items() if name != "wait"}
            copy = Request(asked.request.method, asked.request.path, key=asked.request.key, body=body)
            verdict = yield from deliver(self._clock, copy, give_up)
            if isinstance(verdict, Refusal):
                return
            locks = self._read(verdict)[1]
        for lock in locks:
            yield from deliver(self._clock, requests.release(lock["resource"], lock["token"], new_key()), give_up)

    def _is_undone(self) -> Steps[bool]:
        try:
            yield from self.undo()
        except GorillaError:
            return False
        return True

    @property
    def is_in_doubt(self) -> bool:
        """Whether there may be something to undo."""
        return self._asked.request is not None or bool(self._asked.granted)

    def _ask(self) -> Steps[tuple[float, list[WireLock]]]:
        clock, options, deadline = self._clock, self._options, self._deadline
        waits = options.wait > 0
        begun = clock.now()
        retry = Retry(clock, LONGEST_PAUSE_OF_WAITER if waits else LONGEST_PAUSE)
        key = new_key()
        piece, longest = _FIRST_PIECE, _PIECE_OF_SET if self._is_set else _PIECE
        heard: float | None = None
        while True:
            left = max(0.0, deadline - clock.now())
            # In milliseconds, as the server counts.
            wait = math.floor(min(left, piece) * 1000) / 1000 if waits else 0.0
            request = self._request(key, wait)
            timeout = min(wait + ANSWER_TIMEOUT, left + _LATE) if waits else ANSWER_TIMEOUT
            if self._asked.request is None:
                self._asked.request = request
            verdict = judge((yield from send(request, timeout)))
            if isinstance(verdict, Done):
                return self._read(verdict)
            if isinstance(verdict, Trouble):
                if not verdict.in_doubt and not retry.in_doubt:
                    self._asked.request = None
                give_up = begun + self._patience
                if waits:
                    # A client that has been in the queue goes on for longer.
                    give_up = min(give_up if heard is None else max(heard + _OUTAGE, give_up), deadline)
                self._tell("trouble", reason=verdict.why)
                yield from retry.pause(verdict, give_up)
                continue
            self._asked.request = None
            heard = clock.now()
            retry.restart()
            if verdict.code in _BUSY:
                error = verdict.not_acquired()
                if clock.now() >= deadline:
                    raise error
                self._tell(
                    "waiting",
                    position=error.position,
                    waiting=error.waiting,
                    owner=error.holder and error.holder.owner,
                )
                piece = min(longest, piece * 4)
            elif verdict.code == Code.LOCK_GONE:
                # The server granted the lock, the answer was lost, and the lease has ended since.
                key = new_key()
            elif self._forbids_wait(verdict, wait):
                longest = piece = wait / 2
            else:
                raise verdict.error()

    @staticmethod
    def _forbids_wait(refusal: Refusal, wait: float) -> bool:
        """Whether the server allows only shorter waits."""
        is_wait = refusal.code == Code.INVALID_REQUEST and refusal.facts.get("field") == "wait"
        return is_wait and wait > _SHORTEST_PIECE

    def _request(self, key: str, wait: float) -> Request:
        body = self._options.fields()
        if wait > 0:
            body["wait"] = wait
        if self._is_set:
            body["resources"] = [{"resource": name, **kind} for name, kind in self._parts]
            return requests.acquire_set(body, key)
        name, kind = self._parts[0]
        return requests.acquire(name, {**body, **kind}, key)

    def _read(self, done: Done) -> tuple[float, list[WireLock]]:
        """A moment after which the leases began, and the locks."""
        try:
            waited = done.body.get("waitedMs", 0) / 1000
            locks: list[WireLock] = done.body["locks"] if self._is_set else [done.body]
            for lock in locks:
                Hold(self._clock, lock, done.sent, ttl=self._options.ttl, grace=0.0)
        except (AttributeError, KeyError, TypeError) as error:
            why = "the answer makes no sense"
            raise Unknown(why, request_id=done.request_id) from error
        return done.sent + waited, locks

    def _is_fresh(self, lock: WireLock, base: float) -> bool:
        left = base + lock["ttlMs"] / 1000 * (1 - DRIFT) - self._clock.now()
        return left >= _FRESH * self._options.ttl

    def _hold(self, lock: WireLock, base: float) -> Hold:
        options = self._options
        return Hold(
            self._clock,
            lock,
            base,
            ttl=options.ttl,
            grace=options.shown_grace,
            at_least=options.at_least,
            max_hold=options.max_hold,
            renews=options.renew,
            on_event=self._on_event,
        )

    def _renew_all(self, holds: list[Hold]) -> Steps[bool]:
        for hold in holds:
            if not (yield from self._renew(hold)):
                return False
        return True

    def _renew(self, hold: Hold) -> Steps[bool]:
        """Renews before the lock is handed out. False if it is lost already, or about to be broken."""
        # Asks even if the lease may just be over: the answer tells.
        give_up = max(hold.ends, self._clock.now() + self._patience)
        request = requests.extend(hold.resource, hold.token, hold.ttl, new_key())
        verdict = yield from deliver(self._clock, request, give_up)
        if isinstance(verdict, Done):
            hold.begin_anew(verdict.body, verdict.sent)
            return True
        if verdict.is_end or verdict.code == Code.LOCK_BREAKING:
            # There is nothing to give back.
            self._asked.granted = [lock for lock in self._asked.granted if lock["token"] != hold.token]
            self._asked.request = None
            return False
        raise verdict.error()

    def _tell(self, event: str, **facts: Any) -> None:
        if self._on_event is not None:
            known = {name: value for name, value in facts.items() if value is not None}
            self._on_event(Event(event, self._name, known))
