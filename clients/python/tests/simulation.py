"""A server, a network and a clock that exist only in memory, to try the core in many histories."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count

from gorilla_client._clock import Clock
from gorilla_client._steps import Failure, Reply, Send

FATES = [
    "ok",
    "slow",
    "no_connection",
    "lost_request",
    "lost_answer",
    "html_before",
    "html_after",
    "503",
    "504",
    "half",
]
"""What may become of a request."""


class VirtualClock(Clock):
    time = 1000.0

    def now(self) -> float:
        return self.time


@dataclass
class Server:
    """One lock of Gorilla. Its clock may run at another rate than that of the client."""

    clock: VirtualClock
    rate: float = 1.0
    token: str | None = None
    ends: float = 0.0
    """By the clock of the client."""
    records: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By key: the token and the end of the lease that was answered."""
    fences: count = field(default_factory=lambda: count(100))
    fence: int = 0
    granted: list[str] = field(default_factory=list)

    def is_held(self) -> bool:
        return self.token is not None and self.clock.time < self.ends

    def holds(self, token: str) -> bool:
        return self.is_held() and self.token == token

    def take(self, token: str, lasts: float) -> None:
        self.token, self.ends = token, self.clock.time + lasts / self.rate
        self.fence = next(self.fences)

    def execute(self, request) -> tuple[int, dict]:
        body = request.body or {}
        if request.method == "POST":
            return self.acquire(body, request.key)
        if not self.holds(request.token):
            return 404, refusal("lock_not_found")
        if request.method == "DELETE":
            self.ends = self.clock.time
            return 204, {}
        self.ends = self.clock.time + body["timeout"] / self.rate
        return 200, self.lock(body["timeout"])

    def acquire(self, body, key) -> tuple[int, dict]:
        if key in self.records:
            token, ends = self.records[key]
            if not self.holds(token) or ends != self.ends:
                return 409, refusal("lock_gone")
            return 200, self.lock((ends - self.clock.time) * self.rate)
        began = self.clock.time
        if self.is_held():
            wait = body.get("wait", 0.0)
            if self.ends > began + wait:
                self.clock.time = began + wait
                return 409, refusal("wait_timeout" if wait else "lock_held")
            self.clock.time = self.ends
        token = f"token-{key}"
        self.take(token, body["timeout"])
        self.granted.append(token)
        self.records[key] = (token, self.ends)
        waited = {"waitedMs": int((self.clock.time - began) * 1000)} if self.clock.time > began else {}
        return 200, {**self.lock(body["timeout"]), **waited}

    def lock(self, ttl: float) -> dict:
        ms = int(ttl * 1000)
        return {
            "id": "id",
            "owner": "me",
            "resource": "a",
            "token": self.token,
            "fence": self.fence,
            "ttlMs": ms,
            "timeout": ttl,
        }


def refusal(code: str) -> dict:
    return {"errorMessage": f"{code}.", "code": code, "outcome": "not_executed"}


@dataclass
class World:
    """Runs the steps of the core. `look` is called at each moment at which something happens."""

    clock: VirtualClock
    server: Server
    fates: list[str]
    look: object = None
    sent: list[tuple[float, object]] = field(default_factory=list)

    def run(self, steps):
        outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as stop:
                return stop.value
            outcome = None
            if isinstance(step, Send):
                outcome = self.send(step)
            else:
                self.advance(step.until)
            self.observe()

    def advance(self, until: float) -> None:
        """In pieces, so that many moments are looked at."""
        while self.clock.time < until:
            self.clock.time = min(until, self.clock.time + 0.21)
            self.observe()

    def observe(self) -> None:
        if self.look is not None:
            self.look()

    def send(self, step: Send):
        request, clock = step.request, self.clock
        sent = clock.time
        self.sent.append((sent, request))
        fate = self.fates.pop(0) if self.fates else "ok"
        if fate == "no_connection":
            clock.time += 0.01
            return Failure(in_doubt=False, why="no connection")
        if fate == "503":
            clock.time += 0.01
            return self.reply(sent, 503, refusal("redis_unavailable"))
        clock.time += min(1.0, step.timeout * 0.4) if fate == "slow" else 0.01
        if fate == "html_before":
            return Reply(sent, 502, b"<html>Bad gateway</html>")
        if fate == "lost_request":
            clock.time = sent + step.timeout
            return Failure(in_doubt=True, why="no answer")
        status, body = self.server.execute(request)
        if fate == "lost_answer":
            clock.time = max(clock.time, sent + step.timeout)
            return Failure(in_doubt=True, why="no answer")
        if fate == "html_after":
            return Reply(sent, 502, b"<html>Bad gateway</html>")
        if fate == "504":
            unknown = {"errorMessage": "?", "code": "outcome_unknown", "outcome": "unknown"}
            return self.reply(sent, 504, unknown)
        if fate == "half":
            return Failure(in_doubt=True, why="the connection broke in the middle of the answer")
        clock.time += min(0.8, step.timeout * 0.4) if fate == "slow" else 0.01
        return self.reply(sent, status, body)

    @staticmethod
    def reply(sent, status, body) -> Reply:
        return Reply(sent, status, b"" if status == 204 else json.dumps(body).encode())
