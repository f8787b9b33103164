"""What the core asks of a driver, and what a driver answers.

The core has no I/O: it consists of generators that yield `Send` and `Sleep`. A driver sends and sleeps, with threads or
with asyncio, and sends the outcome back into the generator.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request. With the same key each time it is safe to send it again."""

    method: str
    path: str
    """The part of the URL behind the address of the server."""
    token: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    body: Any = field(default=None, repr=False)
    accept: str = "application/json"


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request once."""

    request: Request
    timeout: float
    """How long the whole answer may take, in seconds."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Sleep until a moment of the clock."""

    until: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, of whatever status."""

    sent: float
    """When the request was sent, or before that."""
    status: int
    body: bytes = field(repr=False)
    request_id: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer."""

    in_doubt: bool
    """Whether the request may have been executed."""
    why: str


Outcome: TypeAlias = Reply | Failure | None
Steps: TypeAlias = Generator[Send | Sleep, Outcome, T]


def send(request: Request, timeout: float) -> Steps[Reply | Failure]:
    """Sends a request once."""
    outcome = yield Send(request, timeout)
    if outcome is None:
        _driver_is_wrong()
    return outcome


def sleep(until: float) -> Steps[None]:
    """Sleeps until a moment of the clock."""
    yield Sleep(until)


def new_key() -> str:
    """An Idempotency-Key: the same for all copies of one request."""
    return str(uuid.uuid4())


def _driver_is_wrong() -> NoReturn:
    raise RuntimeError("a driver answers a Send with a Reply or a Failure")
