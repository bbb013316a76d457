"""Graphs in files and texts: chooses the format, and reads and writes. The formats themselves are in ``formats/``."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import checked_path, decoded, encoded
from arcgrad.runtime.data.formats import Format, format_named, formats
from arcgrad.runtime.data.formats.base import warn_inexact
from arcgrad.runtime.data.formats.text import checked_options, writer_of
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["format_of", "load", "load_symbols", "own_tables", "replacing", "save"]

_OWN = "npz"
_KEEP_ATTRIBUTES = (_OWN, "json")


def load(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Graph:
    """Read a graph from a file.

    Args:
        path: the file.
        format: "gtn", "openfst" (its text form, costs negated), "fst" (its binary form), "k2", "arpa", "json" or
            "npz". None goes by the file's suffix: .gtn and .txt, .att (OpenFst's text), .fst, .k2, .arpa, .json, .npz;
            no suffix is arcgrad's own lossless form (npz), too.
        options: what ``Graph.from_text`` takes for that format: ``shift``, ``acceptor``, ``isymbols``, ``osymbols``,
            ``epsilon``, ``symbols``, ``backoff``. "fst" takes ``shift``, ``isymbols`` and ``osymbols``: tables in which
            the symbols that the file holds are looked up; ``ag.load_symbols`` gives the file's own.

    Raises:
        FormatError: the file is malformed; it names file, line and column, or the offset. Or its suffix is unknown.
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
    return Graph.from_topology(read.topology, read.weight, read.tie, read._attributes)


def save(path: str | os.PathLike[str], graph: Graph, format: str | None = None, **options: Any) -> None:
    """Write a graph to a file; a file that is there already is replaced in one step, or left whole if writing fails.

    Args:
        path: the file.
        graph: the graph.
        format: as for ``load``.
        options: what ``Graph.to_text`` takes for that format: ``shift``, ``isymbols``, ``osymbols``, ``epsilon``. For
            "fst", tables are stored with the graph, ``arc_type`` is "standard" (tropical, the default), "log" or
            "log64", ``fst_type`` "vector" (the default) or "const", and ``align=True`` makes a const graph mappable.

    Warns:
        UserWarning: the format cannot express this graph exactly and an equivalent one was written.

    Raises:
        InputError: no graph, no such format or option, or a label that the format cannot hold.
        FormatError: an unknown suffix.
        UnsupportedError: a form that is only read (.arpa).
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
    if isinstance(graph, Graph) and graph.attributes and chosen.name not in _KEEP_ATTRIBUTES:
        warn_inexact(f"the form {chosen.name!r}", ["attributes of arcs are left out"])
    data = _write(graph, chosen, options)
    with replacing(file) as stream:
        stream.write(data if isinstance(data, bytes) else encoded(data))


def _write(graph: Graph, chosen: Format, options: dict[str, Any]) -> str | bytes:
    if not isinstance(graph, Graph):
        hint = "dense inputs are written by .to_graph()" if hasattr(graph, "to_graph") else None
        raise InputError(f"graph is {kind_of(graph)}, but must be a Graph", hint=hint)
    return writer_of(chosen)(graph, **checked_options(chosen, options, chosen.options + chosen.write_options))


def load_symbols(
    path: str | os.PathLike[str], side: str = "input", format: str | None = None, **options: Any
) -> SymbolTable:
    """Read the table of symbols that a file holds beside its graph: OpenFst's binary form, an ARPA model's words.

    A file that is a table itself is read by ``ag.SymbolTable.load``.

    Args:
        path: the file.
        side: "input" or "output", whose labels the symbols are.
        format: as for ``load``.
        options: ``shift`` as for ``load``, so that the labels are those of the graph.

    Raises:
        FormatError: the file is malformed, or holds no such table.
        InputError: a format whose files hold none; no such side.
        OSError: the file cannot be read.

    Example:
        >>> import arcgrad as ag, tempfile, os
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "chain.fst")
        ...     ag.save(path, ag.linear([1, 2]), isymbols={"a": 1, "b": 2})
        ...     ag.load_symbols(path)
        SymbolTable(2 symbols: 'a' 1, 'b' 2)
    """
    if side not in ("input", "output"):
        raise InputError(f"side is {shown(side)}, but must be 'input' or 'output'")
    file = checked_path(path)
    chosen = _choose(file, format)
    if chosen.read_symbols is None:
        raise InputError(
            f"{file}: files in the format {chosen.name!r} hold no symbols",
            hint="a file that is a table itself is read by ag.SymbolTable.load",
        )
    checked = checked_options(chosen, options, tuple(name for name in chosen.options if name == "shift"))
    data = Path(file).read_bytes()
    return chosen.read_symbols(data if chosen.binary else decoded(data, file, _OTHER_FORM), file, side, **checked)


def own_tables(path: str, format: str | None = None) -> dict[str, SymbolTable]:
    """The tables of symbols that a file holds beside its graph, by the options that name them: isymbols, osymbols.

    Args:
        path: a file whose graph has been read.
        format: as for ``load``.
    """
    chosen = _choose(path, format)
    if chosen.read_symbols is None:
        return {}
    data = Path(path).read_bytes()
    given = data if chosen.binary else decoded(data, path, _OTHER_FORM)
    found = {}
    for name, side in (("isymbols", "input"), ("osymbols", "output")):
        try:
            found[name] = chosen.read_symbols(given, path, side)
        except FormatError:  # it has none, or one that is no table here: two symbols of one label
            continue
    return found


def format_of(path: str, format: str | None, source: str = "GRAPH") -> Format:
    """The format of a file to be written: as ``save`` chooses it.

    Args:
        path: the file.
        format: its name, or None.
        source: what the command line calls the graph, for the hint where a picture is wanted.

    Raises:
        FormatError: an unknown suffix.
        InputError: no such format.
    """
    return _choose(path, format, writing=True, source=source)


_OTHER_FORM = "a binary file of another form? name it with format="
_ARCHIVES = (".far", ".ark")
_DRAWN = (".svg", ".png", ".dot")
_DRAWINGS = (".svg", ".dot", ".gv", ".png", ".pdf")


def _choose(file: str, format: str | None, writing: bool = False, source: str = "GRAPH") -> Format:
    if format is not None:
        return format_named(format)
    suffix = os.path.splitext(file)[1].lower()
    for entry in formats().values():
        if suffix in entry.suffixes:
            return entry
    if not suffix:
        return formats()[_OWN]
    known = ", ".join(f"{' and '.join(entry.suffixes)} ({entry.summary})" for entry in formats().values())
    hint = "name the form: format=… in Python, --format … on the command line, a last word of :load"
    if suffix in _DRAWINGS and writing:
        picture = f"{os.path.splitext(os.path.basename(file))[0]}{suffix if suffix in _DRAWN else '.svg'}"
        hint = f"pictures are drawn by graph.draw({shown(picture)}), or by arcgrad draw {source} -o {picture}"
    if suffix in _ARCHIVES:
        hint = "archives are read by ag.load_all and ag.iter_all, and written by ag.save_all"
    raise FormatError(
        f"the suffix {suffix} names no form of graphs; known are {known}; no suffix is {_OWN}", file=file, hint=hint
    )


@contextmanager
def replacing(file: str) -> Iterator[BinaryIO]:
    """A stream whose bytes replace a file in one step once all are written; if something fails, the file stays."""
    # A link keeps pointing where it did: what it points to is replaced.
    target = os.path.realpath(file)
    temporary = f"{target}.{secrets.token_hex(6)}.tmp"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "wb") as stream:
            yield stream
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
