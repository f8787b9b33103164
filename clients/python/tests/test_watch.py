"""`watch`, with a server that plays a script, because what a stream must survive is rare."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gorilla_client import AsyncClient, Client, Refused, Unavailable
from waiting import until


def message(kind, cursor=None, **data):
    if cursor is not None:
        data["cursor"] = cursor
    identity = f"id: {cursor}\n" if cursor else ""
    return f"event: {kind}\n{identity}data: {json.dumps({'type': kind, **data})}\n\n".encode()


def granted(number):
    return message("granted", f"e.{number}", resource="a", fence=number)


class Script:
    """Answers one request after another, and remembers them."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.requests = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                script.requests.append((urlsplit(self.path).path, parse_qs(urlsplit(self.path).query), self.headers))
                status, pieces = script.answers.pop(0)
                self.send_response(status)
                self.send_header("Connection", "close")
                self.end_headers()
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                self.close_connection = True

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def play():
    scripts = []

    def play(*answers):
        scripts.append(Script(answers))
        return scripts[-1]

    yield play
    for script in scripts:
        script.server.shutdown()
        script.server.server_close()


HELLO = message("hello", replica="r", resumed=False)


def two_connections(play):
    """A stream that is cut in the middle of a message, an outage, and the rest, in which an event comes twice."""
    return play(
        (200, [b"retry: 2000\n\n", HELLO, granted(1)[:-20], granted(1)[-20:], granted(2) + granted(3)[:10]]),
        (503, [b'{"errorMessage":"Away.","code":"redis_unavailable","outcome":"not_executed"}']),
        (200, [HELLO, granted(2), granted(3), message("bookmark", "e.9"), message("missed", reason="slow")]),
        (200, [HELLO, granted(10)]),
    )


def check(script, events):
    assert [(event.type, event.fence) for event in events] == [
        ("granted", 1),
        ("granted", 2),
        ("granted", 3),
        ("missed", None),
        ("granted", 10),
    ]
    assert events[3].data["reason"] == "slow"
    path, query, headers = script.requests[0]
    assert path == "/api/v1/events"
    assert query == {"prefix": ["a"], "resource": ["a", "b"], "types": ["granted,released"], "snapshot": ["1"]}
    assert headers["Accept"] == "text/event-stream"
    assert [request[1].get("since") for request in script.requests] == [None, ["e.2"], ["e.2"], ["e.9"]]


OPTIONS = {"prefix": "a", "resources": ["a", "b"], "types": ["granted", "released"], "snapshot": True}


def test_a_watch_goes_on_where_it_was(play):
    script = two_connections(play)
    with Client(script.url) as client:
        check(script, list(islice(client.watch(**OPTIONS), 5)))


async def test_a_watch_goes_on_where_it_was_in_asyncio(play):
    script = two_connections(play)
    events = []
    async with AsyncClient(script.url) as client:
        async for event in client.watch(**OPTIONS):
            events.append(event)
            if len(events) == 5:
                break
    check(script, events)


def test_a_watch_that_is_refused_raises(play):
    script = play((403, [b'{"errorMessage":"No.","code":"insufficient_scope","outcome":"not_executed"}']))
    with Client(script.url) as client, pytest.raises(Refused) as raised:
        next(client.watch())
    assert raised.value.code == "insufficient_scope"


def test_a_watch_whose_rights_end_raises(play):
    script = play((200, [HELLO, granted(1), message("bye", reason="rights")]))
    with Client(script.url) as client, pytest.raises(Refused):
        list(client.watch())


def test_a_watch_that_never_reaches_a_server_gives_up():
    with Client("http://127.0.0.1:9", patience=0.5) as client, pytest.raises(Unavailable):
        next(client.watch())


OPENAPI = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
serves_events = pytest.mark.skipif(
    "/api/v1/events" not in json.loads(OPENAPI.read_text())["paths"], reason="this version of Gorilla has no events"
)


@serves_events
def test_a_watch_of_a_real_server(client, name):
    events = []

    def watch():
        for event in client.watch(resources=[name], snapshot=True):
            events.append(event)
            if event.type == "released":
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    until(lambda: "vacant" in [event.type for event in events])
    with client.lock(name, wait=5) as lock:
        until(lambda: "leader" in [event.type for event in events])
    thread.join(30)
    told = [(event.type, event.fence) for event in events]
    assert told[0][0] == "state"
    assert told.index(("granted", lock.fence)) < told.index(("released", lock.fence))


@serves_events
async def test_a_watch_of_a_real_server_in_asyncio(aclient, name):
    events = aclient.watch(prefix=name, snapshot=True)
    assert (await anext(events)).type == "synced"
    async with aclient.lock(name) as lock:
        event = await anext(events)
    assert (event.type, event.resource, event.fence) == ("granted", name, lock.fence)
    await events.aclose()
