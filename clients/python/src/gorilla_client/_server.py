"""The address of the server, how to get there, and how requests look on the wire."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import httpcore2
import truststore

from ._deliver import CONNECT_TIMEOUT
from ._errors import Refused
from ._steps import Failure, Request

IDLE = 20.0
"""How long a connection may be idle before it is used no more, in seconds. The server closes it after 30 s."""

VERSION = version("gorilla-client")

# Nothing was sent before the connection stood.
_NOT_SENT = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.UnsupportedProtocol,
    httpcore2.ProxyError,
    httpcore2.LocalProtocolError,
)
_NO_ANSWER = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError)
TROUBLES = (*_NOT_SENT, *_NO_ANSWER, OSError)
"""What sending raises when there is no answer."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go."""

    url: str
    base: httpcore2.URL = field(repr=False)
    prefix: bytes = field(repr=False)
    """The path in front of the paths of the interface."""
    api_key: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)
    proxy: httpcore2.Proxy | None = field(repr=False)

    @staticmethod
    def of(url: str | None, api_key: str | None, ca: str | os.PathLike[str] | None) -> Server:
        """The server at an address, or that of the environment: GORILLA_URL, GORILLA_API_KEY, GORILLA_CA."""
        url = url or os.environ.get("GORILLA_URL") or "http://127.0.0.1:4000"
        api_key = api_key or os.environ.get("GORILLA_API_KEY") or None
        ca = ca or os.environ.get("GORILLA_CA") or None
        parts = _parse(url)
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise Refused(
                "the API key has characters that a header must not have",
                code="invalid_api_key",
                field="api_key",
            )
        host, tls = parts.hostname or "", None
        if parts.scheme == "https":
            tls = _tls(ca)
        address = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port else ""
        base = httpcore2.URL(f"{parts.scheme}://{address}{port}/")
        return Server(
            url=f"{parts.scheme}://{address}{port}{parts.path.rstrip('/')}",
            base=base,
            prefix=parts.path.rstrip("/").encode(),
            api_key=api_key,
            tls=tls,
            proxy=_proxy(parts.scheme, host),
        )

    def address_of(self, path: str) -> httpcore2.URL:
        base = self.base
        target = self.prefix + path.encode("ascii")
        return httpcore2.URL(scheme=base.scheme, host=base.host, port=base.port, target=target)

    def headers_of(self, request: Request) -> list[tuple[bytes, bytes]]:
        port = f":{self.base.port}" if self.base.port else ""
        headers = [
            (b"Host", self.base.host + port.encode()),
            (b"User-Agent", b"gorilla-client-python/" + VERSION.encode()),
            (b"Accept", request.accept.encode()),
        ]
        if self.api_key is not None:
            headers.append((b"Authorization", b"Bearer " + self.api_key.encode()))
        if request.token is not None:
            headers.append((b"Lock-Token", request.token.encode()))
        if request.key is not None:
            headers.append((b"Idempotency-Key", request.key.encode()))
        if request.body is not None:
            headers.append((b"Content-Type", b"application/json"))
        return headers

    @staticmethod
    def content_of(request: Request) -> bytes | None:
        return None if request.body is None else json.dumps(request.body).encode()

    @staticmethod
    def timeouts(timeout: float) -> dict[str, Any]:
        """The extension that bounds the parts of a request."""
        connect = min(CONNECT_TIMEOUT, timeout)
        return {"timeout": {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}}

    def failure(self, error: BaseException) -> Failure:
        """What it means that there was no answer."""
        through = ""
        if self.proxy is not None:
            address = self.proxy.url
            through = f" through the proxy {address.scheme.decode()}://{address.host.decode()}:{address.port}"
        if isinstance(error, _NOT_SENT):
            return Failure(in_doubt=False, why=f"{self.url} can't be reached{through} ({error})")
        if isinstance(error, httpcore2.TimeoutException | TimeoutError):
            return Failure(in_doubt=True, why=f"{self.url} did not answer in time{through}")
        return Failure(in_doubt=True, why=f"the connection to {self.url} broke{through} ({error})")

    def pool_options(self) -> dict[str, Any]:
        return {
            "ssl_context": self.tls,
            "proxy": self.proxy,
            "max_connections": None,
            "max_keepalive_connections": 32,
            "keepalive_expiry": IDLE,
        }


def header(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), None)


def retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    value = header(headers, b"retry-after")
    return float(value) if value is not None and value.isdecimal() else None


def _parse(url: str) -> urllib.parse.SplitResult:
    wrong = Refused(
        f"{url!r} is not the address of a server; an address looks like http://127.0.0.1:4000",
        code="invalid_url",
        field="url",
    )
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        raise wrong from None
    if parts.username is not None or parts.password is not None:
        # Not with the address: it has a password.
        raise Refused("the address of a server has no user name", code="invalid_url", field="url")
    if not good or parts.query or parts.fragment or not url.isascii():
        raise wrong
    return parts


def _tls(ca: str | os.PathLike[str] | None) -> ssl.SSLContext:
    if ca is None:
        # The certificate authorities that this machine trusts.
        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return context
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Refused(f"the certificate authorities can't be read: {error}", code="invalid_ca", field="ca") from None


def _proxy(scheme: str, host: str) -> httpcore2.Proxy | None:
    """The proxy of the environment. To a proxy, an address of this machine is its own machine: no proxy for these."""
    if _is_loopback(host) or _is_bypassed(host):
        return None
    proxies = _proxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address:
        return None
    parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
    auth = None
    if parts.username is not None:
        auth = (urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or ""))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return httpcore2.Proxy(f"{parts.scheme}://{parts.hostname}:{port}/", auth=auth)


def _is_bypassed(host: str) -> bool:
    """Whether NO_PROXY has this host."""
    names = [name.strip().lstrip(".").lower() for name in _proxies().get("no", "").split(",")]
    return "*" in names or any(name and (host == name or host.endswith(f".{name}")) for name in names)


def _proxies() -> dict[str, str]:
    return urllib.request.getproxies_environment()


def _is_loopback(host: str) -> bool:
    host = host.rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
