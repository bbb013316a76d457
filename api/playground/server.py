"""The server of the playground: HTTP on the loopback interface, for the one page that it serves, and nothing else.

Whoever asks must know the token in the page's address, name this server as its host, and come from its own page: pages
of other origins, which a browser may have open beside, can neither read nor use it. Files are looked up by name among
those of the page; no path of a request reaches the file system.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import json
import os
import re
import secrets
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from arcgrad.grammar.errors import InputError
from arcgrad.playground.worker import SECONDS, Worker

__all__ = ["Playground", "serve"]

MOST_BYTES = 6 << 20
"""The longest request."""
READ_SECONDS = 15.0
"""What a client may take to send its request."""
_MOST_CONNECTIONS = 32

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_FILES = ("index.html", "style.css", "page.js", "inputs.js", "results.js", "examples.js")
_HEADERS = {
    # Scripts, styles and requests only of and to this server; pictures also from within the page.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@functools.cache
def _file(name: str) -> bytes:
    return resources.files("arcgrad.playground").joinpath(name).read_bytes()


class _Refused(Exception):  # noqa: N818 - a signal within this module
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "arcgrad"
    sys_version = ""
    timeout = READ_SECONDS

    def do_GET(self) -> None:
        """Give a file of the page."""
        self._answer(self._get)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Evaluate."""
        self._answer(self._post)

    def _answer(self, how: Any) -> None:
        try:
            self._check_host()
            status, kind, body = how(self._path())
        except _Refused as refused:
            status, kind, body = refused.status, "text/plain", f"{refused}\n".encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _check_host(self) -> None:
        """A name that leads here by the DNS of somebody else's choice is not this server's."""
        if self.headers.get("Host") not in self.server.hosts:
            raise _Refused(421, "this server answers to its own address only")

    def _path(self) -> str:
        """The part of the path behind the token."""
        match = re.fullmatch(r"/([A-Za-z0-9_-]{1,100})/([a-z.]*)(\?.*)?", self.path)
        if match is None or not hmac.compare_digest(match[1], self.server.token):
            raise _Refused(404, "no such page: the address is the one that `arcgrad serve` printed last")
        return match[2]

    def _get(self, path: str) -> tuple[int, str, bytes]:
        name = path or "index.html"
        if name not in _FILES:
            raise _Refused(404, "no such page")
        return 200, _TYPES[name.rpartition(".")[2]], _file(name)

    def _post(self, path: str) -> tuple[int, str, bytes]:
        if path != "explore":
            raise _Refused(404, "no such page")
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "same-origin")
        if site != "same-origin" or (origin is not None and origin != f"http://{self.headers['Host']}"):
            raise _Refused(403, "requests of other pages are not answered")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(415, "a request is application/json")
        try:
            request = json.loads(self._body())
        except (ValueError, RecursionError):
            raise _Refused(400, "the request is not JSON") from None
        self.server.received(self.connection)
        answer = self.server.worker.answer(request)
        if answer is None:
            raise _Refused(503, "too many requests wait already")
        return 200, "application/json", json.dumps(answer).encode()

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"[0-9]{1,12}", length):
            raise _Refused(411, "a request has a Content-Length")
        if int(length) > MOST_BYTES:
            raise _Refused(413, f"a request has at most {MOST_BYTES} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _Refused(400, "the request ended early")
        return body

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the address, which holds the token, belongs into no log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it lets two servers have one port
    request_queue_size = 32

    def __init__(self, port: int, worker: Worker, token: str) -> None:
        self.worker = worker
        self.token = token
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self.port = int(self.server_address[1])
        self.hosts = (f"127.0.0.1:{self.port}", f"localhost:{self.port}")

    def server_bind(self) -> None:
        """Bind, without looking up the host's name in the DNS as http.server does."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Have a thread answer, unless there are too many already."""
        with self._lock:
            too_many = len(self._open) >= _MOST_CONNECTIONS
            if not too_many:
                self._open[request] = time.monotonic()
        if too_many:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def received(self, connection: socket.socket) -> None:
        """The whole request is there: from now on it is not the client who is slow."""
        with self._lock:
            self._open[connection] = float("inf")

    def service_actions(self) -> None:
        """Close connections whose clients have not sent their request in time, however many bytes they have sent."""
        with self._lock:
            late = [c for c, began in self._open.items() if time.monotonic() - began > READ_SECONDS]
        for connection in late:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go away at any time; anything else is told on stderr."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Playground:
    """A running server.

    Args:
        port: where; 0: any port that is free.
        seconds: what an evaluation may take.

    Attributes:
        address: of the page, with its token.

    Raises:
        OSError: the port is taken, or not this user's to take.

    Example:
        >>> from arcgrad.playground import Playground
        >>> with Playground() as playground:
        ...     playground.address.startswith("http://127.0.0.1:")
        True
    """

    def __init__(self, port: int = 0, seconds: float = SECONDS) -> None:
        if not 0 <= port <= 65535:
            raise InputError(f"port is {port}, but ports go from 1 to 65535, and 0 stands for any that is free")
        token = secrets.token_urlsafe(18)
        worker = Worker(seconds)
        try:
            self._server = _Server(port, worker, token)
        except BaseException:
            worker.close()
            raise
        self.address = f"http://127.0.0.1:{self._server.port}/{token}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Playground:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.worker.close()

    def wait(self) -> None:
        """Serve until interrupted."""
        while self._thread.is_alive():
            self._thread.join(1.0)


def serve(port: int = 0, *, open_browser: bool = True, link: str = "") -> int:
    """Serve the playground until it is interrupted.

    Args:
        port: where; 0: any port that is free.
        open_browser: open the page.
        link: of an earlier page, whose state is to be shown.

    Returns:
        The exit status, 0.
    """
    state = link.partition("#")[2] if "#" in link else link
    if not re.fullmatch(r"[A-Za-z0-9_=-]*", state):
        raise InputError("the link holds no state of the playground", hint="copy it with the page's button")
    with Playground(port) as playground:
        address = playground.address + (f"#{state}" if state else "")
        print(f"arcgrad: the playground is at\n  {address}\nCtrl-C ends it", flush=True)
        with contextlib.ExitStack() as until_then:
            until_then.enter_context(contextlib.suppress(KeyboardInterrupt))
            if open_browser:
                until_then.enter_context(_opened(address))
            playground.wait()
    return 0


@contextlib.contextmanager
def _opened(address: str) -> Iterator[None]:
    """Have a browser show an address, by a file that only this user reads: all users see what commands are given."""
    import tempfile
    import webbrowser
    from pathlib import Path

    descriptor, name = tempfile.mkstemp(prefix="arcgrad-playground-", suffix=".html")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><title>arcgrad</title><meta http-equiv="refresh" content="0; url={address}">')
    try:
        webbrowser.open(Path(name).as_uri())
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)
