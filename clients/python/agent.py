"""The agent of the conformance tests: clients/conformance/README.md has the protocol.

`python agent.py threads` and `python agent.py asyncio` try the two drivers.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from importlib.metadata import version
from typing import Any, NoReturn

from gorilla_client import (
    SKIPPED,
    AsyncClient,
    AsyncLeader,
    AsyncLock,
    AsyncLockSet,
    Cancel,
    Client,
    Clock,
    Event,
    Leader,
    Lock,
    LockLost,
    LockSet,
    NotAcquired,
    Refused,
    Ticket,
)

Command = dict[str, Any]

_writing = threading.Lock()
_child = False


def write(line: dict[str, Any]) -> None:
    if _child:
        line["child"] = True
    with _writing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class BodyError(Exception):
    """The error of a body."""


class Agent:
    """What both agents do alike."""

    kind = ""
    without: dict[str, str] = {}

    def __init__(self) -> None:
        self.clock = AdvancedClock()
        self.last_error: BaseException | None = None

    def greet(self) -> None:
        name = f"gorilla-client for Python, {self.kind}"
        write({"agent": name, "version": version("gorilla-client"), "without": self.without})

    def ok(self, command: Command, **members: Any) -> None:
        answer = {"do": command["do"]} if _child else {"id": command["id"]}
        write({**answer, "ok": members})

    def error(self, command: Command, error: BaseException, **members: Any) -> None:
        self.last_error = error
        answer = {"do": command["do"]} if _child else {"id": command["id"]}
        write({**answer, "error": {**error_json(error), **members}})

    def listener(self, lock: str) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            facts = {name: str(value) if name == "fence" else value for name, value in event.facts.items()}
            write({"event": event.name, "lock": lock, **facts})

        return tell

    def elect_listener(self, lock: str) -> Callable[[Event], None]:
        """Without the losses: each ends a term, and not the election."""
        tell = self.listener(lock)
        return lambda event: tell(event) if event.name != "lost" else None

    def block(self, command: Command) -> None:
        # PyDLL keeps the GIL.
        ctypes.PyDLL(None).usleep(int(command["ms"] * 1000))
        self.ok(command)

    def check(self, command: Command, lock: Any) -> None:
        held = lock is not None and lock.held
        try:
            if lock is None:
                raise LockLost("there is no such lock", reason="ended")
            lock.check()
        except Exception as error:
            self.error(command, error, held=held)
        else:
            self.ok(command, held=held, leftMs=left_ms(lock))

    def options(self, command: Command) -> dict[str, Any]:
        names = {"atLeast": "at_least", "maxHold": "max_hold"}
        known = ("ttl", "wait", "grace", "owner", "metadata", "mode", "limit", "permits", "atLeast", "maxHold")
        options = {names.get(name, name): command[name] for name in known if name in command}
        return {**options, "on_event": self.listener(command.get("lock", "a"))}


class AdvancedClock(Clock):
    """A clock that the runner moves ahead."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


def error_json(error: BaseException) -> dict[str, Any]:
    kind = type(error).__name__
    facts: dict[str, Any] = {"message": str(error), "requestId": getattr(error, "request_id", None)}
    if isinstance(error, NotAcquired):
        holder = error.holder
        facts |= {"position": error.position, "waiting": error.waiting, "holder": None}
        if holder is not None:
            facts["holder"] = {"owner": holder.owner, "fence": str(holder.fence), "ttlMs": round(holder.ttl * 1000)}
    elif isinstance(error, LockLost):
        facts["reason"] = error.reason
    elif isinstance(error, Refused):
        facts |= {"code": error.code, "field": error.field}
    elif isinstance(error, BodyError):
        loss = next((note for note in getattr(error, "__notes__", []) if note.startswith("gorilla: ")), None)
        facts["lost"] = None if loss is None else getattr(error, "reason", "unconfirmed")
    elif isinstance(error, asyncio.CancelledError | CancelledError):
        kind = "Cancelled"
    elif kind not in ("Unknown", "Unavailable", "Superseded"):
        kind, facts["message"] = "Other", repr(error)
    return {"kind": kind, **facts}


def left_ms(lock: Any) -> int:
    """How long the lease lasts; the grace is a part of it."""
    lasts: list[float] = [one._hold.lasts() for one in getattr(lock, "locks", [lock])]
    return round(min(lasts) * 1000)


def granted(lock: Any) -> dict[str, Any]:
    left = {"leftMs": left_ms(lock)}
    if isinstance(lock, LockSet | AsyncLockSet):
        return {"fences": [str(one.fence) for one in lock.locks], **left}
    return {"fence": str(lock.fence), "floor": str(lock.floor), **left}


def ticket_json(ticket: Ticket) -> dict[str, Any]:
    return {"resource": ticket.resource, "id": ticket.id, "fence": str(ticket.fence), "token": ticket.token}


def ticket_of(ticket: dict[str, Any]) -> Ticket:
    return Ticket(ticket["resource"], ticket["id"], int(ticket["fence"]), ticket["token"])


def loss_of(lock: Any) -> str | None:
    """The reason of a loss, of a lock or of the first of several."""
    for one in getattr(lock, "locks", [lock]):
        if one.loss is not None:
            return str(one.loss.reason)
    return None


class ThreadsAgent(Agent):
    """Tries `Client`."""

    kind = "threads"
    without = {
        "cancel_release": "a thread that releases can't be cancelled",
    }

    def __init__(self) -> None:
        super().__init__()
        self.client = Client(clock=self.clock)
        self.locks: dict[str, Lock | LockSet | Leader] = {}
        self.queues: dict[str, queue.SimpleQueue[Command]] = {}
        self.cancels: dict[int, Callable[[], None]] = {}
        self.cancelled: set[int] = set()
        self.resigning: dict[str, threading.Event] = {}
        self.many: list[Lock] = []

    def run(self) -> None:
        self.greet()
        for line in sys.stdin:
            command: Command = json.loads(line)
            if command["do"] == "exit":
                self.ok(command)
                return
            self.take(command)
        os._exit(0)

    def take(self, command: Command) -> None:
        do, lock = command["do"], command.get("lock", "a")
        if do in ("acquire", "again", "release", "raise", "detach", "adopt"):
            if lock not in self.queues:
                self.queues[lock] = queue.SimpleQueue()
                self.start(self.serve, lock)
            self.queues[lock].put(command)
        elif do in ("once", "elect", "many", "watch", "close"):
            self.start(getattr(self, "hold_many" if do == "many" else do), command)
        elif do in ("client", "check", "fence", "repr", "cancel", "block", "advance", "resign", "many_held", "fork"):
            getattr(self, "client_" if do == "client" else do)(command)
        else:
            write({"id": command["id"], "error": {"kind": "Unsupported", "message": do}})

    @staticmethod
    def start(function: Callable[[Any], None], argument: Any) -> None:
        threading.Thread(target=function, args=(argument,), daemon=True).start()

    def serve(self, name: str) -> None:
        """Executes the commands about one lock, in their order."""
        while True:
            command = self.queues[name].get()
            if command["do"] in ("acquire", "again", "adopt"):
                self.scope(command, name)
            else:
                self.error(command, LockLost("the lock is not held", reason="ended"))

    def enter(self, command: Command, name: str) -> Lock | LockSet:
        if command["do"] == "again":
            lock = self.locks[command["of"]]
            assert isinstance(lock, Lock)
        elif command["do"] == "adopt":
            options = self.options(command)
            lock = self.client.adopt(ticket_of(command["ticket"]), **options)
        elif "resources" in command:
            lock = self.client.locks(command["resources"], **self.options(command))
        else:
            lock = self.client.lock(command["resource"], **self.options(command))
        if command["do"] == "acquire":
            self.locks[name] = lock
        self.cancels[command["id"]] = lock.cancel
        if command["id"] in self.cancelled:
            raise CancelledError
        return lock

    def scope(self, command: Command, name: str) -> None:
        end = command
        lock: Lock | LockSet | None = None
        try:
            lock = self.enter(command, name)
            with lock:
                self.locks[name] = lock
                self.ok(command, **granted(lock))
                while (end := self.queues[name].get())["do"] == "detach":
                    assert isinstance(lock, Lock)
                    self.detach(end, lock)
                if end["do"] == "raise":
                    raise BodyError(end["message"])
        except BodyError as error:
            self.error(end, error, lost=loss_of(lock) if getattr(error, "__notes__", None) else None)
        except BaseException as error:
            self.error(end, error)
        else:
            self.ok(end)

    def detach(self, command: Command, lock: Lock) -> None:
        try:
            self.ok(command, ticket=ticket_json(lock.detach()))
        except Exception as error:
            self.error(command, error)

    def cancel(self, command: Command) -> None:
        self.cancelled.add(command["of"])
        cancel = self.cancels.get(command["of"])
        if cancel is not None:
            cancel()
        self.ok(command)

    def fence(self, command: Command) -> None:
        lock = self.locks[command.get("lock", "a")]
        assert not isinstance(lock, LockSet)
        self.ok(command, fence=str(lock.fence), floor=str(lock.floor))

    def check(self, command: Command, lock: Any = None) -> None:
        super().check(command, self.locks.get(command.get("lock", "a")))

    def repr(self, command: Command) -> None:
        told = (self.client, self.locks.get(command.get("lock", "a")), self.last_error)
        self.ok(command, text=" ".join(repr(one) for one in told))

    def client_(self, command: Command) -> None:
        options = {"patience": command["patience"]} if "patience" in command else {}
        self.client = Client(clock=self.clock, **options)
        self.ok(command)

    def advance(self, command: Command) -> None:
        self.clock.ahead += command["s"]
        self.ok(command)

    def once(self, command: Command) -> None:
        options = {"ttl": command["ttl"], "at_least": command.get("atLeast", 0.0), "wait": command.get("wait", 0.0)}

        @self.client.once(command["name"], **options)
        def work() -> bool:
            time.sleep(command["ms"] / 1000)
            return True

        try:
            self.ok(command, ran=work() is not SKIPPED)
        except Exception as error:
            self.error(command, error)

    def elect(self, command: Command) -> None:
        name = command.get("lock", "a")
        resigning = self.resigning[name] = threading.Event()

        def lead(leader: Leader) -> None:
            self.locks[name] = leader
            write({"event": "leading", "lock": name, "term": str(leader.term)})
            try:
                while not resigning.is_set():
                    if leader.lost.is_set() and not command.get("stubborn"):
                        return
                    time.sleep(0.01)
                resigning.clear()
            finally:
                write({"event": "stopped", "lock": name, "term": str(leader.term)})

        cancel = Cancel()
        self.cancels[command["id"]] = cancel.cancel
        try:
            self.client.elect(
                command["name"], lead, ttl=command["ttl"], cancel=cancel, on_event=self.elect_listener(name)
            )
            self.ok(command)
        except Exception as error:
            self.error(command, error)

    def resign(self, command: Command) -> None:
        self.resigning[command.get("lock", "a")].set()
        self.ok(command)

    def watch(self, command: Command) -> None:
        self.ok(command)
        for event in self.client.watch(prefix=command["prefix"]):
            line = {"event": "watched", "type": event.type, "resource": event.resource}
            write(line if event.fence is None else {**line, "fence": str(event.fence)})

    def hold_many(self, command: Command) -> None:
        for number in range(command["count"]):
            lock = self.client.lock(f"{command['prefix']}{number}", ttl=command["ttl"], wait=5)
            self.many.append(lock.acquire())
        self.ok(command, held=sum(lock.held for lock in self.many))

    def many_held(self, command: Command) -> None:
        self.ok(command, held=sum(lock.held for lock in self.many))

    def close(self, command: Command) -> None:
        self.client.close()
        self.ok(command)

    def fork(self, command: Command) -> None:
        pid = os.fork()
        if pid == 0:
            self.be_child(command["commands"])
        self.start(lambda _: self.ok(command, code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])), None)

    def be_child(self, commands: list[Command]) -> NoReturn:
        global _child, _writing
        _child, _writing = True, threading.Lock()
        for command in commands:
            name = command.get("lock", "a")
            try:
                if command["do"] in ("acquire", "again"):
                    lock = self.enter({**command, "id": 0}, name)
                    self.locks[name] = lock.__enter__()
                    self.ok(command, **granted(lock))
                elif command["do"] == "release":
                    held = self.locks[name]
                    assert not isinstance(held, Leader)
                    held.__exit__(None, None, None)
                    self.ok(command)
                elif command["do"] == "wait":
                    time.sleep(command["s"])
                else:
                    self.take(command)
            except Exception as error:
                self.error(command, error)
        # The usual way: with what runs at exit.
        raise SystemExit(0)


class AsyncioAgent(Agent):
    """Tries `AsyncClient`."""

    kind = "asyncio"
    without = {"fork": "an event loop does not survive a fork"}

    def __init__(self) -> None:
        super().__init__()
        self.client = AsyncClient(clock=self.clock)
        self.locks: dict[str, AsyncLock | AsyncLockSet | AsyncLeader] = {}
        self.queues: dict[str, asyncio.Queue[Command]] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.under_way: dict[str, Command] = {}
        self.background: set[asyncio.Task[None]] = set()
        self.resigning: dict[str, asyncio.Event] = {}
        self.many: list[AsyncLock] = []
        self.lines: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        self.greet()
        loop = asyncio.get_running_loop()

        def read() -> None:
            for line in sys.stdin:
                loop.call_soon_threadsafe(self.lines.put_nowait, line)
            os._exit(0)

        threading.Thread(target=read, daemon=True).start()
        while True:
            command: Command = json.loads(await self.lines.get())
            if command["do"] == "exit":
                self.ok(command)
                # asyncio.run would cancel the bodies, and so release their locks.
                os._exit(0)
            self.take(command)

    def take(self, command: Command) -> None:
        do, lock = command["do"], command.get("lock", "a")
        if do in ("acquire", "again", "release", "raise", "detach", "adopt"):
            if lock not in self.queues:
                self.queues[lock] = asyncio.Queue()
                self.spawn(self.serve(lock))
            self.queues[lock].put_nowait(command)
        elif do in ("once", "elect", "many", "watch", "close"):
            name = "hold_many" if do == "many" else do
            self.tasks[command["id"]] = self.spawn(getattr(self, name)(command))
        elif do in ("client", "check", "fence", "repr", "cancel", "block", "advance", "resign", "many_held"):
            getattr(self, "client_" if do == "client" else do)(command)
        else:
            write({"id": command["id"], "error": {"kind": "Unsupported", "message": do}})

    def spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    async def serve(self, name: str) -> None:
        """Executes the commands about one lock, in their order."""
        while True:
            command = await self.queues[name].get()
            if command["do"] in ("acquire", "again", "adopt"):
                # A task of its own, because the commands are cancelled one by one.
                scope = self.spawn(self.scope(command, name))
                self.tasks[command["id"]] = scope
                await asyncio.wait([scope])
            else:
                self.error(command, LockLost("the lock is not held", reason="ended"))

    async def enter(self, command: Command, name: str) -> AsyncLock | AsyncLockSet:
        if command["do"] == "again":
            lock = self.locks[command["of"]]
            assert isinstance(lock, AsyncLock)
            return lock
        options = self.options(command)
        if command["do"] == "adopt":
            lock = await self.client.adopt(ticket_of(command["ticket"]), **options)
        elif "resources" in command:
            lock = self.client.locks(command["resources"], **options)
        else:
            lock = self.client.lock(command["resource"], **options)
        self.locks[name] = lock
        return lock

    async def scope(self, command: Command, name: str) -> None:
        end = command
        lock: AsyncLock | AsyncLockSet | None = None
        try:
            lock = await self.enter(command, name)
            async with lock:
                self.locks[name] = lock
                self.ok(command, **granted(lock))
                while (end := await self.next_end(name))["do"] == "detach":
                    assert isinstance(lock, AsyncLock)
                    self.detach(end, lock)
                task = asyncio.current_task()
                assert task is not None
                self.tasks[end["id"]] = task
                if end["do"] == "raise":
                    raise BodyError(end["message"])
        except BodyError as error:
            self.error(end, error, lost=loss_of(lock) if getattr(error, "__notes__", None) else None)
        except BaseException as error:
            self.error(end, error)
        else:
            self.ok(end)

    async def next_end(self, name: str) -> Command:
        """The next command about this lock. Ignores that the library cancels the body."""
        while True:
            try:
                return await self.queues[name].get()
            except asyncio.CancelledError:
                continue

    def detach(self, command: Command, lock: AsyncLock) -> None:
        try:
            self.ok(command, ticket=ticket_json(lock.detach()))
        except Exception as error:
            self.error(command, error)

    def cancel(self, command: Command) -> None:
        task = self.tasks.get(command["of"])
        if task is not None:
            task.cancel()
        else:
            # It waits behind another command about its lock, and is taken out.
            for waiting in self.queues.values():
                taken = [waiting.get_nowait() for _ in range(waiting.qsize())]
                for other in taken:
                    if other["id"] == command["of"]:
                        self.error(other, asyncio.CancelledError())
                    else:
                        waiting.put_nowait(other)
        self.ok(command)

    def fence(self, command: Command) -> None:
        lock = self.locks[command.get("lock", "a")]
        assert not isinstance(lock, AsyncLockSet)
        self.ok(command, fence=str(lock.fence), floor=str(lock.floor))

    def check(self, command: Command, lock: Any = None) -> None:
        super().check(command, self.locks.get(command.get("lock", "a")))

    def repr(self, command: Command) -> None:
        told = (self.client, self.locks.get(command.get("lock", "a")), self.last_error)
        self.ok(command, text=" ".join(repr(one) for one in told))

    def client_(self, command: Command) -> None:
        options = {"patience": command["patience"]} if "patience" in command else {}
        self.client = AsyncClient(clock=self.clock, **options)
        self.ok(command)

    def advance(self, command: Command) -> None:
        self.clock.ahead += command["s"]
        self.ok(command)

    async def once(self, command: Command) -> None:
        options = {"ttl": command["ttl"], "at_least": command.get("atLeast", 0.0), "wait": command.get("wait", 0.0)}

        @self.client.once(command["name"], **options)
        async def work() -> bool:
            await asyncio.sleep(command["ms"] / 1000)
            return True

        try:
            self.ok(command, ran=await work() is not SKIPPED)
        except BaseException as error:
            self.error(command, error)

    async def elect(self, command: Command) -> None:
        name = command.get("lock", "a")
        resigning = self.resigning[name] = asyncio.Event()

        async def lead(leader: AsyncLeader) -> None:
            self.locks[name] = leader
            write({"event": "leading", "lock": name, "term": str(leader.term)})
            try:
                while True:
                    try:
                        await resigning.wait()
                        resigning.clear()
                        return
                    except asyncio.CancelledError:
                        if not command.get("stubborn"):
                            raise
            finally:
                write({"event": "stopped", "lock": name, "term": str(leader.term)})

        try:
            await self.client.elect(command["name"], lead, ttl=command["ttl"], on_event=self.elect_listener(name))
            self.ok(command)
        except BaseException as error:
            self.error(command, error)

    def resign(self, command: Command) -> None:
        self.resigning[command.get("lock", "a")].set()
        self.ok(command)

    async def watch(self, command: Command) -> None:
        self.ok(command)
        async for event in self.client.watch(prefix=command["prefix"]):
            line = {"event": "watched", "type": event.type, "resource": event.resource}
            write(line if event.fence is None else {**line, "fence": str(event.fence)})

    async def hold_many(self, command: Command) -> None:
        locks = [
            self.client.lock(f"{command['prefix']}{number}", ttl=command["ttl"], wait=5)
            for number in range(command["count"])
        ]
        for first in range(0, len(locks), 50):
            self.many += await asyncio.gather(*(lock.acquire() for lock in locks[first : first + 50]))
        self.ok(command, held=sum(lock.held for lock in self.many))

    def many_held(self, command: Command) -> None:
        self.ok(command, held=sum(lock.held for lock in self.many))

    async def close(self, command: Command) -> None:
        await self.client.close()
        self.ok(command)


if __name__ == "__main__":
    if sys.argv[1:] == ["asyncio"]:
        asyncio.run(AsyncioAgent().run())
    else:
        ThreadsAgent().run()
