"""Evaluates requests in a process of its own, which is ended where one takes too long or too much memory.

Requests and answers are lines of JSON through the process's pipes. Another process is started as soon as one has ended,
so that the next request need not wait for the imports.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from typing import Any

__all__ = ["Worker", "work"]

SECONDS = 10.0
"""What one evaluation may take."""
_STARTING = 60.0  # seconds for imports, on a busy machine
_MEMORY = 2 << 30
_WAITING = 4  # requests that may wait for their turn

_BOOT = "import sys; sys.path[:] = {path!r}; from arcgrad.playground.worker import work; work()"


def work() -> None:
    """Answer requests from stdin until it ends: the worker process."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what anything prints must not be taken for an answer
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from arcgrad.explore import explore

    explore({"equation": 'LSE["a"]', "want": ["gradient", "plan"]})  # whatever is imported late, is by now
    if hasattr(os, "getppid"):
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = explore(json.loads(line))
        except Exception as error:
            import traceback

            traceback.print_exc()
            answer = _failure("InternalError", f"arcgrad itself failed: {type(error).__name__}: {error}")
        print(json.dumps(answer), file=answers, flush=True)


def _end_with(server: int) -> None:
    """End this process, whatever it is evaluating, when the server has ended without doing so."""
    while os.getppid() == server:
        time.sleep(1.0)
    os._exit(1)


def _failure(kind: str, message: str, hint: str | None = None) -> dict[str, Any]:
    error = {"kind": kind, "message": message, "where": None} | ({} if hint is None else {"hint": hint})
    return {"ok": False, "arcgrad": "", "equation": None, "error": error, "warnings": []}


class _Process:
    """One worker process, with a thread that reads its lines."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=os.name == "posix",  # Ctrl-C is the server's
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.is_ready = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(b"")  # it has ended

    def line(self, seconds: float) -> bytes | None:
        """The next line; b"" where the process has ended, None where it takes longer."""
        try:
            return self._lines.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None

    def send(self, request: Any) -> None:
        """Write a request."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: `line` says so
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


class Worker:
    """Answers one request after the other, each within a limit of time.

    Args:
        seconds: what an evaluation may take.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._places = threading.Semaphore(1 + _WAITING)
        self._closed = False
        self._process = _Process()

    def answer(self, request: Any) -> dict[str, Any] | None:
        """The answer to a request; None where too many wait already."""
        if not self._places.acquire(blocking=False):
            return None
        try:
            with self._lock:
                return self._answer(request)
        finally:
            self._places.release()

    def _answer(self, request: Any) -> dict[str, Any]:
        process = self._process
        if not process.is_ready:
            process.is_ready = bool(process.line(_STARTING))
            if not process.is_ready:
                self._renew()
                return _failure("LimitError", "the process that evaluates could not be started")
        began = time.monotonic()
        process.send(request)
        line = process.line(self._seconds)
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._renew()
        if line is None:
            took = f"this took longer than {time.monotonic() - began:.0f} seconds, and was stopped"
            return _failure("LimitError", took, "try smaller graphs; in Python there is no such limit")
        return _failure("LimitError", "this took more memory than there is, and was stopped", "try smaller graphs")

    def _renew(self) -> None:
        self._process.end()
        if not self._closed:
            self._process = _Process()

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._process.end()
