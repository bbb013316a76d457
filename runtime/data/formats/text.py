"""Graphs as texts of other toolkits, and the options of formats, checked."""

from __future__ import annotations

from typing import Any

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.checks import LARGEST
from arcgrad.runtime.data.formats import Format, format_named
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["checked_options", "read_text", "write_text"]


def read_text(text: str, format: str, **options: Any) -> BareGraph:
    """Read a graph; ``Graph.from_text`` says what the arguments are and what raises."""
    chosen = _text_format(format)
    if not isinstance(text, str):
        raise InputError(f"text is {kind_of(text)}, but must be a str", hint="ag.load reads files")
    return chosen.read(text, "<text>", **checked_options(chosen, options, chosen.options + chosen.read_options))


def write_text(graph: BareGraph, format: str, **options: Any) -> str:
    """Write a graph; ``Graph.to_text`` says what the arguments are and what raises."""
    chosen = _text_format(format)
    text = chosen.write(graph, **checked_options(chosen, options, chosen.options))
    assert isinstance(text, str)
    return text


def _text_format(name: str) -> Format:
    chosen = format_named(name)
    if chosen.binary:
        raise InputError(f"format {name!r} is not text", hint="ag.load and ag.save read and write it as a file")
    return chosen


def checked_options(chosen: Format, options: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """The options, checked; ``shift=0`` means nothing and is dropped where the format has no shift."""
    checked = {name: value for name, value in options.items() if name in known or name != "shift" or value != 0}
    for name, value in checked.items():
        if name not in known:
            listed = f"takes {', '.join(known)}" if known else "takes none"
            raise InputError(f"format {chosen.name!r} has no option {name!r} here; it {listed}")
        if name == "shift":
            checked[name] = whole_number(value, "shift", f"an integer within ±{LARGEST}", -LARGEST, LARGEST)
        if name == "acceptor" and value is not None and not isinstance(value, bool):
            raise InputError(f"acceptor is {shown(value)}, but must be True, False or None")
        if name in ("isymbols", "osymbols") and value is not None and not isinstance(value, SymbolTable):
            checked[name] = SymbolTable(value)
    return checked
