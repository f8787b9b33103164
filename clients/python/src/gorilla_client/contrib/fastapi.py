"""For FastAPI: a leader in the lifespan, and a dependency that locks.

    client = AsyncClient()
    app = FastAPI(lifespan=leader_lifespan(client, "scheduler", run))

    @app.post("/orders/{order}/pay")
    async def pay(order: str, lock: Annotated[AsyncLock, Depends(locked(client, "orders:{order}"))]): ...

A request that can't have the lock is answered 423 Locked, with `Retry-After`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, HTTPException, Request

from gorilla_client import AsyncClient, AsyncLeader, AsyncLock, LockLost, NotAcquired

__all__ = ["leader_lifespan", "locked"]


def leader_lifespan(
    client: AsyncClient, name: str, run: Callable[[AsyncLeader], Awaitable[object]], **options: Any
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """A lifespan in which one process of all that serve this application runs `run`. Another process runs it when this
    one ends or loses the lease. The options are those of `AsyncClient.elect`."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with client:
            candidate = asyncio.create_task(client.elect(name, run, **options))
            try:
                yield
            finally:
                candidate.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await candidate

    return lifespan


def locked(client: AsyncClient, name: str, **options: Any) -> Callable[[Request], AsyncGenerator[AsyncLock]]:
    """A dependency that holds a lock while the request is served. The name has the parameters of the path as in
    `str.format`; the options are those of `AsyncClient.lock`. If the lock is lost, an endpoint with `async` is
    cancelled and answered 503."""

    async def hold(request: Request) -> AsyncGenerator[AsyncLock]:
        try:
            async with client.lock(name.format(**request.path_params), **options) as lock:
                yield lock
        except NotAcquired as error:
            left = 1.0 if error.holder is None else error.holder.ttl
            headers = {"Retry-After": str(max(1, math.ceil(left)))}
            raise HTTPException(423, "somebody else works on this; try again later", headers) from error
        except LockLost as error:
            raise HTTPException(503, "the lock was lost; try again") from error

    return hold
