"""The driver for threads: sends and sleeps for the core, in the calling thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from typing import Any, TypeVar

import httpcore2

from ._clock import LOOK, Clock
from ._server import TROUBLES, Server, header, retry_after
from ._steps import Failure, Outcome, Reply, Request, Send, Steps

T = TypeVar("T")


class Cancel:
    """Cancels what another thread waits for: wakes it from a sleep, and closes the connection that it waits at. What is
    cancelled raises `concurrent.futures.CancelledError`."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._calls: list[Callable[[], None]] = []
        self._mutex = threading.Lock()
        self._socket: socket.socket | None = None

    def cancel(self) -> None:
        """Cancels. Once is enough, and for ever."""
        with self._mutex:
            self._event.set()
            calls, self._calls = self._calls, []
            if self._socket is not None:
                # A close would not wake the thread that reads.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
        for call in calls:
            call()

    @property
    def is_cancelled(self) -> bool:
        return self._event.is_set()

    def when_cancelled(self, call: Callable[[], None]) -> None:
        """Calls this when it is cancelled, in the thread that cancels; at once if it is cancelled already."""
        with self._mutex:
            if not self._event.is_set():
                self._calls.append(call)
                return
        call()

    def check(self) -> None:
        if self._event.is_set():
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        self._event.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def watching(self, sock: socket.socket | None) -> Generator[None]:
        """While this thread reads from a socket."""
        with self._mutex:
            self.check()
            self._socket = sock
        try:
            yield
        finally:
            with self._mutex:
                self._socket = None
        self.check()


class _Context(threading.local):
    """What the request of this thread is bounded by."""

    deadline = float("inf")
    cancel: Cancel | None = None


class _Stream(httpcore2.NetworkStream):
    """A connection, on which a whole request is bounded by one time and can be cancelled by another thread."""

    def __init__(self, stream: httpcore2.NetworkStream, context: _Context) -> None:
        self._stream = stream
        self._context = context

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._left(timeout, httpcore2.ReadTimeout)
        cancel = self._context.cancel
        if cancel is None:
            return self._stream.read(max_bytes, left)
        with cancel.watching(self._stream.get_extra_info("socket")):
            return self._stream.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._context)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None, late: type[Exception]) -> float | None:
        left = self._context.deadline - time.monotonic()
        if left <= 0:
            raise late
        return left if timeout is None else min(left, timeout)


class _Backend(httpcore2.SyncBackend):
    def __init__(self, context: _Context) -> None:
        self._context = context

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, self._context)


class Transport:
    """The connections to the server."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._context = _Context()
        self._pool = self._new_pool()

    def _new_pool(self) -> httpcore2.ConnectionPool:
        options = self._server.pool_options()
        return httpcore2.ConnectionPool(network_backend=_Backend(self._context), **options)

    def after_fork(self) -> None:
        """In the child: the connections belong to the parent."""
        self._context = _Context()
        self._pool = self._new_pool()

    def close(self) -> None:
        self._pool.close()

    def send(self, request: Request, timeout: float, cancel: Cancel | None = None) -> Reply | Failure:
        server, context = self._server, self._context
        context.deadline = time.monotonic() + timeout
        context.cancel = cancel
        sent = self._clock.now()
        try:
            response = self._pool.request(
                request.method,
                server.address_of(request.path),
                headers=server.headers_of(request),
                content=server.content_of(request),
                extensions=server.timeouts(timeout),
            )
        except TROUBLES as error:
            if cancel is not None:
                cancel.check()
            return server.failure(error)
        finally:
            context.cancel = None
        return Reply(
            sent,
            response.status,
            response.content,
            header(response.headers, b"x-request-id"),
            retry_after(response.headers),
        )

    @contextlib.contextmanager
    def stream(self, request: Request, idle: float) -> Generator[httpcore2.Response]:
        """An answer that goes on. Ends if nothing comes for so long."""
        server, context = self._server, self._context
        context.deadline, context.cancel = float("inf"), None
        address = server.address_of(request.path)
        headers, extensions = server.headers_of(request), server.timeouts(idle)
        with self._pool.stream(request.method, address, headers=headers, extensions=extensions) as response:
            yield response


def drive(steps: Steps[T], transport: Transport, clock: Clock, cancel: Cancel | None = None) -> T:
    """Runs steps of the core in this thread."""
    outcome: Outcome = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        outcome = None
        if isinstance(step, Send):
            outcome = transport.send(step.request, step.timeout, cancel)
        else:
            sleep_until(step.until, clock, cancel)


def sleep_until(until: float, clock: Clock, cancel: Cancel | None = None) -> None:
    while (left := until - clock.now()) > 0:
        pause = min(left, LOOK)
        if cancel is None:
            time.sleep(pause)
        else:
            cancel.sleep(pause)
