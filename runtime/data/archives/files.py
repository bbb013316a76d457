"""Archives in files: chooses the form, and reads and writes several graphs, each under its key."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.archives import far, kaldi, npz
from arcgrad.runtime.data.archives.base import Archive
from arcgrad.runtime.data.arguments import checked_path
from arcgrad.runtime.data.files import replacing
from arcgrad.runtime.data.formats import formats
from arcgrad.runtime.data.formats.text import checked_options
from arcgrad.runtime.data.graph import Graph

__all__ = ["iter_all", "load_all", "save_all"]

_ARCHIVES = (far.ARCHIVE, kaldi.ARCHIVE, npz.ARCHIVE)


def load_all(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> dict[str, Graph]:
    """Read all graphs of an archive.

    Args:
        path: the file.
        format: "far" (OpenFst's archives), "kaldi" (its text archives) or "npz" (arcgrad's own). None goes by the
            file's suffix: .far, .ark, .npz.
        options: what ``ag.load`` takes for graphs in OpenFst's forms: ``shift``, ``isymbols``, ``osymbols``, and for
            "kaldi" ``acceptor``.

    Returns:
        Each key with its graph, in the order of the file.

    Raises:
        FormatError: the file is malformed, has a key twice, or an unknown suffix.
        InputError: no name of a file, no such format or option.
        OSError: the file cannot be read.

    Example:
        >>> import arcgrad as ag, tempfile, os
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "words.far")
        ...     ag.save_all(path, {"ab": ag.linear([1, 2]), "b": ag.linear([2])})
        ...     graphs = ag.load_all(path)
        >>> list(graphs)
        ['ab', 'b']
        >>> graphs["ab"]
        Graph(3 states, 2 arcs, acceptor, start 0, accept 2)
    """
    found: dict[str, Graph] = {}
    for key, graph in iter_all(path, format, **options):
        if key in found:
            raise FormatError(f"the key {key!r} occurs twice", file=checked_path(path), hint="ag.iter_all gives both")
        found[key] = graph
    return found


def iter_all(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Iterator[tuple[str, Graph]]:
    """Read an archive graph by graph, so that only one of them is in memory at a time (of OpenFst's, also the bytes).

    Args:
        path: the file.
        format: as for ``load_all``.
        options: as for ``load_all``.

    Yields:
        A key and its graph, in the order of the file.

    Raises:
        FormatError: where reading comes to something malformed, or at once for an unknown suffix.
        InputError: no name of a file, no such format or option.
        OSError: the file cannot be read.

    Example:
        >>> import arcgrad as ag, tempfile, os
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "words.ark")
        ...     ag.save_all(path, ((f"u{n}", ag.linear([1] * n)) for n in range(3)))
        ...     [(key, graph.n_arcs) for key, graph in ag.iter_all(path)]
        [('u0', 0), ('u1', 1), ('u2', 2)]
    """
    file = checked_path(path)
    chosen = _choose(file, format)
    checked = checked_options(chosen, options, chosen.options + chosen.read_options)
    return _entries(file, chosen, checked)


def _entries(file: str, chosen: Archive, options: dict[str, Any]) -> Iterator[tuple[str, Graph]]:
    with open(file, "rb") as stream:
        for key, read in chosen.read(stream, file, **options):
            yield key, Graph.from_topology(read.topology, read.weight, read.tie)


def save_all(
    path: str | os.PathLike[str],
    graphs: Mapping[str, Graph] | Iterable[tuple[str, Graph]],
    format: str | None = None,
    **options: Any,
) -> None:
    """Write several graphs into one file; a file that is there already is replaced in one step, or left whole.

    Args:
        path: the file.
        graphs: each key with its graph, as a dict or as pairs, which are written as they come, so that a generator's
            graphs need not be in memory at once. OpenFst's archives are sorted by key: a dict is sorted, pairs must be.
        format: as for ``load_all``.
        options: what ``ag.save`` takes for graphs in OpenFst's forms; for "far", ``far_type`` is "sttable" (with an
            index, the default) or "stlist".

    Warns:
        UserWarning: as ``ag.save``.

    Raises:
        InputError: a key that the form cannot hold, or that occurs twice; something that is no graph; as ``ag.save``.
        FormatError: an unknown suffix.
        OSError: the file cannot be written.

    Example:
        >>> import arcgrad as ag, tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "words.ark")
        ...     ag.save_all(path, {"ab": ag.linear([1, 2])})
        ...     print(path.read_text().replace(" \\n", "\\n").expandtabs(2))
        ab
        0 1 1 1
        1 2 2 2
        2
        <BLANKLINE>
    """
    if isinstance(path, (Mapping, list)):
        raise InputError("ag.save_all takes the path first", hint="write ag.save_all(path, graphs)")
    file = checked_path(path)
    chosen = _choose(file, format)
    checked = checked_options(chosen, options, chosen.options + chosen.write_options)
    pairs: Any = graphs
    if isinstance(graphs, Mapping):
        pairs = graphs.items()
        if chosen.is_sorted and all(isinstance(key, str) for key in graphs):
            pairs = sorted(pairs, key=lambda pair: pair[0].encode("utf-8", "surrogatepass"))
    elif isinstance(graphs, Graph) or not isinstance(graphs, Iterable):
        hint = "ag.save writes one graph" if isinstance(graphs, Graph) else None
        raise InputError(f"graphs is {kind_of(graphs)}, but must be a dict or pairs of keys and graphs", hint=hint)
    with replacing(file) as stream:
        chosen.write(stream, _checked(pairs), **checked)


def _checked(pairs: Iterable[Any]) -> Iterator[tuple[str, Graph]]:
    for number, pair in enumerate(pairs):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(f"graphs[{number}] is {shown(pair)}, but must be a pair of a key and a graph")
        key, graph = pair
        if not isinstance(key, str):
            raise InputError(f"the key {shown(key)} is {kind_of(key)}, but must be a str")
        if not isinstance(graph, Graph):
            hint = "dense inputs are written by .to_graph()" if hasattr(graph, "to_graph") else None
            raise InputError(f"graphs[{key!r}] is {kind_of(graph)}, but must be a Graph", hint=hint)
        try:
            key.encode()
        except UnicodeEncodeError:
            raise InputError(f"the key {shown(key)} is no text: it has half a surrogate pair") from None
        yield key, graph


def _choose(file: str, format: str | None) -> Archive:
    known = {archive.name: archive for archive in _ARCHIVES}
    if format is not None:
        if isinstance(format, str) and format in known:
            return known[format]
        raise InputError(f"no format of archives {shown(format)}; there are {', '.join(map(repr, known))}")
    suffix = os.path.splitext(file)[1].lower()
    for archive in _ARCHIVES:
        if suffix == archive.suffix:
            return archive
    listed = ", ".join(f"{archive.suffix} ({archive.summary})" for archive in _ARCHIVES)
    single = any(suffix in entry.suffixes for entry in formats().values())
    hint = "ag.load and ag.save are for files of one graph" if single else "name the form: format=…"
    raise FormatError(f"the suffix {suffix} names no form of archives; known are {listed}", file=file, hint=hint)
