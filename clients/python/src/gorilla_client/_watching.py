"""Reads the events of locks: server-sent events, without the I/O."""

from __future__ import annotations

import json
import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ._clock import Clock
from ._deliver import Refusal, judge_refusal
from ._errors import Refused, Unavailable
from ._server import retry_after
from ._steps import Request

IDLE = 35.0
"""The server says something every 15 s. A connection that says nothing for so long is dead, in seconds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_REMEMBERED = 4096
"""How many cursors are remembered: in a Redis Cluster an event may come twice."""
_HIDDEN = frozenset({"hello", "bookmark", "bye"})


@dataclass(frozen=True, slots=True)
class LockEvent:
    """Something happened to a lock: docs/reference/events.md has the types and the members of `data`."""

    type: str
    data: dict[str, Any] = field(repr=False)

    @property
    def resource(self) -> str | None:
        """The name of the lock. None in `synced` and `missed`."""
        return self.data.get("resource")

    @property
    def fence(self) -> int | None:
        return self.data.get("fence")

    @property
    def cursor(self) -> str | None:
        """Where to go on later: `since`."""
        return self.data.get("cursor")


class Watch:
    """A stream of events that outlives its connections."""

    def __init__(
        self,
        clock: Clock,
        patience: float,
        *,
        prefix: str | None,
        resources: Sequence[str],
        owner: str | None,
        types: Sequence[str],
        since: str | None,
        snapshot: bool,
    ) -> None:
        self._clock = clock
        self._patience_ends = clock.now() + patience
        self._parameters: list[tuple[str, str]] = [("resource", name) for name in resources]
        if prefix:
            self._parameters.append(("prefix", prefix))
        if owner:
            self._parameters.append(("owner", owner))
        if types:
            self._parameters.append(("types", ",".join(types)))
        if snapshot:
            self._parameters.append(("snapshot", "1"))
        self._cursor = since
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._has_heard = False
        self._attempts = 0
        self._pause = 0.0
        self._buffer = b""

    def request(self) -> Request:
        """The next request: it goes on behind what was read."""
        self._buffer = b""
        parameters = list(self._parameters)
        if self._cursor is not None:
            parameters.append(("since", self._cursor))
        query = f"?{urlencode(parameters)}" if parameters else ""
        return Request("GET", f"/api/v1/events{query}", accept="text/event-stream")

    def feed(self, chunk: bytes) -> Iterator[LockEvent]:
        """The events in what came."""
        self._buffer += chunk.replace(b"\r\n", b"\n")
        while (end := self._buffer.find(b"\n\n")) >= 0:
            message, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
            event = self._read(message)
            if event is not None:
                yield event

    def failed(self, why: str) -> None:
        """There was no answer, or the stream broke."""
        if not self._has_heard and self._clock.now() >= self._patience_ends:
            raise Unavailable(why)
        self._pause_longer()

    def refuse(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """The answer is not a stream. Raises if it would be the same again."""
        try:
            facts = json.loads(body)
        except ValueError:
            facts = None
        verdict = judge_refusal(status, facts, self._clock.now(), None, retry_after(headers))
        if isinstance(verdict, Refusal):
            raise verdict.error()
        self.failed(verdict.why)
        self._pause = max(self._pause, min(verdict.after, _LONGEST_PAUSE))

    def again_at(self) -> float:
        """When to connect again."""
        if self._pause == 0.0:
            self._pause_longer()
        pause, self._pause = self._pause, 0.0
        return self._clock.now() + pause

    def _pause_longer(self) -> None:
        longest = min(_FIRST_PAUSE * 2 ** min(self._attempts, 10), _LONGEST_PAUSE)
        self._attempts += 1
        self._pause = longest * random.uniform(0.5, 1.0)

    def _read(self, message: bytes) -> LockEvent | None:
        kind, lines = "message", list[str]()
        for line in message.decode("utf-8", errors="replace").split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                kind = value
            elif name == "data":
                lines.append(value)
        if not lines:
            return None
        data: dict[str, Any] = json.loads("\n".join(lines))
        self._has_heard, self._attempts = True, 0
        cursor = data.get("cursor")
        if isinstance(cursor, str):
            self._cursor = cursor
            # `granted` and `leader` of one grant have the same cursor.
            if kind not in _HIDDEN and kind != "synced" and not self._is_news(kind, cursor):
                return None
        if kind == "bye" and data.get("reason") == "rights":
            raise Refused("the API key may not see these events any more", code="insufficient_scope")
        return None if kind in _HIDDEN else LockEvent(kind, data)

    def _is_news(self, kind: str, cursor: str) -> bool:
        if (kind, cursor) in self._seen:
            return False
        self._seen[kind, cursor] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True
