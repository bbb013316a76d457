"""The process that compiles for this one: what it is asked for lies on disk when it is done, and is loaded from there.

Stage: beside run; asked by `arcgrad.runtime.jit.patience` and the engine. Requests go through a pipe that nobody else
has: kernels by name, routines as text. The other process is of the same user, Python and environment, in a session of
its own (Ctrl-C does not reach it), and ends with this one. Where it cannot be started, crashes, hangs or leaves code
that is of no use here, this process compiles itself, after one warning.

``ARCGRAD_COMPILE=inline`` does without it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.jit.background.waiting import progress
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.jit.declare import Code, keeps_on_disk
from arcgrad.runtime.lru import caches

if TYPE_CHECKING:
    import subprocess

__all__ = ["Background", "background"]

# Seconds of silence with work to do after which the process counts as hanging.
_HANGS = 300.0
# How often it is started until it has done anything: it may end for want of work just when it is sent some.
_STARTS = 5

_BOOT = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from arcgrad.runtime.jit.background.serve import serve; serve(int(sys.argv[1]))"
)

# What is asked for: the directory on disk, and a kernel's module and name or a routine's text and signature.
_Unit = tuple[str, ...]


class Background:
    """The process, and what it was asked for; the object `background`.

    All methods may be called from any thread, and in forked children, which have a process of their own.
    """

    def __init__(self) -> None:
        self._forget()
        when_forked(self._after_fork)
        atexit.register(self.stop)
        caches.when_cleared(self._forget_done)

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sent: list[_Unit] = []
        # "waiting", "done" or "failed".
        self._states: dict[_Unit, str] = {}
        self._outgoing = self._incoming = b""
        self._heard = 0.0
        self._starts = 0
        self._is_off = self._warned = False
        self._now: _Unit | None = None
        self._now_compiling = ""

    @property
    def is_on(self) -> bool:
        """Whether code is compiled there.

        Raises:
            InputError: ``ARCGRAD_COMPILE`` is neither "background" nor "inline".
        """
        chosen = os.environ.get("ARCGRAD_COMPILE", "background")
        if chosen not in ("background", "inline"):
            raise InputError(f"ARCGRAD_COMPILE={chosen[:40]!r} must be background or inline")
        if chosen == "inline" or self._is_off or os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
            return False
        return keeps_on_disk()

    def takes(self, *code: Code, also: Callable[[], Iterable[Code]] = tuple) -> bool:
        """Have these kernels and routines compiled there; False: whoever needs them loads or compiles them now.

        Args:
            code: what is wanted.
            also: gives what is to be compiled after it, asked where it is wanted for the first time.
        """
        if not self.is_on:
            return False
        with self._lock:
            self._listen()
            missing = [each for each in code if not (each.is_loaded or self._arrived(each))]
            units = [self._unit(each) for each in missing]
            if any(unit is None or self._states.get(unit) == "failed" for unit in units):
                return False
            new = [unit for unit in units if unit is not None and unit not in self._states]
            if new:
                after = (self._unit(each) for each in also() if not each.is_ready)
                new += [unit for unit in after if unit is not None and unit not in self._states]
                if not self._start():
                    return False
                for unit in dict.fromkeys(new):
                    self._send(unit)
            return bool(missing) and not self._is_off

    def wait(self, *code: Code) -> None:
        """Wait until the process is done with what it was asked for of these, or will not be."""
        with progress:
            while self.is_working_on(*code):
                progress.show(self._now_compiling or "…")
                time.sleep(0.05)

    def is_at(self, code: Code) -> bool:
        """Whether it compiles this just now."""
        with self._lock:
            self._listen()
            return self._now is not None and self._now == self._unit(code) and self._states.get(self._now) == "waiting"

    def is_working_on(self, *code: Code) -> bool:
        """Whether any of these is still to come."""
        with self._lock:
            self._listen()
            units = [self._unit(each) for each in code if not each.is_loaded]
            return any(unit is not None and self._states.get(unit) == "waiting" for unit in units)

    def stop(self) -> None:
        """End the process, if there is one; the next request starts another."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                process.kill()
                process.wait()
                self._close(process)
            self._states = {unit: state for unit, state in self._states.items() if state != "waiting"}

    # -- what it says -------------------------------------------------------------------------------------------------

    def _arrived(self, each: Code) -> bool:
        """Whether code that was compiled there is loaded now; where it is not to be found, it counts as failed."""
        unit = self._unit(each)
        if unit is None or self._states.get(unit) != "done":
            return False
        each.look_again()
        if each.is_ready:
            return True
        self._states[unit] = "failed"
        self._warn(f"left no code for {each} that this process can use")
        return False

    def _listen(self) -> None:
        process = self._process
        if process is None:
            return
        assert process.stdout is not None
        try:
            self._flush()
            while True:
                data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    self._ended(process)
                    return
                self._heard = time.monotonic()
                *lines, self._incoming = (self._incoming + data).split(b"\n")
                for line in lines:
                    self._take(line)
        except BlockingIOError:
            pass
        except OSError as error:  # somebody closed the pipes
            self._give_up(f"cannot be heard any more ({error})")
        if "waiting" in self._states.values() and time.monotonic() - self._heard > _HANGS:
            self._give_up(f"has said nothing for {_HANGS:.0f} s")

    def _take(self, line: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):  # printed by somebody else
            said = json.loads(line)
            if "compiling" in said:
                self._now_compiling = str(said["compiling"])
                return
            unit = self._sent[said["number"]]
            if "error" not in said:
                self._now = unit
            elif said["error"] is None:
                self._states[unit] = "done"
                self._starts = 0
            else:
                self._states[unit] = "failed"
                what = f"{unit[2]} {unit[3]}" if unit[1] == "kernel" else "a routine"
                self._warn(f"could not compile {what}: {said['error']}")

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        deadline = time.monotonic() + 5.0
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)  # its pipe is closed: it is about to end
        process.kill()
        status = process.wait()
        self._close(process)
        waiting = [unit for unit, state in self._states.items() if state == "waiting"]
        if not waiting:
            return
        if status == 0 and self._start():  # it had ended for want of work
            for unit in waiting:
                self._send(unit)
        else:
            self._give_up(f"ended with status {status}")

    def _give_up(self, why: str) -> None:
        self._is_off = True
        self.stop()
        self._warn(why)

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            text = f"the process that compiles for arcgrad {why}; this one compiles itself (ARCGRAD_COMPILE=inline)"
            warnings.warn(text, UserWarning, stacklevel=2)

    # -- what is said to it -------------------------------------------------------------------------------------------

    def _unit(self, code: Code) -> _Unit | None:
        named = code.unit
        return None if named is None else (str(cache.dir), *named)

    def _send(self, unit: _Unit) -> None:
        directory, *named = unit
        request = {"number": len(self._sent), "directory": directory, "unit": named}
        self._sent.append(unit)
        self._states[unit] = "waiting"
        self._outgoing += json.dumps(request).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        process = self._process
        # A pipe that ended is noticed by reading.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._outgoing and process is not None and process.stdin is not None:
                self._outgoing = self._outgoing[os.write(process.stdin.fileno(), self._outgoing) :]

    def _start(self) -> bool:
        """Whether the process runs, or could be started."""
        if self._process is not None:
            return True
        self._starts += 1
        if self._starts > _STARTS or not _may_start():
            self._is_off = True
            return False
        import subprocess  # takes longer than all that this module does at import

        flags = ["-O"] * sys.flags.optimize + ["-E"] * sys.flags.ignore_environment + ["-s"] * sys.flags.no_user_site
        paths = [path for path in sys.path if isinstance(path, str)]
        try:
            process = subprocess.Popen(
                [sys.executable, *flags, "-c", _BOOT, str(os.getpid()), *paths],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                start_new_session=True, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            for pipe in (process.stdin, process.stdout):
                os.set_blocking(pipe.fileno(), False)
        except OSError:
            self._is_off = True
            return False
        self._process, self._heard = process, time.monotonic()
        self._outgoing = self._incoming = b""
        return True

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _forget_done(self) -> None:
        with self._lock:
            self._states = {unit: state for unit, state in self._states.items() if state != "done"}

    def _after_fork(self) -> None:
        """The process is the parent's: a child lets go of the pipes, which would keep it alive."""
        process = self._process
        if process is not None:
            self._close(process)
            process.returncode = 0
        self._forget()


def _may_start() -> bool:
    """Whether this is an ordinary Python with a directory for compiled code that it can write."""
    if getattr(sys, "frozen", False) or "python" not in Path(sys.executable or "").name.lower():
        return False  # another program, of which Python is a part
    if sys.platform == "win32" and sys.version_info < (3, 12):
        return False  # pipes there are not read without waiting
    return cache.directory.may_write()


background = Background()
