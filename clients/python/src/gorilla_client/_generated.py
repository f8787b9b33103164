"""The codes of errors and the types of the wire. Written by tools/generate.py from docs/openapi.json."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, NotRequired, TypedDict


class Code(StrEnum):
    """The codes of errors that this version knows. A server of a later version may have more."""

    INVALID_REQUEST = "invalid_request"
    TOKEN_REQUIRED = "token_required"
    AUTHENTICATION_REQUIRED = "authentication_required"
    INVALID_KEY = "invalid_key"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    CROSS_ORIGIN = "cross_origin"
    NOT_FOUND = "not_found"
    EVENTS_OFF = "events_off"
    LOCK_NOT_FOUND = "lock_not_found"
    TOKEN_NOT_FOUND = "token_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TIMEOUT = "body_timeout"
    LOCK_HELD = "lock_held"
    LOCK_RESERVED = "lock_reserved"
    LIMIT_MISMATCH = "limit_mismatch"
    WAIT_TIMEOUT = "wait_timeout"
    REPLACED = "replaced"
    TOKEN_MISMATCH = "token_mismatch"
    LOCK_BREAKING = "lock_breaking"
    TIMEOUT_SHORTER = "timeout_shorter"
    FENCE_CHANGED = "fence_changed"
    FENCE_REQUIRED = "fence_required"
    LOCK_GONE = "lock_gone"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    HOST_NOT_ALLOWED = "host_not_allowed"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    QUEUE_FULL = "queue_full"
    TOO_MANY_HOLDERS = "too_many_holders"
    TOO_MANY_LISTENERS = "too_many_listeners"
    QUOTA_EXCEEDED = "quota_exceeded"
    INTERNAL_ERROR = "internal_error"
    REDIS_UNAVAILABLE = "redis_unavailable"
    REDIS_REFUSED = "redis_refused"
    OVERLOADED = "overloaded"
    RECOVERING = "recovering"
    NOT_REPLICATED = "not_replicated"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    DRAINING = "draining"
    NOT_READY = "not_ready"
    OUTCOME_UNKNOWN = "outcome_unknown"


class Waiter(TypedDict):
    """A request that waits."""

    id: str
    mode: Literal["exclusive", "shared"]
    owner: str
    permits: NotRequired[int]
    position: int
    replica: str
    since: str
    waitedMs: int


class Holder(TypedDict):
    """One of the clients that share a lock."""

    breaking: NotRequired[Literal[True]]
    by: NotRequired[str]
    createdAt: str
    expireAt: str
    fence: int
    id: str
    metadata: list[Any]
    owner: str
    permits: int
    renewals: NotRequired[int]
    ttlMs: int
    updatedAt: str


class Broken(TypedDict):
    """A lock that was broken, or that ends after a grace."""

    fence: int
    id: str
    owner: str
    resource: str
    ttlMs: NotRequired[int]


class Free(TypedDict):
    """What everybody may know of a lock that nobody holds."""

    held: Literal[False]
    resource: str
    waiting: int


class Held(TypedDict):
    """What everybody may know of a lock that one client holds."""

    breaking: NotRequired[Literal[True]]
    by: NotRequired[str]
    createdAt: str
    expireAt: str
    fence: int
    held: Literal[True]
    id: str
    metadata: list[Any]
    owner: str
    renewals: NotRequired[int]
    resource: str
    ttlMs: int
    updatedAt: str
    waiting: int


class ItemResult(TypedDict):
    """What came of an item of a batch: what the single operation would have been answered."""

    body: NotRequired[Lock | dict[str, Any]]
    index: int
    replayed: NotRequired[Literal[True]]
    retryAfter: NotRequired[int]
    status: int


class Batched(TypedDict):
    """What came of the items of a batch."""

    failed: int
    ok: int
    results: list[ItemResult]
    unknown: int


class Limit(TypedDict):
    """How many permits all holders of a shared lock may have."""

    limit: int | None
    pinned: bool
    resource: str


class Lock(TypedDict):
    """A lock, for its holder. Its JSON has the token."""

    by: NotRequired[str]
    createdAt: str
    expireAt: str
    fence: int
    floor: NotRequired[int]
    id: str
    limit: NotRequired[int | None]
    metadata: list[Any]
    mode: NotRequired[Literal["exclusive", "shared"]]
    owner: str
    permits: NotRequired[int]
    resource: str
    timeout: float
    token: str
    ttlMs: int
    updatedAt: str
    waitedMs: NotRequired[int]


class LockSet(TypedDict):
    """Several locks of one holder, for the holder. Its JSON has the tokens."""

    locks: list[Lock]
    ttlMs: int
    waitedMs: int


class Page(TypedDict):
    """A part of all locks that are held."""

    countedAt: NotRequired[str]
    cursor: str | None
    locks: list[Held | Shared]
    progress: NotRequired[float]
    scope: NotRequired[list[str]]
    total: NotRequired[int]


class Queue(TypedDict):
    """The requests that wait for a lock."""

    queue: list[Waiter]
    resource: str
    waiting: int


class Shared(TypedDict):
    """What everybody may know of a lock that several clients may hold."""

    breaking: NotRequired[Literal[True]]
    by: NotRequired[str]
    createdAt: str
    expireAt: str
    fence: int
    held: Literal[True]
    holderCount: int
    holders: list[Holder]
    id: str
    limit: int | None
    metadata: list[Any]
    mode: Literal["exclusive", "shared"]
    owner: str
    renewals: NotRequired[int]
    resource: str
    ttlMs: int
    updatedAt: str
    used: int
    waiting: int
