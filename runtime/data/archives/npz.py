"""arcgrad's own lossless archives: the arrays of several graphs in one .npz file, each as ``key/src.npy`` and so on.

The array ``arcgrad_archive`` is the form's version.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.archives.base import Archive, Entries
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.npz import Members, graph_arrays, graph_of, refused_zip

__all__ = ["ARCHIVE", "read", "write"]

_MARK = "arcgrad_archive"
_VERSION = 1


def read(stream: BinaryIO, file: str) -> Iterator[tuple[str, BareGraph]]:
    """Each key of an archive with its graph, read when it is asked for.

    Raises:
        FormatError: no such archive, or a damaged one.
    """
    with refused_zip(file):
        archive = zipfile.ZipFile(stream)
        names = [info.filename for info in archive.infolist()]
        members = Members(archive, file)
        if _MARK not in members:
            hint = "ag.load reads files of one graph" if "arcgrad_graph" in members else None
            raise FormatError("an .npz archive, but not of several arcgrad graphs", file=file, hint=hint)
        version = members.read(_MARK, n_axes=0)
        if version != _VERSION:
            raise FormatError(f"version {version} of the form; this arcgrad reads version {_VERSION}", file=file)
    mark = "/arcgrad_graph.npy"
    for key in [name.removesuffix(mark) for name in names if name.endswith(mark)]:
        with refused_zip(file):
            graph = graph_of(Members(archive, file, f"{key}/"), file)
        yield key, graph


def write(stream: BinaryIO, entries: Entries) -> None:
    """Write an archive, entry by entry; the same graphs give the same bytes.

    Raises:
        InputError: a key that occurs twice, or holds a zero byte.
    """
    keys: set[str] = set()
    with zipfile.ZipFile(stream, "w") as archive:
        _add(archive, _MARK, np.int64(_VERSION))
        for key, graph in entries:
            if key in keys or "\0" in key:
                raise InputError(f"the key {shown(key)} {'occurs twice' if key in keys else 'holds a zero byte'}")
            keys.add(key)
            for name, array in graph_arrays(graph).items():
                _add(archive, f"{key}/{name}", array)


def _add(archive: zipfile.ZipFile, name: str, array: Any) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), allow_pickle=False)
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())


ARCHIVE = Archive(
    name="npz",
    summary="arcgrad's own lossless form",
    suffix=".npz",
    read=read,
    write=write,
)
