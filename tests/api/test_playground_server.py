"""The playground's server: who is answered and who is refused, and that nothing sent to it can hang it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.schemas import validate

from arcgrad.cli import main
from arcgrad.playground import Playground
from arcgrad.playground import server as module


@pytest.fixture(scope="module")
def playground() -> Iterator[Playground]:
    with Playground(seconds=1.5) as running:
        yield running


def split(playground: Playground) -> tuple[int, str]:
    match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([\w-]{20,})/", playground.address)
    assert match is not None
    return int(match[1]), match[2]


def ask(
    playground: Playground,
    method: str = "GET",
    path: str = "",
    body: Any = None,
    whole: str | None = None,
    **headers: str,
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of the answer; `whole` is a path with another token, or none."""
    port, token = split(playground)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"/{token}/{path}" if whole is None else whole, body, given)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def evaluate(playground: Playground, request: Any, **headers: str) -> Any:
    given = {"Content_Type": "application/json"} | headers
    status, body, _ = ask(playground, "POST", "explore", json.dumps(request), **given)
    assert status == 200, body
    answer = json.loads(body)
    validate(answer, "answer")
    return answer


def test_an_equation_is_evaluated(playground: Playground) -> None:
    answer = evaluate(playground, {"equation": "LSE[A]", "inputs": {"A": '"ab" + "c"'}, "want": ["value", "pictures"]})
    assert answer["value"]["text"] == "0.6931471805599453"
    assert answer["pictures"]["inputs"]["A"].startswith("<svg")
    assert evaluate(playground, {"equation": "LSE[A"})["error"]["column"] == 4
    assert evaluate(playground, [])["error"]["where"] == "request"


def test_the_page_asks_nobody_else(playground: Playground) -> None:
    status, page, headers = ask(playground)
    assert status == 200
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {name: policy[name] for name in ("script-src", "style-src", "connect-src")} == dict.fromkeys(
        ("script-src", "style-src", "connect-src"), "'self'"
    )
    assert policy["frame-ancestors"] == "'none'"
    assert headers["Referrer-Policy"] == "no-referrer"
    files = {"": page, **{name: ask(playground, path=name)[1] for name in module._FILES}}
    assert all(files.values())
    for name, text in files.items():
        addresses = set(re.findall(rb"https?://[\w./]+", text))
        assert addresses == set(), name
    assert set(re.findall(rb'(?:src|href)="([^"]*)"', page)) == {b"data:,", b"style.css", b"page.js"}
    assert ask(playground, "HEAD")[0:2] == (200, b"")


@pytest.mark.parametrize("token", ["", "x", "A" * 24, "%00", "..", "ä"])
def test_without_the_token_there_is_nothing(playground: Playground, token: str) -> None:
    for path in (f"/{token}/", f"/{token}/page.js", f"/{token}/explore"):
        whole = path.encode("latin-1").decode("latin-1").replace("ä", "%E4")
        assert ask(playground, whole=whole)[0] == 404
        status, body, _ = ask(playground, "POST", body="{}", whole=whole, Content_Type="application/json")
        assert (status, b"address" in body) == (404, True)


@pytest.mark.parametrize(
    "path",
    ["../server.py", "server.py", "..%2f..%2fetc%2fpasswd", "%2e%2e/", "/etc/passwd", "//", "page.js/", "PAGE.JS",
     "page.js%00", "__init__.py", "explore", ".", ".."],
)  # fmt: skip
def test_only_the_pages_files_are_given(playground: Playground, path: str) -> None:
    status, body, _ = ask(playground, path=path)
    assert status == 404
    assert b"import" not in body


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "[::1]", ""])
def test_other_hosts_are_refused(playground: Playground, host: str) -> None:
    assert ask(playground, Host=host)[0] == 421
    port, _ = split(playground)
    assert ask(playground, Host=f"localhost:{port}")[0] == 200


def test_other_origins_are_refused(playground: Playground) -> None:
    port, _ = split(playground)
    own = f"http://127.0.0.1:{port}"
    json_ = {"Content_Type": "application/json"}
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", f"http://localhost:{port}", own + "0"):
        assert ask(playground, "POST", "explore", "{}", Origin=origin, **json_)[0] == 403
    for site in ("cross-site", "same-site", "none"):
        assert ask(playground, "POST", "explore", "{}", Origin=own, Sec_Fetch_Site=site, **json_)[0] == 403
    assert evaluate(playground, {"equation": "1"}, Origin=own, Sec_Fetch_Site="same-origin")["ok"]
    for kind in ("text/plain", "application/x-www-form-urlencoded"):  # what a form of another page may send
        assert ask(playground, "POST", "explore", "{}", Content_Type=kind)[0] == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(playground: Playground, method: str) -> None:
    status, _, headers = ask(playground, method)
    assert status == 501
    assert not any(name.lower().startswith("access-control") for name in headers)


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "\xff", '{"equation": NaN'])
def test_what_is_not_json_is_refused(playground: Playground, body: str) -> None:
    raw = body.encode("latin-1")
    assert ask(playground, "POST", "explore", raw, Content_Type="application/json")[0] == 400


def send(playground: Playground, data: bytes) -> bytes:
    """The answer; nothing where the server closed the connection before it had read all, which may take the answer."""
    found = b""
    with socket.create_connection(("127.0.0.1", split(playground)[0]), timeout=30) as client:
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while part := client.recv(1 << 16):
                found += part
    return found


def test_bodies_are_of_a_stated_size_that_is_not_too_large(playground: Playground) -> None:
    port, token = split(playground)
    head = f"POST /{token}/explore HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    for line, status in [
        ("Content-Length: 7000000\r\n", b"413"),
        ("Content-Length: 99999999999999999999\r\n", b"411"),
        ("Content-Length: -1\r\n", b"411"),
        ("Content-Length: 1e3\r\n", b"411"),
        ("Transfer-Encoding: chunked\r\n", b"411"),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"411"),
        ("", b"411"),
        ("Content-Length: 10\r\n", b"400"),  # and it ends before
    ]:
        assert send(playground, f"{head}{line}\r\n{{}}".encode()).split(b" ", 2)[1] == status, line
    many = b"".join(b"X%d: y\r\n" % n for n in range(200))
    for request, status in [(b"GET /" + b"a" * 100_000 + b" HTTP/1.1", b"414"), (b"GET / HTTP/1.1\r\n" + many, b"431")]:
        assert send(playground, request + b"\r\n\r\n").split(b" ", 2)[1:2] in ([status], [])
    assert evaluate(playground, {"equation": "1"})["ok"]


ENDLESS = {"equation": 'LSE[det[("a" + "b")* "a" ("a" + "b"){14}]]'}


def test_an_endless_evaluation_is_stopped_and_the_next_one_answered(playground: Playground) -> None:
    began = time.monotonic()
    error = evaluate(playground, ENDLESS)["error"]
    assert error["kind"] == "LimitError"
    assert "took longer than" in error["message"]
    assert time.monotonic() - began < 30
    assert evaluate(playground, {"equation": "1 + 1"})["value"]["text"] == "2"


def test_a_worker_that_ends_is_replaced(playground: Playground) -> None:
    os.kill(playground._server.worker._process._process.pid, signal.SIGKILL)
    error = evaluate(playground, {"equation": "1"})["error"]
    assert error["kind"] == "LimitError"
    assert "more memory than there is" in error["message"]
    assert evaluate(playground, {"equation": "1"})["value"]["text"] == "1"


def test_too_many_at_once_are_turned_away(playground: Playground) -> None:
    found: list[int] = []

    def run() -> None:
        headers = {"Content_Type": "application/json"}
        found.append(ask(playground, "POST", "explore", json.dumps({"equation": "1"}), **headers)[0])

    worker = playground._server.worker
    with worker._lock:  # as if an evaluation ran
        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 30
        while len(found) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 5 + [503] * 3


def test_slow_clients_are_cut_off(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.6)
    port, token = split(playground)
    began = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(3)]
    clients[1].sendall(f"GET /{token}/ HTTP/1.1\r\nHost: ".encode())
    head = f"POST /{token}/explore HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    clients[2].sendall(f"{head}Content-Length: 99\r\n\r\n{{".encode())
    for client in clients:
        client.recv(1000)  # comes back: an answer, or the end
        client.close()
    assert time.monotonic() - began < 14  # not the 15 seconds that a silent socket has


def test_connections_are_limited(playground: Playground) -> None:
    port, _ = split(playground)
    clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(40)]
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(playground)
    for client in clients:
        client.close()
    until = time.monotonic() + 30
    while playground._server._open and time.monotonic() < until:
        time.sleep(0.02)
    assert ask(playground)[0] == 200


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc")
def test_the_worker_has_not_imported_numba(playground: Playground) -> None:
    process = playground._server.worker._process._process
    with open(f"/proc/{process.pid}/maps", encoding="utf-8") as maps:
        mapped = maps.read()
    assert "numpy" in mapped
    assert "llvmlite" not in mapped
    assert "numba" not in mapped


def test_serve_opens_the_page_and_tells_no_command_the_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def wait(playground: Playground) -> None:
        assert ask(playground)[0] == 200
        file = Path(opened[0].removeprefix("file://"))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert f"url={playground.address}#abc" in file.read_text(encoding="utf-8")
        assert playground.address not in opened[0]
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(Playground, "wait", wait)
    assert main(["serve", "http://127.0.0.1:1/of-another-run/#abc"]) == 0
    assert not Path(opened[0].removeprefix("file://")).exists()
    printed = capsys.readouterr().out
    assert re.search(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/#abc\n", printed)


def test_what_is_printed_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "70000", "--no-browser"]) == 1
    assert "ports go from 1 to 65535" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--no-browser", "--port", str(taken.getsockname()[1])]) == 1
    assert "in use" in capsys.readouterr().err
    assert main(["serve", "--no-browser", "http://127.0.0.1/x/#<script>"]) == 1
    assert "holds no state" in capsys.readouterr().err
