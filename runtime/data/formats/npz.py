"""arcgrad's own lossless form: numpy's .npz archive of a graph's arrays, ties included. Nothing in it is ever executed.

Arrays: ``arcgrad_graph`` (the form's version), ``n_states``, ``src``, ``dst``, ``ilabel``, ``olabel`` (absent for
acceptors), ``start``, ``accept``, ``weight``, ``tie`` and ``attributes`` (absent where there are none).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.checks import LARGEST, states_count
from arcgrad.runtime.data.formats.arrays import read_array
from arcgrad.runtime.data.formats.base import Format

__all__ = ["FORMAT", "Members", "graph_arrays", "graph_of", "read", "refused_zip", "write"]

_VERSION = 1


def read(data: bytes, file: str = "<bytes>") -> BareGraph:
    """The graph in an .npz archive; pickled objects are refused.

    Raises:
        FormatError: no such archive, or a damaged one.
    """
    if not data.startswith(b"PK"):
        found = "is empty" if not data else f"begins with {data[:8]!r}"
        raise FormatError(
            f"not arcgrad's own .npz form: the file {found}",
            file=file,
            hint="name another form with format=, or by a suffix (.gtn, .att for OpenFst's text, .k2, .json)",
        )
    with refused_zip(file), zipfile.ZipFile(io.BytesIO(data)) as archive:
        return graph_of(Members(archive, file), file)


@contextmanager
def refused_zip(file: str) -> Iterator[None]:
    """Turn whatever reading a damaged archive raises into FormatError."""
    try:
        yield
    except FormatError:
        raise
    except InputError as error:
        raise FormatError(error.message, file=file, hint=error.hint) from None
    except Exception as error:  # zipfile raises whatever a damaged archive makes of it
        raise FormatError(f"a damaged .npz archive: {error or type(error).__name__}", file=file) from None


class Members:
    """The arrays of an archive whose names begin with ``prefix``, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, file: str, prefix: str = "") -> None:
        self._archive = archive
        self._prefix = prefix
        self._file = file
        self._known = archive.NameToInfo

    def __contains__(self, name: str) -> bool:
        return f"{self._prefix}{name}.npy" in self._known

    def read(self, name: str, kinds: str = "iu", n_axes: int = 1, most: int = LARGEST) -> NDArray[Any]:
        if name not in self:
            raise FormatError(f"the archive has no array {name!r}", file=self._file)
        info = self._known[f"{self._prefix}{name}.npy"]
        with self._archive.open(info) as stream:
            return read_array(stream, info.file_size, self._file, name, kinds, (n_axes,), most)


def graph_of(members: Members, file: str) -> BareGraph:
    """The graph that the arrays of an archive make; raises FormatError or InputError where they make none."""
    if "arcgrad_graph" not in members:
        hint = "ag.load_all reads files of several graphs" if "arcgrad_archive" in members else None
        raise FormatError("an .npz archive, but not of an arcgrad graph", file=file, hint=hint)
    version = members.read("arcgrad_graph", n_axes=0)
    if version != _VERSION:
        raise FormatError(f"version {version} of the form; this arcgrad reads version {_VERSION}", file=file)
    n_states = states_count(int(members.read("n_states", n_axes=0)))
    src = members.read("src")
    # What does not fit is not read to be refused: no array but the weights of tied arcs is longer than these.
    dst, ilabel = members.read("dst", most=len(src)), members.read("ilabel", most=len(src))
    return BareGraph(
        src,
        dst,
        ilabel,
        members.read("olabel", most=len(src)) if "olabel" in members else None,
        members.read("weight", "fiu", most=LARGEST if "tie" in members else len(src)),
        start=members.read("start", most=n_states),
        accept=members.read("accept", most=n_states),
        n_states=n_states,
        tie=members.read("tie", most=len(src)) if "tie" in members else None,
        attributes=json.loads(members.read("attributes").tobytes()) if "attributes" in members else None,
    )


def write(graph: BareGraph) -> bytes:
    """The graph as an .npz archive; the same graph gives the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **graph_arrays(graph))
    return buffer.getvalue()


def graph_arrays(graph: BareGraph) -> dict[str, Any]:
    """A graph's arrays as archives hold them, by name."""
    arrays: dict[str, Any] = {
        "arcgrad_graph": np.int64(_VERSION),
        "n_states": np.int64(graph.n_states),
        "src": graph.src,
        "dst": graph.dst,
        "ilabel": graph.ilabel,
        "start": graph.start,
        "accept": graph.accept,
        "weight": graph.weight,
    }
    if not graph.is_acceptor:
        arrays["olabel"] = graph.olabel
    if graph.tie is not None:
        arrays["tie"] = graph.tie
    if graph.attributes:  # as JSON, since NumPy keeps strings at the length of the longest
        text = json.dumps({name: values.tolist() for name, values in graph.attributes.items()})
        arrays["attributes"] = np.frombuffer(text.encode(), dtype=np.uint8)
    return arrays


FORMAT = Format(
    name="npz",
    summary="arcgrad's own lossless form",
    suffixes=(".npz",),
    read=read,
    write=write,
    binary=True,
)
