"""How entries are read: by prompt_toolkit, by Python's readline without it, or line by line from a file or pipe."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from arcgrad.repl.completion import CONTINUED, PROMPT, completions, is_open

if TYPE_CHECKING:
    from arcgrad.repl.session import Session

__all__ = ["CONTINUED", "PROMPT", "history_file", "make_reader"]

_COLOURS = {
    "comment": "italic ansibrightblack",
    "string": "ansigreen",
    "string.escape": "ansicyan",
    "string.symbol": "ansicyan",
    "string.affix": "ansimagenta",
    "number": "ansicyan",
    "operator": "ansiblue bold",
    "name.function": "ansimagenta",
    "name.constant": "ansicyan",
    "keyword": "ansiyellow bold",
    "error": "ansired underline",
}


def make_reader(session: Session, stdin: TextIO | None, output: TextIO) -> tuple[Callable[[str], str], list[str]]:
    """A function that shows a prompt and reads a line or more, and what to tell the user about it.

    It raises EOFError at the end of the input and KeyboardInterrupt for Ctrl-C.
    """
    if stdin is not None or not sys.stdin.isatty():
        return _plain(sys.stdin if stdin is None else stdin, None if stdin is None else output), []
    if os.environ.get("TERM") == "dumb":
        return input, []
    try:
        return _with_prompt_toolkit(session, output), []
    except ImportError:
        note = "line editing is Python's readline; `pip install arcgrad[repl]` adds colours and better completion"
        return _with_readline(session), [note]


def history_file(name: str) -> Path | None:
    """Where entries are kept between sessions, made for the user alone (0600); None where nothing can be."""
    from arcgrad.grammar.errors import ArcgradError
    from arcgrad.runtime.jit.directory import default_directory

    try:
        folder = default_directory()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / name
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except (OSError, ArcgradError):
        return None
    return path


def _plain(stream: TextIO, output: TextIO | None) -> Callable[[str], str]:
    """Without an output, no prompts: what was piped in is a script."""

    def read(prompt: str) -> str:
        if output is not None:
            print(prompt, end="", file=output, flush=True)
        try:
            line = stream.readline()
        except (OSError, ValueError):  # closed, or a terminal that went away
            raise EOFError from None
        if not line:
            raise EOFError
        return line.rstrip("\n")

    return read


def _with_readline(session: Session) -> Callable[[str], str]:
    try:
        import readline
    except ImportError:
        return input
    path = history_file("history-readline")
    if path is not None:
        import atexit

        with contextlib.suppress(OSError):
            readline.read_history_file(path)
        readline.set_history_length(2000)

        def keep() -> None:
            with contextlib.suppress(OSError):
                readline.write_history_file(path)

        atexit.register(keep)
    found: list[str] = []

    def complete(word: str, state: int) -> str | None:
        if state == 0:
            before = readline.get_line_buffer()[: readline.get_endidx()]
            begin = readline.get_begidx()
            found[:] = [before[begin : each.start] + each.text for each in completions(before, session)
                        if each.start >= begin]  # fmt: skip
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n()[]{}<>⟨⟩+*?∘∩&|,;=:@")
    libedit = "libedit" in (getattr(readline, "__doc__", None) or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    return input


def _with_prompt_toolkit(session: Session, output: TextIO) -> Callable[[str], str]:
    import asyncio

    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.completion import Completion as Offered
    from prompt_toolkit.filters import Condition, has_completions
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.lexers import Lexer
    from prompt_toolkit.styles import Style

    encoding = getattr(output, "encoding", None) or "utf-8"

    class Names(Completer):  # type: ignore[misc,unused-ignore]
        def get_completions(self, document: Any, event: Any) -> Iterable[Any]:
            text = document.text_before_cursor
            for each in completions(text, session, encoding):
                yield Offered(each.text, start_position=each.start - len(text), display_meta=each.meaning)

    class Colours(Lexer):  # type: ignore[misc,unused-ignore]
        def lex_document(self, document: Any) -> Callable[[int], Any]:
            from arcgrad.lexer import tokens

            lines: list[list[tuple[str, str]]] = [[]]
            for _, kind, word in tokens(document.text):
                for number, part in enumerate(word.split("\n")):
                    if number:
                        lines.append([])
                    lines[-1].append((f"class:{kind.lower()}", part))
            return lambda number: lines[number] if number < len(lines) else []

    keys = KeyBindings()

    @Condition
    def goes_on() -> bool:
        buffer = prompt.default_buffer
        document = buffer.document
        done = not document.is_cursor_at_the_end or not document.current_line.strip()
        return is_open(buffer.text) and not (done and document.line_count > 1)

    @keys.add("enter", filter=goes_on)
    def _(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("escape", "enter")
    def _(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("tab", filter=~has_completions)
    def _(event: Any) -> None:
        """At once where there is one way to go on, also for who types on without waiting."""
        buffer = event.current_buffer
        text = buffer.document.text_before_cursor
        found = completions(text, session, encoding)
        texts = {each.text for each in found}
        if len(texts) == 1:
            buffer.delete_before_cursor(len(text) - found[0].start)
            buffer.insert_text(found[0].text)
        elif texts:
            buffer.start_completion(insert_common_part=True)

    path = history_file("history")
    history: History = InMemoryHistory() if path is None else FileHistory(str(path))
    colours = {} if os.environ.get("NO_COLOR") else _COLOURS
    prompt: PromptSession[str] = PromptSession(
        history=history,
        completer=Names(),
        complete_while_typing=False,
        lexer=Colours(),
        style=Style.from_dict(colours),
        include_default_pygments_style=False,
        key_bindings=keys,
        multiline=False,
        prompt_continuation=CONTINUED,
        enable_history_search=False,
        mouse_support=False,
    )
    # One loop for all prompts: a new one each time leaves garbage whose finalizers are Python, and an interrupt of a
    # long evaluation that is raised within one of these is lost.
    loop = asyncio.new_event_loop()

    def leave() -> None:
        future = prompt.app.future
        if future is not None and not future.done():
            prompt.app.exit(exception=KeyboardInterrupt())

    def read(shown: str) -> str:
        # Ctrl-C while the terminal is not yet in raw mode, or no longer: an exception would break the editor.
        is_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(leave)) if is_main else None
        try:
            return loop.run_until_complete(prompt.prompt_async(shown, handle_sigint=False))
        finally:
            if is_main:
                signal.signal(signal.SIGINT, before)

    return read
