"""Renews locks that are held, the locks of one client together, and releases them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import _requests as requests
from ._deliver import ANSWER_TIMEOUT, COPIES, Done, Refusal, Trouble, deliver, judge, judge_refusal
from ._errors import GorillaError, LockLost
from ._generated import Code
from ._hold import Hold, Phase
from ._steps import Steps, new_key, send, sleep

if TYPE_CHECKING:
    from ._clock import Clock

EARLY = 0.1
"""The part of the lease by which a renewal may be early, to go together with those of other locks."""
MOST_ITEMS = 1000
"""How many locks a batch may have."""
_SINGLY = 600.0
"""How long locks are renewed singly after a server has refused a batch, as servers do that know no batches."""
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)


class Renewals:
    """The locks that a client holds, and when to renew which."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._holds: dict[int, Hold] = {}
        self._singly_until = 0.0

    def add(self, hold: Hold) -> None:
        self._holds[id(hold)] = hold

    def remove(self, hold: Hold) -> None:
        self._holds.pop(id(hold), None)

    def __len__(self) -> int:
        return len(self._holds)

    def holds(self) -> list[Hold]:
        return list(self._holds.values())

    def look(self) -> tuple[list[list[Hold]], float]:
        """Finds the locks that are lost and tells so. Returns what to renew now, each list in one request, and when to
        look again. The renewals of these locks count as begun."""
        due: list[Hold] = []
        early: list[Hold] = []
        again = float("inf")
        now = self._clock.now()
        for hold in self.holds():
            if hold.loss() is not None or hold.phase is not Phase.HELD:
                continue
            again = min(again, hold.deadline)
            if hold.is_renewing or hold.is_breaking or not hold.renews:
                continue
            if hold.due <= now:
                due.append(hold)
            elif hold.due - EARLY * hold.ttl <= now:
                early.append(hold)
            else:
                again = min(again, hold.due)
        if not due:
            again = min([again, *(hold.due for hold in early)])
            return [], again
        return list(self._batches([hold for hold in due + early if hold.begin_renewal()])), again

    def _batches(self, holds: list[Hold]) -> Iterable[list[Hold]]:
        if self._clock.now() < self._singly_until:
            yield from ([hold] for hold in holds)
            return
        # A batch has each name once: several holds of a shared lock go one after the other.
        while holds:
            batch: dict[str, Hold] = {}
            rest: list[Hold] = []
            for hold in holds:
                if hold.resource in batch or len(batch) == MOST_ITEMS:
                    rest.append(hold)
                else:
                    batch[hold.resource] = hold
            yield list(batch.values())
            holds = rest

    def renew(self, holds: list[Hold]) -> Steps[None]:
        """Renews until each of these locks is renewed, lost, or released by its holder."""
        clock = self._clock
        waiting = list(holds)
        key, keyed_at = new_key(), clock.now()
        attempt = 0
        try:
            while True:
                if clock.now() - keyed_at > COPIES - ANSWER_TIMEOUT:
                    key, keyed_at = new_key(), clock.now()
                is_single = len(holds) == 1
                in_doubt = yield from (self._one(waiting[0], key) if is_single else self._several(waiting, key))
                if in_doubt is None:
                    # The server refuses batches: the next look renews singly.
                    return
                # Only the answer to a renewal that is in doubt tells which token is right, if the server doesn't know
                # `rotate`. So a release waits for it.
                settles = is_single and in_doubt and waiting[0].phase is Phase.RELEASING
                for hold in waiting:
                    if hold.is_renewing and not (self._goes_on(hold) or settles):
                        hold.end_renewal()
                waiting = [hold for hold in waiting if hold.is_renewing]
                if not waiting:
                    return
                limits = [hold.deadline for hold in waiting]
                pause = clock.now() + _PAUSES[min(attempt, len(_PAUSES) - 1)] * random.uniform(0.5, 1.0)
                attempt += 1
                if settles and pause >= waiting[0].settle_until:
                    return
                yield from sleep(min([pause, *(limit for limit in limits if limit > clock.now())]))
        finally:
            # Only of these: another renewal of the others may be under way by now.
            for hold in waiting:
                hold.end_renewal()

    @staticmethod
    def _goes_on(hold: Hold) -> bool:
        return hold.phase is Phase.HELD and hold.loss() is None and not hold.is_breaking

    def _one(self, hold: Hold, key: str) -> Steps[bool | None]:
        """Sends one renewal once. Whether it is in doubt."""
        timeout = min(ANSWER_TIMEOUT, hold.ttl / 4)
        request = requests.extend(hold.resource, hold.token, hold.ttl, key)
        verdict = judge((yield from send(request, timeout)))
        self._settle(hold, verdict)
        return isinstance(verdict, Trouble) and verdict.in_doubt

    def _several(self, holds: list[Hold], key: str) -> Steps[bool | None]:
        """The same for several; None if the server refuses all of them."""
        timeout = min(ANSWER_TIMEOUT, min(hold.ttl for hold in holds) / 4)
        request = requests.extend_all(((hold.resource, hold.token, hold.ttl) for hold in holds), key)
        verdict = judge((yield from send(request, timeout)))
        if isinstance(verdict, Refusal):
            self._singly_until = self._clock.now() + _SINGLY
            return None
        if isinstance(verdict, Trouble):
            for hold in holds:
                self._settle(hold, verdict)
            return verdict.in_doubt
        told = read_batch(verdict)
        for index, hold in enumerate(holds):
            self._settle(hold, told.get(index, Trouble(in_doubt=True, why="the answer does not tell")))
        return False

    @staticmethod
    def _settle(hold: Hold, verdict: Done | Refusal | Trouble) -> None:
        """What became of a renewal. After trouble it is still under way."""
        if isinstance(verdict, Trouble):
            hold.trouble(verdict.why)
            return
        if isinstance(verdict, Done):
            try:
                hold.confirm(verdict.body, verdict.sent)
            except (KeyError, TypeError):
                hold.trouble("the answer makes no sense")
                return
        elif verdict.is_end:
            hold.end(verdict.lost(hold.resource))
        elif verdict.code == Code.LOCK_BREAKING:
            hold.breaking(verdict.sent, verdict.facts.get("ttlMs", 0) / 1000)
        else:
            # It would be refused again, so the lease runs out. Until the deadline the client holds the lock.
            hold.trouble(verdict.message)
            return
        hold.end_renewal()


def read_batch(done: Done) -> dict[int, Done | Refusal | Trouble]:
    """What came of each item of a batch that the answer tells of."""
    told: dict[int, Done | Refusal | Trouble] = {}
    try:
        for item in done.body["results"]:
            status, body = item["status"], item.get("body")
            if 200 <= status < 300:
                told[item["index"]] = Done(done.sent, body, done.request_id)
            else:
                told[item["index"]] = judge_refusal(status, body, done.sent, done.request_id)
    except (AttributeError, KeyError, TypeError):
        return {}
    return told


def release(clock: Clock, holds: list[Hold], give_up: float) -> Steps[None]:
    """Gives locks back that their holders have begun to release. Tells of each what became of it, and raises
    nothing."""
    over: list[Hold] = []
    for hold in holds:
        if hold.lost is not None and hold.lost.reason == "ended":
            hold.over()
        else:
            over.append(hold)
    told: dict[int, Any] = {}
    key = new_key()
    if len(over) > 1 and not any(hold.at_least for hold in over) and len({hold.resource for hold in over}) == len(over):
        try:
            request = requests.release_all(((hold.resource, hold.token) for hold in over), key)
            verdict = yield from deliver(clock, request, give_up)
        except GorillaError:
            verdict = None
        if isinstance(verdict, Done):
            told = read_batch(verdict)
    for index, hold in enumerate(over):
        verdict = told.get(index)
        why = ""
        if verdict is None or isinstance(verdict, Trouble):
            # Singly with the same key: a release that was done is answered as done.
            try:
                verdict = yield from _release_one(clock, hold, key, give_up)
            except GorillaError as error:
                verdict, why = None, str(error)
        hold.over()
        if isinstance(verdict, Done):
            hold.tell("released")
            continue
        if isinstance(verdict, Refusal):
            if verdict.is_end and hold.lost is None:
                hold.lost = verdict.lost(hold.resource)
                hold.tell("lost", reason="ended")
            why = verdict.message
        hold.tell("not_released", reason=why)


def _release_one(clock: Clock, hold: Hold, key: str, give_up: float) -> Steps[Done | Refusal]:
    after = max(0.0, hold.begun + hold.at_least - clock.now()) if hold.at_least and hold.lost is None else 0.0
    if after > max(0.0, hold.ends - clock.now()):
        request = requests.extend(hold.resource, hold.token, after + 1.0, new_key())
        extended = yield from deliver(clock, request, give_up)
        if isinstance(extended, Done):
            hold.token = extended.body["token"]
    if hold.lost is not None:
        # One attempt: the lease may still run, and others need not wait for its end.
        verdict = judge((yield from send(requests.release(hold.resource, hold.token, key), ANSWER_TIMEOUT)))
        if isinstance(verdict, Trouble):
            raise verdict.error()
        return verdict
    return (yield from deliver(clock, requests.release(hold.resource, hold.token, key, after), give_up))


def extend(clock: Clock, hold: Hold, ttl: float, give_up: float) -> Steps[None]:
    """Gives the lease another length, counted from now. Raises `LockLost` if the lock has ended."""
    verdict = yield from deliver(clock, requests.extend(hold.resource, hold.token, ttl, new_key()), give_up)
    if isinstance(verdict, Done):
        hold.ttl = ttl
        hold.begin_anew(verdict.body, verdict.sent)
        return
    if verdict.is_end:
        loss = verdict.lost(hold.resource)
        hold.end(loss)
        raise loss
    raise verdict.error()


def adopt(clock: Clock, resource: str, token: str, ttl: float, patience: float) -> Steps[Done]:
    """Renews the lock of a ticket."""
    give_up = clock.now() + patience
    while True:
        verdict = yield from deliver(clock, requests.extend(resource, token, ttl, new_key()), give_up)
        if isinstance(verdict, Done):
            return verdict
        if verdict.code != Code.TIMEOUT_SHORTER:
            raise verdict.lost(resource) if verdict.is_end else verdict.error()
        # The lease is longer than the one that is asked for, and can't be shortened: it goes on as it is.
        ttl = verdict.facts["ttlMs"] / 1000


__all__ = ["LockLost", "Renewals", "adopt", "extend", "read_batch", "release"]
