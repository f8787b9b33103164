"""How the client gets to a server: addresses, API keys, which proxy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from gorilla_client import Client, Refused
from gorilla_client._server import Server


@pytest.mark.parametrize("wrong", ["", "127.0.0.1:4000", "ftp://a", "http://", "http://a?b", "http://a:b", "http://ü"])
def test_an_address_that_is_none_is_refused(wrong, monkeypatch):
    monkeypatch.setenv("GORILLA_URL", "http://[")
    with pytest.raises(Refused) as raised:
        Client(wrong)
    assert raised.value.code == "invalid_url"


def test_a_password_in_the_address_is_refused_and_not_shown():
    with pytest.raises(Refused) as raised:
        Client("http://me:secret@a")
    assert "secret" not in str(raised.value)


def test_an_api_key_that_no_header_can_have_is_refused():
    with pytest.raises(Refused) as raised:
        Client("http://a", api_key="a\nb")
    assert raised.value.code == "invalid_api_key"


def test_proxies_are_those_of_the_environment_and_never_for_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://user:pass@proxy:3128")
    monkeypatch.setenv("no_proxy", "internal.example, .local")
    server = Server.of("http://gorilla.example", None, None)
    assert server.proxy is not None
    assert "pass" not in str(server.failure(OSError("x")))
    for near in ("localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "[::1]", "a.internal.example", "b.local"):
        assert Server.of(f"http://{near}:4000", None, None).proxy is None


def test_a_process_terminates_itself_when_its_lock_is_lost(client, url, name):
    code = """
import sys, time
from gorilla_client import Client, terminate
with Client().lock(sys.argv[1], ttl=1.5, on_lost=terminate):
    print("held", flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "GORILLA_URL": url}
    process = subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    client.break_lock(name)
    assert process.wait(30) == -signal.SIGTERM
    process.stdout.close()
