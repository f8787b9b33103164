"""HTTPS, and requests through a proxy."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading

import pytest

from conftest import program
from gorilla_client import AsyncClient, Client, Refused, Unavailable


@pytest.fixture(scope="module")
def https(tmp_path_factory):
    """The address of a server with HTTPS, and the file with its certificate."""
    folder = tmp_path_factory.mktemp("https")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gorilla"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*make.split(), *names], check=True, capture_output=True)
    settings = {"GORILLA__SERVER__TLS_CERTIFICATE": str(certificate), "GORILLA__SERVER__TLS_KEY": str(key)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GORILLA")}
    server = subprocess.Popen(
        [program(), "dev", "--listen", "127.0.0.1:0", "--state", folder / "state"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment, **settings},
    )
    assert server.stdout is not None
    try:
        # `gorilla dev` names the address with http or https.
        address = next(
            found[1] for line in server.stdout if (found := re.search(r"serves on https?://([\d.:]+)", line))
        )
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield f"https://{address}", certificate
    finally:
        server.terminate()
        server.wait(20)


def test_https_with_an_authority_of_ones_own(https, name):
    url, certificate = https
    with Client(url, ca=certificate) as client, client.lock(name) as lock:
        assert lock.held


async def test_https_with_an_authority_of_ones_own_in_asyncio(https, name):
    url, certificate = https
    async with AsyncClient(url, ca=certificate) as client, client.lock(name) as lock:
        assert lock.held


def test_a_certificate_that_nobody_trusts_is_refused(https, name):
    with Client(https[0], patience=0.2) as client, pytest.raises(Unavailable) as raised:
        client.lock(name).acquire()
    assert "certificate" in str(raised.value)


def test_requests_go_through_the_proxy(monkeypatch, name):
    heard = []

    def proxy():
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=proxy, daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with Client("http://gorilla.example:4000/below") as client, pytest.raises(Refused):
            client.state(name)
    assert heard[0].startswith(b"GET http://gorilla.example:4000/below/api/v1/locks/" + name.encode())
    assert b"Host: gorilla.example:4000\r\n" in heard[0]
