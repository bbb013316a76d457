"""A program on a pseudo-terminal, and what its screen shows: for tests that type and look."""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import subprocess
import sys
import time
from types import TracebackType

__all__ = ["Screen", "Terminal"]

_SEQUENCE = re.compile(r"\x1b(?:\[([?>=]?)([0-9;]*)([A-Za-z@])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHM])")


def _own_terminal() -> None:
    """Make the standard input the terminal that Ctrl-C comes from, and hear it, even if the tests do not."""
    import fcntl
    import termios

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Screen:
    """As much of a terminal as line editors use: text, lines, cursor movements, and erasing."""

    def __init__(self, columns: int = 80) -> None:
        self.columns = columns
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.asked = 0  # how often the program asked where the cursor is
        self._begun = ""

    def feed(self, text: str) -> None:
        text, self._begun = self._begun + text, ""
        position = 0
        while position < len(text):
            character = text[position]
            if character == "\x1b":
                found = _SEQUENCE.match(text, position)
                if found is None:
                    self._begun = text[position:]
                    return
                self._control(found[1] or "", found[2] or "", found[3] or "")
                position = found.end()
                continue
            position += 1
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.row += 1
            elif character == "\b":
                self.column = max(0, self.column - 1)
            elif character >= " ":
                self._put(character)

    def _put(self, character: str) -> None:
        if self.column >= self.columns:
            self.row, self.column = self.row + 1, 0
        line = self._line()
        line += " " * (self.column + 1 - len(line))
        line[self.column] = character
        self.column += 1

    def _line(self) -> list[str]:
        while len(self.lines) <= self.row:
            self.lines.append([])
        return self.lines[self.row]

    def _control(self, private: str, numbers: str, letter: str) -> None:
        n = int(numbers.split(";")[0] or 0) if not private else 0
        if letter == "A":
            self.row = max(0, self.row - max(1, n))
        elif letter == "B":
            self.row += max(1, n)
        elif letter == "C":
            self.column += max(1, n)
        elif letter == "D":
            self.column = max(0, self.column - max(1, n))
        elif letter == "G":
            self.column = max(0, n - 1)
        elif letter == "K" and n == 0:
            del self._line()[self.column :]
        elif letter == "J":
            if n == 2:
                self.lines = [[]]
            else:
                del self._line()[self.column :]
                del self.lines[self.row + 1 :]
        elif letter == "H":
            self.row, self.column = (int(x or 1) - 1 for x in (f"{numbers};;".split(";"))[:2])
        elif letter == "n" and n == 6:
            self.asked += 1

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines)


class Terminal:
    """A command that runs on a pseudo-terminal of 80 columns; ``with`` ends it."""

    def __init__(self, command: list[str], **environment: str) -> None:
        import pty

        self.screen = Screen()
        own, other = pty.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        settings = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "", **environment}
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, **settings},
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(other)
        self._own = own
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end within a character
        self._answered = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            print(f"the screen:\n{self.screen.text}", file=sys.stderr)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._own)

    def type(self, text: str) -> None:
        """Press keys: ``\\r`` is Enter, ``\\t`` Tab, ``\\x03`` Ctrl-C, ``\\x04`` Ctrl-D."""
        os.write(self._own, text.encode())

    def wait_for(self, text: str, seconds: float = 25.0, after: str = "") -> str:
        """Read until the screen shows a text (the last time after ``after``); what it shows.

        Raises:
            AssertionError: it does not.
        """
        until = time.monotonic() + seconds
        while True:
            shown = self.screen.text
            if text in shown[max(0, shown.rfind(after)) if after else 0 :]:
                return shown
            assert time.monotonic() < until, f"{text!r} is not shown:\n{shown}"
            if not self._read(0.2) and self.process.poll() is not None and not self._read(0.1):
                shown = self.screen.text
                assert text in shown, (
                    f"{text!r} is not shown, and the program ended with {self.process.returncode}:\n{shown}"
                )

    def type_until(self, keys: str, text: str, after: str, tries: int = 8) -> None:
        """Press keys, again where the screen does not show a text soon.

        Raises:
            AssertionError: it never does.
        """
        for left in reversed(range(tries)):
            self.type(keys)
            try:
                self.wait_for(text, 3.0, after)
                return
            except AssertionError:
                if not left:
                    raise

    def wait_until_it_computes(self, seconds: float = 25.0) -> None:
        """Until the terminal is no longer in a line editor's raw mode, in which Ctrl-C is a key like others."""
        import termios

        until = time.monotonic() + seconds
        while not termios.tcgetattr(self._own)[3] & termios.ISIG:
            self._read(0.05)
            assert time.monotonic() < until, f"the program reads keys:\n{self.screen.text}"
        self._read(0.3)

    def ends(self, seconds: float = 25.0) -> int:
        """Wait for the program to end; its exit status."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            self._read(0.1)
            assert time.monotonic() < until, f"the program goes on:\n{self.screen.text}"
        while self._read(0.1):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._own], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._own, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen.feed(self._decoder.decode(data))
        while self._answered < self.screen.asked:
            self._answered += 1
            os.write(self._own, f"\x1b[{self.screen.row + 1};{self.screen.column + 1}R".encode())
        return bool(data)
