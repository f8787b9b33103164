"""Client of Gorilla, a distributed lock service.

    from gorilla_client import Client

    client = Client()
    with client.lock("orders", wait=300) as lock:
        lock.check()

`Client` is for threads, `AsyncClient` for asyncio. The README of the package has more.
"""

from ._async import AsyncClient, AsyncHeldLock, AsyncLeader, AsyncLock, AsyncLockSet
from ._client import SKIPPED, Skipped
from ._clock import Clock
from ._errors import (
    GorillaError,
    Holder,
    LockLost,
    NotAcquired,
    Refused,
    Superseded,
    Unavailable,
    Unknown,
)
from ._fencing import create_table
from ._generated import Code
from ._hold import Ticket
from ._inherited import Inherited, inherited
from ._options import Event
from ._sync import Client, HeldLock, Leader, Lock, LockSet, terminate
from ._threads import Cancel
from ._watching import LockEvent

__all__ = [
    "SKIPPED",
    "AsyncClient",
    "AsyncHeldLock",
    "AsyncLeader",
    "AsyncLock",
    "AsyncLockSet",
    "Cancel",
    "Client",
    "Clock",
    "Code",
    "Event",
    "GorillaError",
    "HeldLock",
    "Holder",
    "Inherited",
    "Leader",
    "Lock",
    "LockEvent",
    "LockLost",
    "LockSet",
    "NotAcquired",
    "Refused",
    "Skipped",
    "Superseded",
    "Ticket",
    "Unavailable",
    "Unknown",
    "create_table",
    "inherited",
    "terminate",
]
