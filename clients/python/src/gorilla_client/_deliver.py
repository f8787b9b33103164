"""What an answer means, and when to send a request again."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from ._clock import Clock
from ._errors import GorillaError, Holder, LockLost, NotAcquired, Refused, Unavailable, Unknown
from ._generated import Code
from ._steps import Failure, Reply, Request, Send, Steps, send, sleep

CONNECT_TIMEOUT = 2.0
"""How long a connection may take to open, in seconds."""
ANSWER_TIMEOUT = 3.0
"""How long an answer may take, beside the time that the request waits for the lock. The server gives Redis a second."""
PATIENCE = 5.0
"""For how long a request is sent again while the server can't be reached or can't serve."""
COPIES = 55.0
"""No copy of a request that may have been executed is sent later than so long after the first: the server forgets an
Idempotency-Key after 60 s."""
_FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
LONGEST_PAUSE_OF_WAITER = 0.5
"""If the replica of a waiter has ended, the server keeps a free lock for the waiter for a second at most."""

_PASSING = frozenset({408, 425, 429})
_ENDED = frozenset({Code.LOCK_NOT_FOUND, Code.TOKEN_NOT_FOUND, Code.TOKEN_MISMATCH, Code.LOCK_GONE})


@dataclass(frozen=True, slots=True)
class Done:
    """The server has executed the request."""

    sent: float
    body: Any = field(repr=False)
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server has not executed the request, and would not execute it if it were sent again."""

    code: str
    message: str
    facts: dict[str, Any]
    request_id: str | None
    sent: float

    @property
    def is_end(self) -> bool:
        """Whether it says to the holder of a lock that the lock has ended."""
        return self.code in _ENDED

    def error(self) -> GorillaError:
        """What it means to a client that asks for a lock, or for anything else."""
        field = self.facts.get("field")
        return Refused(self.message, code=self.code, field=field, request_id=self.request_id)

    def not_acquired(self) -> NotAcquired:
        """Why the lock could not be acquired."""
        facts = self.facts
        holder = None
        if {"owner", "fence", "ttlMs"} <= facts.keys():
            holder = Holder(owner=facts["owner"], fence=facts["fence"], ttl=facts["ttlMs"] / 1000)
        return NotAcquired(
            self.message,
            resource=facts.get("resource"),
            holder=holder,
            position=facts.get("position"),
            waiting=facts.get("waiting", 0),
            request_id=self.request_id,
        )

    def lost(self, resource: str) -> LockLost:
        """What it means to a client that held the lock, if `is_end`."""
        return LockLost(self.message, reason="ended", resource=resource, request_id=self.request_id)


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer, or an answer after which the request should be sent again."""

    in_doubt: bool
    why: str
    after: float = 0.0
    """How long to pause at least, if the server says so."""
    request_id: str | None = None

    def error(self) -> GorillaError:
        kind = Unknown if self.in_doubt else Unavailable
        return kind(self.why, request_id=self.request_id)


Verdict: TypeAlias = Done | Refusal | Trouble


def judge(outcome: Reply | Failure) -> Verdict:
    """What an outcome means."""
    if isinstance(outcome, Failure):
        return Trouble(in_doubt=outcome.in_doubt, why=outcome.why)
    body: Any = None
    if outcome.body:
        try:
            body = json.loads(outcome.body)
        except ValueError:
            body = None
    if 200 <= outcome.status < 300 and (body is not None or not outcome.body):
        return Done(outcome.sent, body, outcome.request_id)
    return judge_refusal(outcome.status, body, outcome.sent, outcome.request_id, outcome.retry_after)


def judge_refusal(
    status: int, body: Any, sent: float, request_id: str | None = None, retry_after: float | None = None
) -> Refusal | Trouble:
    """What an answer means that is not a success; also an item of the answer to a batch."""
    facts = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    code, message = facts.get("code"), facts.get("errorMessage")
    # A proxy or a load balancer may answer in place of Gorilla, and does not know whether the request was executed.
    if not isinstance(code, str) or not isinstance(message, str):
        code, message = "", f"the server answers {status}, which is not an answer of Gorilla"
        facts = {}
    message = message.removesuffix(".")
    if 200 <= status < 300:
        return Trouble(in_doubt=True, why="the answer makes no sense", request_id=request_id)
    if status < 500 and status not in _PASSING:
        return Refusal(code, message, facts, request_id, sent)
    in_doubt = status >= 500 and facts.get("outcome") != "not_executed"
    return Trouble(in_doubt=in_doubt, why=message, after=retry_after or 0.0, request_id=request_id)


class Retry:
    """Counts attempts and spaces them."""

    def __init__(self, clock: Clock, longest: float = LONGEST_PAUSE) -> None:
        self._clock = clock
        self._longest = longest
        self._attempts = 0
        self._begun = clock.now()
        self._doubt: Trouble | None = None

    def restart(self) -> None:
        """The server has refused the request: what was in doubt is not any more."""
        self._attempts, self._begun, self._doubt = 0, self._clock.now(), None

    @property
    def in_doubt(self) -> bool:
        return self._doubt is not None

    def pause(self, trouble: Trouble, give_up: float) -> Steps[None]:
        """Sleeps until the next attempt. Raises if there is none: later troubles don't end a doubt."""
        longest = self._longest
        pause = min(_FIRST_PAUSE * 2 ** min(self._attempts, 10), longest) * random.uniform(0.5, 1.0)
        pause = max(pause, min(trouble.after, longest))
        self._attempts += 1
        if trouble.in_doubt:
            self._doubt = trouble
        if self._doubt is not None:
            give_up = min(give_up, self._begun + COPIES)
        until = self._clock.now() + pause
        if until >= give_up:
            raise (self._doubt or trouble).error()
        yield from sleep(until)
        # The machine may have been suspended meanwhile.
        if self._doubt is not None and self._clock.now() >= self._begun + COPIES:
            raise self._doubt.error()


def deliver(clock: Clock, request: Request, give_up: float, timeout: float = ANSWER_TIMEOUT) -> Steps[Done | Refusal]:
    """Sends a request until there is an answer, or until `give_up`."""
    retry = Retry(clock)
    while True:
        verdict = judge((yield from send(request, timeout)))
        if not isinstance(verdict, Trouble):
            return verdict
        yield from retry.pause(verdict, give_up)


def ask(clock: Clock, request: Request, patience: float) -> Steps[Any]:
    """Sends a request of a client that holds nothing; returns the body of the answer."""
    verdict = yield from deliver(clock, request, clock.now() + patience)
    if isinstance(verdict, Refusal):
        raise verdict.error()
    return verdict.body


__all__ = [
    "Done",
    "Refusal",
    "Retry",
    "Send",
    "Trouble",
    "Verdict",
    "ask",
    "deliver",
    "judge",
    "judge_refusal",
]
