"""``run_repl``: read an entry, print its answer, and again; the first answers at once."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from arcgrad.grammar.errors import ArcgradError
from arcgrad.repl.completion import is_open, without_prompts
from arcgrad.repl.printing import Printer, in_encoding
from arcgrad.repl.prompt import CONTINUED, PROMPT, make_reader
from arcgrad.repl.session import Session
from arcgrad.terminal import warnings_to

if TYPE_CHECKING:
    from arcgrad.equation import Mode

__all__ = ["PROMPT", "run_repl"]

_T = TypeVar("_T")

# What answers need, in parts that are imported one after the other while somebody types.
_NEEDED = (
    "arcgrad.equation",
    "arcgrad.compiler.frontend.elaborate",
    "arcgrad.grammar.parser",
    "arcgrad.runtime.call.evaluator",
    "arcgrad.repl.commands",
    "arcgrad.repl.inspecting",
)
_NEEDED_LATER = ("numba", "arcgrad.runtime.call.prepare", "arcgrad.runtime.call.execute", "arcgrad.runtime.call.tier")
_SMALL = 3000  # arcs and frames; more are worth waiting for what compiles


def run_repl(stdin: TextIO | None = None, stdout: TextIO | None = None, /, **inputs: Any) -> None:
    """Read entries and print their answers until ``:quit`` or the end of the input.

    Args:
        stdin: where entries come from; None: the terminal, with line editing where that is installed, or what is
            piped in, which is answered without prompts.
        stdout: where prompts, answers and errors go; None: the standard output.
        inputs: what the session begins with, by name, as if loaded.

    Example:
        >>> import io
        >>> from arcgrad.repl import run_repl
        >>> run_repl(io.StringIO('COUNT["a"{1,3}]\\n'))
        arcgrad> 3
        arcgrad>
    """
    output = sys.stdout if stdout is None else stdout
    is_terminal = stdin is None and sys.stdin is not None and sys.stdin.isatty()
    if stdin is None and sys.stdin is None:
        print("arcgrad: the standard input is closed", file=sys.stderr)
        return
    encoding = getattr(output, "encoding", None) or "utf-8"
    session = Session(Printer(ascii=not _has_boxes(encoding)))
    if inputs:
        from arcgrad.grammar import normalise_name

        session.inputs.update((normalise_name(name), value) for name, value in inputs.items())

    def say(text: str) -> None:
        print(in_encoding(text, encoding), file=output, flush=True)

    loading = _Loading() if is_terminal else None
    read, notes = make_reader(session, stdin, output)
    if is_terminal:
        say('arcgrad: type an equation, such as COUNT["a"{3}]; :help for help, :quit to leave')
        for note in notes:
            say(session.printer.wrapped(note))
    if loading is not None:
        session.mode = loading.mode(session)
        loading.start()
    turn = _Turn(session, say, output, is_terminal)
    with _interrupts(is_terminal) as interrupts:
        try:
            while not turn.is_over:
                try:
                    entry = interrupts.allowed_in(lambda: _entry(read))
                except KeyboardInterrupt:
                    say("")
                    continue
                except EOFError:
                    if is_terminal or stdin is not None:  # behind a prompt
                        say("")
                    return
                for part in _parts(entry):
                    if not turn.answers(part, interrupts):
                        break
        finally:
            if loading is not None:
                loading.stop()


class _Interrupts:
    """Ctrl-C ends an entry or an evaluation; between these, where an exception would end the session, it is let go."""

    def __init__(self) -> None:
        self._allowed = False

    def heard(self, *_: object) -> None:
        """The handler of SIGINT."""
        if self._allowed:
            raise KeyboardInterrupt

    def allowed_in(self, work: Callable[[], _T]) -> _T:
        """Do something that may be interrupted.

        Raises:
            KeyboardInterrupt: it was.
        """
        try:
            self._allowed = True
            try:
                return work()
            finally:
                self._allowed = False
        except KeyboardInterrupt:
            self._allowed = False
            raise


@contextlib.contextmanager
def _interrupts(is_terminal: bool) -> Iterator[_Interrupts]:
    """Hears Ctrl-C instead of Python, where this is the main thread of a program on a terminal."""
    interrupts = _Interrupts()
    before = signal.getsignal(signal.SIGINT)
    if not is_terminal or threading.current_thread() is not threading.main_thread() or not callable(before):
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts.heard)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


class _Turn:
    """Evaluates entries and prints answers."""

    def __init__(self, session: Session, say: Callable[[str], None], output: TextIO, is_terminal: bool) -> None:
        self.is_over = False
        self._session, self._say, self._output, self._is_terminal = session, say, output, is_terminal
        self._paint: Callable[[str], str] = _painter(output) if is_terminal else str

    def answers(self, entry: str, interrupts: _Interrupts) -> bool:
        """Print the answer to one entry; whether it has one that is no error."""
        printer = self._session.printer
        if self._is_terminal:
            printer.width = min(120, max(40, shutil.get_terminal_size((80, 24)).columns))
        try:
            with warnings_to(self._output):
                answer = interrupts.allowed_in(lambda: self._session.answer(entry))
        except EOFError:
            self.is_over = True
        except KeyboardInterrupt:
            self._say("interrupted")
        except (ArcgradError, OSError) as error:
            self._say(self._paint(printer.error(error)))
        except (RecursionError, MemoryError) as error:
            self._say(f"error: {type(error).__name__}: this entry takes more than Python has")
        except Exception as error:  # a mistake of ours need not end the session
            self._say(printer.wrapped(f"error: {type(error).__name__}, which should not happen: {error}"))
        else:
            if answer is not None:
                self._say(answer)
            return True
        return False


def _has_boxes(encoding: str) -> bool:
    try:
        "─╭▶ε".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _entry(read: Callable[[str], str]) -> str:
    """An entry: a line, and more where brackets are open, until an empty one."""
    lines = [read(PROMPT)]
    while "\n" not in lines[0] and is_open("\n".join(lines)):  # an editor has ended it, else
        try:
            line = read(CONTINUED)
        except EOFError:
            break
        lines.append(line)
        if not line.strip():
            break
    return "\n".join(lines)


def _parts(text: str) -> Iterator[str]:
    """The entries of a text of several lines, as pasted; prompts that were copied along are left out."""
    lines: list[str] = []
    for line in without_prompts(text).splitlines() or [""]:
        lines.append(line)
        if not is_open("\n".join(lines)):
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _painter(output: TextIO) -> Callable[[str], str]:
    """Colours for errors, where the terminal has some and nobody said NO_COLOR."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb" or not output.isatty():
        return lambda text: text

    def paint(text: str) -> str:
        text = re.sub(r"^(error:)", "\x1b[1;31m\\1\x1b[0m", text)
        text = re.sub(r"^(hint:)", "\x1b[36m\\1\x1b[0m", text, flags=re.MULTILINE)
        return re.sub(r"^( *)(\^+)$", "\\1\x1b[1;31m\\2\x1b[0m", text, flags=re.MULTILINE)

    return paint


class _Loading:
    """Imports, in another thread, what answers need, while the first entry is typed."""

    def __init__(self) -> None:
        self._left = False
        self._thread = threading.Thread(target=self._load, name="arcgrad-loading", daemon=True)
        self._done = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Import no more, and wait for what is being imported: Python may not end in the middle."""
        self._left = True
        with contextlib.suppress(RuntimeError):
            self._thread.join(5)

    def _load(self) -> None:
        try:
            self._import()
        except Exception:  # the entry that needs it says what is wrong
            pass
        finally:
            self._done.set()

    def _import(self) -> None:
        for name in (*_NEEDED, "", *_NEEDED_LATER):
            if self._left:
                return
            if name:
                importlib.import_module(name)
            else:
                from arcgrad.equation import compile_equation

                compile_equation("LSE[A]", mode="interpret")  # builds the parser

    def mode(self, session: Session) -> Callable[[], Mode]:
        """By what equations are evaluated: until all is imported, small ones by the interpreter, which needs less."""

        def choose() -> Mode:
            if not self._done.is_set() and sum(map(_size, session.inputs.values())) > _SMALL:
                self._done.wait(30)
            return "auto" if self._done.is_set() else "interpret"

        return choose


def _size(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_size, value))
    return int(getattr(value, "n_arcs", 0) or getattr(value, "size", 0) or 0) if not isinstance(value, float) else 0
