"""Graphs in files and texts: chooses the format, and reads and writes. The formats themselves are in ``formats/``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from arcgrad.grammar.errors import FormatError, InputError, UnsupportedError
from arcgrad.runtime.formats import Format, format_named, formats
from arcgrad.runtime.graph import Graph

__all__ = ["graph_from_text", "graph_to_text", "load", "save"]

_OWN = "npz"


def load(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Graph:
    """Read a graph from a file.

    Args:
        path: the file.
        format: "gtn", "openfst" (its text form, costs negated), "k2", "json" or "npz". None goes by the file's
            suffix: .gtn, .att (OpenFst's text), .k2, .json; any other is arcgrad's own lossless form (npz).
        options: what ``Graph.from_text`` takes for that format: ``shift``, ``acceptor``.

    Raises:
        FormatError: the file is malformed; it names file, line and column.
        UnsupportedError: a form that cannot be read yet (.fst, OpenFst's binary one).
        InputError: no such format or option.
        OSError: the file cannot be read.

    Example:
        >>> import arcgrad as ag, tempfile, os
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "chain.gtn")
        ...     ag.save(path, ag.linear([3, 1, 2]))
        ...     ag.load(path)
        Graph(4 states, 3 arcs, acceptor, start 0, accept 3)
    """
    file = os.fspath(path)
    chosen = _choose(file, format)
    checked = _options(chosen, options, chosen.options + chosen.read_options)
    data = Path(file).read_bytes()
    if chosen.binary:
        return chosen.read(data, file, **checked)
    return chosen.read(_decode(data, file), file, **checked)


def save(path: str | os.PathLike[str], graph: Graph, format: str | None = None, **options: Any) -> None:
    """Write a graph to a file; a file that is there already is replaced in one step, or left whole if writing fails.

    Args:
        path: the file.
        graph: the graph.
        format: as for ``load``.
        options: what ``Graph.to_text`` takes for that format: ``shift``.

    Warns:
        UserWarning: the format cannot express this graph exactly and an equivalent one was written.

    Raises:
        InputError: no graph, no such format or option, or a label that the format cannot hold.
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
    file = os.fspath(path)
    chosen = _choose(file, format)
    data = _write(graph, chosen, options)
    _replace(file, data if isinstance(data, bytes) else data.encode())


def graph_from_text(text: str, format: str, **options: Any) -> Graph:
    """``Graph.from_text``."""
    chosen = _text_format(format)
    if not isinstance(text, str):
        raise InputError(f"text is {type(text).__name__}, but must be a str", hint="ag.load reads files")
    return chosen.read(text, "<text>", **_options(chosen, options, chosen.options + chosen.read_options))


def graph_to_text(graph: Graph, format: str, **options: Any) -> str:
    """``Graph.to_text``."""
    text = _write(graph, _text_format(format), options)
    assert isinstance(text, str)
    return text


def _write(graph: Graph, chosen: Format, options: dict[str, Any]) -> str | bytes:
    if not isinstance(graph, Graph):
        hint = "dense inputs are written by .to_graph()" if hasattr(graph, "to_graph") else None
        raise InputError(f"graph is {type(graph).__name__}, but must be a Graph", hint=hint)
    return chosen.write(graph, **_options(chosen, options, chosen.options))


def _choose(file: str, format: str | None) -> Format:
    if format is not None:
        return format_named(format)
    suffix = os.path.splitext(file)[1].lower()
    if suffix == ".fst":
        raise UnsupportedError(
            f"{file}: OpenFst's binary form (.fst) cannot be read or written yet; its text form can",
            hint="fstprint x.fst > x.att, then ag.load('x.att'); and fstcompile x.att > x.fst",
        )
    return next((entry for entry in formats().values() if suffix in entry.suffixes), formats()[_OWN])


def _text_format(name: str) -> Format:
    chosen = format_named(name)
    if chosen.binary:
        raise InputError(f"format {name!r} is not text", hint="ag.load and ag.save read and write it as a file")
    return chosen


def _options(chosen: Format, options: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """The options, checked; ``shift=0`` means nothing and is dropped where the format has no shift."""
    checked = {name: value for name, value in options.items() if name in known or name != "shift" or value != 0}
    for name, value in checked.items():
        if name not in known:
            listed = f"takes {', '.join(known)}" if known else "takes none"
            raise InputError(f"format {chosen.name!r} has no option {name!r} here; it {listed}")
        if name == "shift" and (isinstance(value, bool) or not isinstance(value, int)):
            raise InputError(f"shift is {value!r}, but must be an integer")
        if name == "acceptor" and value is not None and not isinstance(value, bool):
            raise InputError(f"acceptor is {value!r}, but must be True, False or None")
    return checked


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise FormatError(
            f"not text: byte {data[error.start]:#04x} is no UTF-8",
            file=file,
            line=before.count(b"\n") + 1,
            column=error.start - (before.rfind(b"\n") + 1) + 1,
            hint="a binary file of another form? name it with format=",
        ) from None


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
