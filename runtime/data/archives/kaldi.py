"""Kaldi's text archives of graphs (``ark,t:``): a key on a line, the graph in OpenFst's text format, an empty line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from arcgrad.grammar.errors import FormatError
from arcgrad.runtime.data.archives.base import Archive, Entries, checked_key
from arcgrad.runtime.data.arguments import decoded, encoded
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats import openfst
from arcgrad.runtime.data.formats.lines import Line

__all__ = ["ARCHIVE", "read", "write"]


def read(stream: BinaryIO, file: str, **options: Any) -> Iterator[tuple[str, BareGraph]]:
    """Each key of an archive with its graph, line by line.

    Raises:
        FormatError: the archive is malformed; it names line and column.
    """
    key: Line | None = None
    lines: list[Line] = []
    for number, raw in enumerate(stream, 1):
        line = Line(file, number, _text(raw, file, number))
        if key is None:
            if not line.fields:
                continue
            if len(line.fields) > 1:
                line.fail(f"expected a key alone on its line, but found {len(line.fields)} fields", 1)
            key = line
        elif line.fields:
            lines.append(line)
        else:
            yield key.fields[0], openfst.read_lines(lines, **options)
            key, lines = None, []
    if key is not None:
        yield key.fields[0], openfst.read_lines(lines, **options)


def _text(raw: bytes, file: str, number: int) -> str:
    if b"\0" in raw:
        raise FormatError(
            "a binary archive of Kaldi's, but only its text form is read",
            file=file,
            line=number,
            column=raw.index(b"\0") + 1,
            hint="write it as ark,t:… with fstcopy",
        )
    try:
        return decoded(raw, file).rstrip("\r\n")
    except FormatError as error:
        message = error.message.partition(": ")[2]
        raise FormatError(message, file=file, line=number, column=error.column) from None


def write(stream: BinaryIO, entries: Entries, **options: Any) -> None:
    """Write an archive, entry by entry.

    Raises:
        InputError: a key that is no word, or a label that OpenFst's text cannot hold.
    """
    for key, graph in entries:
        checked_key(key, "an archive of Kaldi's", " \t\r\n\0")
        stream.write(encoded(f"{key} \n{openfst.write(graph, **options)}\n"))


ARCHIVE = Archive(
    name="kaldi",
    summary="Kaldi's text archives",
    suffix=".ark",
    read=read,
    write=write,
    options=openfst.FORMAT.options,
    read_options=openfst.FORMAT.read_options,
)
