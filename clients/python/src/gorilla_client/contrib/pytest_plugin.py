"""Fixtures for tests that run in several processes, as pytest-xdist runs them, or on several machines.

Put `pytest_plugins = ["gorilla_client.contrib.pytest_plugin"]` into conftest.py. The server is that of GORILLA_URL.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gorilla_client import Client, Lock

__all__ = ["gorilla", "gorilla_lock", "gorilla_once"]

WAIT = 600.0
"""How long a process waits for another, in seconds."""


@pytest.fixture(scope="session")
def gorilla() -> Iterator[Client]:
    """A client for the whole run."""
    with Client() as client:
        yield client


@pytest.fixture
def gorilla_lock(gorilla: Client) -> Callable[..., Lock]:
    """`with gorilla_lock("printer"):` runs one test at a time, of all processes and machines of the server. The options
    are those of `Client.lock`."""

    def lock(name: str, **options: Any) -> Lock:
        options.setdefault("wait", WAIT)
        return gorilla.lock(f"pytest:{name}", **options)

    return lock


@pytest.fixture(scope="session")
def gorilla_once(gorilla: Client, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], Any]], Any]:
    """`gorilla_once("schema", make)` calls `make` in one process of the run; the others wait, and get what it returned,
    which must be JSON."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # Each worker has a folder of its own in that of the run.
        folder = folder.parent

    def once(name: str, make: Callable[[], Any]) -> Any:
        made = folder / f"gorilla-once-{name}.json"
        with gorilla.lock(f"pytest:{run}:{name}", wait=WAIT):
            if not made.exists():
                text = json.dumps(make())
                made.write_text(text)
            return json.loads(made.read_text())

    return once
