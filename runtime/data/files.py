"""Graphs in files and texts: chooses the format, and reads and writes. The formats themselves are in ``formats/``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from arcgrad.grammar.errors import FormatError, InputError, UnsupportedError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import checked_path, decoded
from arcgrad.runtime.data.formats import Format, format_named, formats
from arcgrad.runtime.data.formats.text import checked_options
from arcgrad.runtime.data.graph import Graph

__all__ = ["load", "save"]

_OWN = "npz"


def load(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Graph:
    """Read a graph from a file.

    Args:
        path: the file.
        format: "gtn", "openfst" (its text form, costs negated), "k2", "json" or "npz". None goes by the file's
            suffix: .gtn and .txt, .att (OpenFst's text), .k2, .json, .npz; no suffix is arcgrad's own lossless form
            (npz), too.
        options: what ``Graph.from_text`` takes for that format: ``shift``, ``acceptor``, ``isymbols``, ``osymbols``.

    Raises:
        FormatError: the file is malformed; it names file, line and column. Or its suffix is unknown.
        UnsupportedError: a form that cannot be read yet (.fst, OpenFst's binary one, and .arpa).
        InputError: no name of a file, no such format or option.
        OSError: the file cannot be read.

    Example:
        >>> import arcgrad as ag, tempfile, os
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "chain.gtn")
        ...     ag.save(path, ag.linear([3, 1, 2]))
        ...     ag.load(path)
        Graph(4 states, 3 arcs, acceptor, start 0, accept 3)
    """
    file = checked_path(path)
    chosen = _choose(file, format)
    checked = checked_options(chosen, options, chosen.options + chosen.read_options)
    data = Path(file).read_bytes()
    read = chosen.read(data if chosen.binary else decoded(data, file, _OTHER_FORM), file, **checked)
    return Graph.from_topology(read.topology, read.weight, read.tie)


def save(path: str | os.PathLike[str], graph: Graph, format: str | None = None, **options: Any) -> None:
    """Write a graph to a file; a file that is there already is replaced in one step, or left whole if writing fails.

    Args:
        path: the file.
        graph: the graph.
        format: as for ``load``.
        options: what ``Graph.to_text`` takes for that format: ``shift``, ``isymbols``, ``osymbols``.

    Warns:
        UserWarning: the format cannot express this graph exactly and an equivalent one was written.

    Raises:
        InputError: no graph, no such format or option, or a label that the format cannot hold.
        FormatError: an unknown suffix.
        UnsupportedError: a form that cannot be written yet (.fst).
        OSError: the file cannot be written.

    Example:
        >>> import arcgrad as ag, tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "chain.att")
        ...     ag.save(path, ag.linear([3, 1]))
        ...     print(path.read_text(), end="")
        0 1 3 3
        1 2 1 1
        2
    """
    if isinstance(path, Graph):
        raise InputError("ag.save takes the path first", hint="write ag.save(path, graph)")
    file = checked_path(path)
    chosen = _choose(file, format, writing=True)
    data = _write(graph, chosen, options)
    _replace(file, data if isinstance(data, bytes) else data.encode())


def _write(graph: Graph, chosen: Format, options: dict[str, Any]) -> str | bytes:
    if not isinstance(graph, Graph):
        hint = "dense inputs are written by .to_graph()" if hasattr(graph, "to_graph") else None
        raise InputError(f"graph is {kind_of(graph)}, but must be a Graph", hint=hint)
    return chosen.write(graph, **checked_options(chosen, options, chosen.options))


_OTHER_FORM = "a binary file of another form? name it with format="
# Forms to come, and what does meanwhile.
_LATER = {
    ".fst": ("OpenFst's binary form", "fstprint x.fst > x.att, then ag.load('x.att'); and fstcompile x.att > x.fst"),
    ".arpa": ("the ARPA form of language models", "convert it to OpenFst's text form, .att"),
}
_DRAWINGS = (".svg", ".dot", ".gv", ".png", ".pdf")


def _choose(file: str, format: str | None, writing: bool = False) -> Format:
    if format is not None:
        return format_named(format)
    suffix = os.path.splitext(file)[1].lower()
    if suffix in _LATER:
        form, hint = _LATER[suffix]
        raise UnsupportedError(f"{file}: {form} ({suffix}) cannot be read or written yet", hint=hint)
    for entry in formats().values():
        if suffix in entry.suffixes:
            return entry
    if not suffix:
        return formats()[_OWN]
    known = ", ".join(f"{' and '.join(entry.suffixes)} ({entry.summary})" for entry in formats().values())
    hint = "name the form: format=… in Python, --format … on the command line, a last word of :load"
    if suffix in _DRAWINGS and writing:
        hint = f"drawings will be made by graph.draw({shown(os.path.basename(file))}), which is not implemented yet"
    raise FormatError(
        f"the suffix {suffix} names no form of graphs; known are {known}; no suffix is {_OWN}", file=file, hint=hint
    )


def _replace(file: str, data: bytes) -> None:
    # A link keeps pointing where it did: what it points to is replaced.
    target = os.path.realpath(file)
    temporary = f"{target}.{secrets.token_hex(6)}.tmp"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
