"""arcgrad's own lossless form: numpy's .npz archive of a graph's arrays, ties included. Nothing in it is ever executed.

Arrays: ``arcgrad_graph`` (the form's version), ``n_states``, ``src``, ``dst``, ``ilabel``, ``olabel`` (absent for
acceptors), ``start``, ``accept``, ``weight``, ``tie`` (absent where there is none).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.base import Format

__all__ = ["FORMAT", "read", "write"]

_VERSION = 1
_NEEDED = ("n_states", "src", "dst", "ilabel", "start", "accept", "weight")
_BROKEN = (ValueError, OSError, EOFError, KeyError, NotImplementedError, MemoryError, zipfile.BadZipFile, zlib.error)


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
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            if "arcgrad_graph" not in archive:
                raise FormatError("an .npz archive, but not of an arcgrad graph", file=file)
            version = archive["arcgrad_graph"]
            if not isinstance(version, np.ndarray) or version.shape != () or version != _VERSION:
                raise FormatError(f"version {version} of the form; this arcgrad reads version {_VERSION}", file=file)
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
            missing = [name for name in _NEEDED if name not in arrays]
            if missing:
                raise FormatError(f"the archive has no array {missing[0]!r}", file=file)
            if arrays["n_states"].shape != () or arrays["n_states"].dtype.kind not in "iu":
                raise FormatError("n_states must be an integer", file=file)
            return BareGraph(
                arrays["src"],
                arrays["dst"],
                arrays["ilabel"],
                arrays.get("olabel"),
                arrays["weight"],
                start=arrays["start"],
                accept=arrays["accept"],
                n_states=int(arrays["n_states"]),
                tie=arrays.get("tie"),
            )
    except FormatError:
        raise
    except InputError as error:
        raise FormatError(error.message, file=file, hint=error.hint) from None
    except _BROKEN as error:
        raise FormatError(f"a damaged .npz archive: {error}", file=file) from None


def write(graph: BareGraph) -> bytes:
    """The graph as an .npz archive; the same graph gives the same bytes."""
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
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


FORMAT = Format(
    name="npz",
    summary="arcgrad's own lossless form",
    suffixes=(".npz",),
    read=read,
    write=write,
    binary=True,
)
