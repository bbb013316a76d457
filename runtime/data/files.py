"""Graphs in files and texts: chooses the format, and reads and writes. The formats themselves are in ``formats/``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from arcgrad.grammar.errors import FormatError, InputError, UnsupportedError
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
    checked = checked_options(chosen, options, chosen.options + chosen.read_options)
    data = Path(file).read_bytes()
    read = chosen.read(data if chosen.binary else _decode(data, file), file, **checked)
    return Graph.from_topology(read.topology, read.weight, read.tie)


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


def _write(graph: Graph, chosen: Format, options: dict[str, Any]) -> str | bytes:
    if not isinstance(graph, Graph):
        hint = "dense inputs are written by .to_graph()" if hasattr(graph, "to_graph") else None
        raise InputError(f"graph is {type(graph).__name__}, but must be a Graph", hint=hint)
    return chosen.write(graph, **checked_options(chosen, options, chosen.options))


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


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise FormatError(
            f"not text: byte {data[error.start]:#04x} is not UTF-8",
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
