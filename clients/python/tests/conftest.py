"""A real server with a private Redis for each process of the tests."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gorilla_client import AsyncClient, Client, Event

ROOT = Path(__file__).resolve().parents[3]


def program() -> str:
    """The program `gorilla`, which ./test builds."""
    named = os.environ.get("GORILLA_BIN")
    return named or str(ROOT / "target" / "debug" / "gorilla")


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The address of a server."""
    with tempfile.TemporaryDirectory(prefix="gorilla-") as state:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GORILLA")}
        server = subprocess.Popen(
            [program(), "dev", "--listen", "127.0.0.1:0", "--state", state],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        assert server.stdout is not None
        try:
            lines = []
            for line in server.stdout:
                lines.append(line)
                if found := re.search(r"serves on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail(f"no server: {lines}")
            threading.Thread(target=server.stdout.read, daemon=True).start()
            yield found[1]
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture
def name() -> str:
    """The name of a lock that no other test uses."""
    return f"test-{uuid.uuid4()}"


class Events(list[Event]):
    """What a client tells."""

    def names(self, resource: str | None = None) -> list[str]:
        return [event.name for event in self if resource in (None, event.resource)]


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def client(url: str, events: Events) -> Iterator[Client]:
    with Client(url, on_event=events.append) as client:
        yield client


@pytest.fixture
async def aclient(url: str, events: Events):
    async with AsyncClient(url, on_event=events.append) as client:
        yield client
