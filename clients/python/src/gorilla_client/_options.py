"""How a lock is asked for and held."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ._errors import Refused

Mode = Literal["exclusive", "shared"]

TTL = 30.0
_LONGEST_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to a lock: `waiting`, `trouble`, `acquired`, `renewed`, `breaking`, `lost`, `released` or
    `not_released`, the names that `gorilla lock --json` has. `facts` tells more, and never has a token."""

    name: str
    resource: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What `lock` and `locks` take. Times are in seconds."""

    ttl: float = TTL
    wait: float = 0.0
    owner: str | None = None
    metadata: Any = None
    grace: float | None = None
    mode: Mode = "exclusive"
    limit: int | None = None
    permits: int | None = None
    at_least: float = 0.0
    max_hold: float | None = None
    headstart: float = 0.0
    replaces: str | None = None
    renew: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.ttl < math.inf:
            raise _wrong("ttl", "the ttl must be more than 0 s; there is no endless lock")
        if not self.wait >= 0:
            raise _wrong("wait", "the wait must not be negative")
        if not 0 <= self.shown_grace <= self.ttl / 2:
            raise _wrong("grace", "the grace must be at most half of the ttl, and not negative")
        if self.max_hold is not None and not self.max_hold > 0:
            raise _wrong("max_hold", "max_hold must be more than 0 s")
        if not 0 <= self.at_least < math.inf:
            raise _wrong("at_least", "at_least must not be negative")
        if self.at_least > 0 and self.is_shared:
            raise _wrong("at_least", "at_least is for locks with one holder")

    @property
    def shown_grace(self) -> float:
        """The grace in force: the lock counts as lost so long before the lease may run out."""
        return min(self.ttl / 6, _LONGEST_GRACE) if self.grace is None else self.grace

    @property
    def is_shared(self) -> bool:
        return self.mode == "shared" or self.limit is not None or self.permits is not None

    def fields(self) -> dict[str, Any]:
        """What all requests for this lock have in common."""
        fields: dict[str, Any] = {"owner": self.owner or default_owner(), "timeout": self.ttl}
        if self.metadata is not None:
            fields["metadata"] = self.metadata
        if self.headstart:
            fields["headstart"] = self.headstart
        if self.replaces is not None:
            fields["replaces"] = self.replaces
        return fields

    def kind(self) -> dict[str, Any]:
        """The fields of the mode; none for an exclusive lock."""
        if not self.is_shared:
            return {}
        kind: dict[str, Any] = {"mode": "shared", "limit": self.limit, "permits": self.permits}
        return {name: value for name, value in kind.items() if value is not None}


def default_owner() -> str:
    """The name of the machine and the id of the process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _wrong(field: str, message: str) -> Refused:
    return Refused(message, code="invalid_request", field=field)
