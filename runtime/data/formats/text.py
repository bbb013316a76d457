"""Graphs as texts of other toolkits, and the options of formats, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError, UnsupportedError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.checks import LARGEST
from arcgrad.runtime.data.formats import Format, format_named
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["checked_options", "read_text", "write_text", "writer_of"]


def read_text(text: str, format: str, **options: Any) -> BareGraph:
    """Read a graph; ``Graph.from_text`` says what the arguments are and what raises."""
    chosen = _text_format(format)
    if not isinstance(text, str):
        raise InputError(f"text is {kind_of(text)}, but must be a str", hint="ag.load reads files")
    return chosen.read(text, "<text>", **checked_options(chosen, options, chosen.options + chosen.read_options))


def write_text(graph: BareGraph, format: str, **options: Any) -> str:
    """Write a graph; ``Graph.to_text`` says what the arguments are and what raises."""
    chosen = _text_format(format)
    text = writer_of(chosen)(graph, **checked_options(chosen, options, chosen.options + chosen.write_options))
    assert isinstance(text, str)
    return text


def writer_of(chosen: Format) -> Callable[..., str | bytes]:
    """What writes a format.

    Raises:
        UnsupportedError: nothing does.
    """
    if chosen.write is None:
        raise UnsupportedError(f"{chosen.summary} ({chosen.name}) is read and not written")
    return chosen.write


def _text_format(name: str) -> Format:
    chosen = format_named(name)
    if chosen.binary:
        raise InputError(f"format {name!r} is not text", hint="ag.load and ag.save read and write it as a file")
    return chosen


class HasName(Protocol):
    """A format, of one graph or of several."""

    @property
    def name(self) -> str:
        """What users call it."""


def checked_options(chosen: HasName, options: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """The options, checked; ``shift=0`` means nothing and is dropped where the format has no shift."""
    checked = {name: value for name, value in options.items() if name in known or name != "shift" or value != 0}
    for name, value in checked.items():
        if name not in known:
            listed = f"takes {', '.join(known)}" if known else "takes none"
            raise InputError(f"format {chosen.name!r} has no option {name!r} here; it {listed}")
        if name in _CHOICES:
            if not any(value is choice or (isinstance(value, str) and value == choice) for choice in _CHOICES[name]):
                *most, last = map(repr, _CHOICES[name])
                raise InputError(f"{name} is {shown(value)}, but must be {', '.join(most)} or {last}")
        elif name == "shift":
            checked[name] = whole_number(value, "shift", f"an integer within ±{LARGEST}", -LARGEST, LARGEST)
        elif name == "epsilon":
            checked[name] = _epsilons(value)
        elif name == "limits":
            if value is not None and not isinstance(value, Limits):
                raise InputError(f"limits is {shown(value)}, but limits are ag.Limits(…)")
        elif name.endswith("symbols") and value is not None and not isinstance(value, SymbolTable):
            checked[name] = SymbolTable(value)
    return checked


_CHOICES: dict[str, tuple[Any, ...]] = {
    "acceptor": (True, False, None),
    "align": (True, False),
    "arc_type": ("standard", "log", "log64"),
    "backoff": ("epsilon", "exact"),
    "far_type": ("sttable", "stlist"),
    "fst_type": ("vector", "const"),
}


def _epsilons(value: Any) -> tuple[int | None, int | None]:
    """The file's label of ε on each side; None where no label of the file is ε."""
    sides = value if isinstance(value, (tuple, list)) else (value, value)
    if len(sides) != 2:
        raise InputError(f"epsilon is {shown(value)}, but must be one label or None, or a pair of these")
    expected = f"a label from 0 to {LARGEST}, or None, on each side"
    first, second = (None if side is None else whole_number(side, "epsilon", expected, 0, LARGEST) for side in sides)
    return first, second
