"""The requests of the HTTP interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ._errors import Refused
from ._steps import Request, new_key

API = "/api/v1"
LOCKS = f"{API}/locks"


def path_of(resource: str) -> str:
    """The path of a lock."""
    return f"{LOCKS}/{_escaped(resource)}"


def _escaped(name: str) -> str:
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        message = "the name of a lock can't have halves of surrogate pairs"
        raise Refused(message, code="invalid_request", field="resource") from None


def acquire(resource: str, body: Mapping[str, Any], key: str) -> Request:
    return Request("POST", path_of(resource), key=key, body=body)


def acquire_set(body: Mapping[str, Any], key: str) -> Request:
    return Request("POST", LOCKS, key=key, body=body)


def extend(resource: str, token: str, ttl: float, key: str, fields: Mapping[str, Any] | None = None) -> Request:
    """The token stays: a lost answer costs nothing then. With `fields` the request also converts the lock."""
    body = {"timeout": ttl, "rotate": False} if fields is None else {"timeout": ttl, **fields}
    return Request("PUT", path_of(resource), token=token, key=key, body=body)


def extend_all(locks: Iterable[tuple[str, str, float]], key: str) -> Request:
    """Of each lock its name, its token and the lease. No name twice."""
    items = [
        {"op": "extend", "resource": resource, "token": token, "timeout": ttl, "rotate": False}
        for resource, token, ttl in locks
    ]
    return Request("POST", f"{API}/batch", key=key, body={"operations": items})


def release(resource: str, token: str, key: str, after: float = 0.0) -> Request:
    query = f"?after={after:.3f}" if after > 0 else ""
    return Request("DELETE", path_of(resource) + query, token=token, key=key)


def release_all(locks: Iterable[tuple[str, str]], key: str) -> Request:
    items = [{"op": "release", "resource": resource, "token": token} for resource, token in locks]
    return Request("POST", f"{API}/batch", key=key, body={"operations": items})


def state(resource: str) -> Request:
    return Request("GET", path_of(resource))


def queue(resource: str) -> Request:
    return Request("GET", f"{path_of(resource)}/queue")


def page(prefix: str, owner: str | None, cursor: str | None) -> Request:
    parameters = {"limit": "1000", "prefix": prefix, "owner": owner, "cursor": cursor}
    query = urlencode({name: value for name, value in parameters.items() if value})
    return Request("GET", f"{LOCKS}?{query}")


def limit(resource: str) -> Request:
    return Request("GET", f"{API}/limits/{_escaped(resource)}")


def pin_limit(resource: str, permits: int) -> Request:
    return Request("PUT", f"{API}/limits/{_escaped(resource)}", body={"limit": permits})


def unpin_limit(resource: str) -> Request:
    return Request("DELETE", f"{API}/limits/{_escaped(resource)}")


def break_lock(resource: str, fence: int | None, reason: str | None, grace: float) -> Request:
    body: dict[str, Any] = {"fence": fence, "reason": reason}
    if grace > 0:
        body["grace"] = grace
    return Request("POST", f"{path_of(resource)}/break", key=new_key(), body=body)
