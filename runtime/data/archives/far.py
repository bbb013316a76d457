"""OpenFst's archives (``farcreate``, ``pynini.Far``): STTable, with an index at its end, and STList, without.

magic number, version
key, graph in OpenFst's binary form       in the order of the keys' bytes
STTable: offsets of the entries, and how many; STList: an empty key
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.archives.base import Archive, Entries, checked_key
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.fst import FstOptions, graph_at, graph_bytes
from arcgrad.runtime.data.formats.fst_bytes import Cursor

__all__ = ["ARCHIVE", "read", "write"]

_MAGIC = {"sttable": 2125656924, "stlist": 5656924}
_VERSION = 1


def read(stream: BinaryIO, file: str, **options: Any) -> Iterator[tuple[str, BareGraph]]:
    """Each key of an archive with its graph. The file's bytes are held; graphs are made one at a time.

    Raises:
        FormatError: the archive is malformed; it names the offset.
    """
    cursor = Cursor(stream.read(), file)
    magic = cursor.int32("the magic number of an archive")
    if magic not in _MAGIC.values():
        cursor.fail(
            f"expected an archive of OpenFst, STTable or STList, but found {cursor.data[:8]!r}",
            0,
            hint="ag.load reads files of one graph",
        )
    version = cursor.int32("the version of the archive")
    if version != _VERSION:
        cursor.fail(f"version {version} of archives is not known", 4)
    entries = _indexed(cursor) if magic == _MAGIC["sttable"] else _listed(cursor)
    for key in entries:
        yield key, graph_at(cursor, **options)


def _indexed(cursor: Cursor) -> Iterator[str]:
    """The keys of an STTable; whoever takes one reads its graph, too."""
    n_bytes = len(cursor.data)
    last = Cursor(cursor.data, cursor.file, max(n_bytes - 8, 8))
    count = last.int64("the number of entries, at the end,")
    index = n_bytes - 8 * (count + 2)
    if count < 0 or index < 8:
        cursor.fail(f"the archive ends with the number {count} of its entries, which do not fit", n_bytes - 8)
    places = np.frombuffer(cursor.data, "<i8", count + 1, index)
    if places[0] != count:
        cursor.fail(f"the index has {places[0]} entries, but the archive's end says {count}", index)
    ends = np.append(places[2:], index) if count else places[:0]
    for at, end in zip(places[1:].tolist(), ends.tolist(), strict=True):
        if at != cursor.at:
            cursor.fail(f"the index says that the next entry begins at byte {at}")
        yield _key(cursor)
        if cursor.at != end:
            cursor.fail(f"the graph ends here, but the index says that the next entry begins at byte {end}")
    if cursor.at != index:
        cursor.fail(f"the entries end here, but the index begins at byte {index}")


def _listed(cursor: Cursor) -> Iterator[str]:
    while key := _key(cursor):
        yield key
    if cursor.left:
        cursor.fail(f"the list ends here, but {cursor.left} bytes follow")


def _key(cursor: Cursor) -> str:
    at = cursor.at
    return cursor.word("the key", at, cursor.string("the key"))


def write(stream: BinaryIO, entries: Entries, *, far_type: str = "sttable", **options: Any) -> None:
    """Write an archive, entry by entry.

    Raises:
        InputError: a key that is not behind the one before it, or a graph that OpenFst's form cannot hold.
    """
    chosen = FstOptions(**options)
    stream.write(struct.pack("<ii", _MAGIC[far_type], _VERSION))
    places: list[int] = []
    before = b""
    for key, graph in entries:
        raw = checked_key(key, "an archive of OpenFst", "\0").encode()
        if places and raw <= before:
            raise InputError(
                f"the key {shown(key)} comes after {before.decode()!r}, but OpenFst's archives are sorted by key",
                hint="give a dict, which is sorted here",
            )
        before = raw
        places.append(stream.tell())
        stream.write(struct.pack("<i", len(raw)) + raw)
        stream.write(graph_bytes(graph, chosen, stream.tell()))
    if far_type == "sttable":
        count = len(places)
        stream.write(struct.pack(f"<{count + 2}q", count, *places, count))
    else:
        stream.write(struct.pack("<i", 0))


ARCHIVE = Archive(
    name="far",
    summary="OpenFst's archives",
    suffix=".far",
    read=read,
    write=write,
    options=("shift", "isymbols", "osymbols"),
    write_options=("far_type", "arc_type", "fst_type", "align"),
    is_sorted=True,
)
