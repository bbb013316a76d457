"""What the command line and the REPL share: inputs read from words a user types; values, gradients, errors printed."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

__all__ = ["coloured", "describe_error", "number_text", "read_input", "show_gradient", "show_value", "warnings_to"]

_MOST_LINES = 200


def read_input(word: str, format: str | None = None, symbols: Any = None, **tables: Any) -> Any:
    """The input of an equation that a word stands for.

    Args:
        word: a number; a label mapping ``1:2,3:4``; an expression of literals such as ``"cat" + "dog"``; or the name of
            a file, ``-`` for the standard input. ``.npy`` holds an array: scores (T, C) or
            (B, T, C) of a dense input, or a number, or (B,) numbers. Any other file holds a graph.
        format: of graph files; None goes by the suffix, as ``ag.load`` does.
        symbols: the table in which literals look up labels; None: Unicode code points.
        tables: ``isymbols`` and ``osymbols`` of files in OpenFst's forms.

    Raises:
        InputError: the file does not hold what was expected.
        OSError: it cannot be read.
    """
    try:
        return float(word)
    except ValueError:
        pass
    if word == "-":
        return _read_stdin(format, tables)
    if not os.path.exists(word):
        from arcgrad.explore.inputs import MAPPING, is_expression, read_expression, read_mapping

        if MAPPING.fullmatch(word):
            return read_mapping(word)
        if is_expression(word):
            return read_expression(word, symbols)
    suffix = os.path.splitext(word)[1].lower()
    if suffix == ".npy":
        return _read_array(word)
    from arcgrad.runtime.data.files import load

    if symbols is not None and os.path.exists(word):
        _warn_of_other_tables(word, format, symbols, tables)
    return load(word, format, **(tables if (format or suffix) in ("openfst", "att", ".att", "fst", ".fst") else {}))


def _warn_of_other_tables(file: str, format: str | None, symbols: Any, given: Mapping[str, Any]) -> None:
    """Warn where a file has a table of symbols that gives other labels than the table in use."""
    from arcgrad.grammar.errors import ArcgradError
    from arcgrad.runtime.data.files import own_tables

    try:
        own = own_tables(file, format)
    except ArcgradError:  # reading the graph says what is wrong
        return
    for option, table in own.items():
        other = next((s for s in table if s in symbols and symbols[s] != table[s]), None)
        if option not in given and other is not None:
            warnings.warn(
                f"{file}: {other!r} has label {table[other]} in the file's own table of symbols, but "
                f"{symbols[other]} in --symbols; the file's labels stay as they are "
                f"(--{option} with the same table looks its symbols up there)",
                UserWarning,
                stacklevel=2,
            )
            return


def _read_stdin(format: str | None, tables: Mapping[str, Any]) -> Any:
    from arcgrad.grammar.errors import InputError
    from arcgrad.runtime.data.arguments import decoded
    from arcgrad.runtime.data.formats import format_named
    from arcgrad.runtime.data.graph import Graph

    if format is None:
        raise InputError("the form of a graph that comes from the standard input must be named", hint="--format gtn")
    data = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    chosen = format_named(format)
    options = {name: table for name, table in tables.items() if name in chosen.read_options + chosen.options}
    read = chosen.read(data if chosen.binary else decoded(data, "<stdin>"), "<stdin>", **options)
    return Graph.from_topology(read.topology, read.weight, read.tie, read._attributes)


def _read_array(file: str) -> Any:
    import numpy as np

    from arcgrad.runtime.data.dense import dense
    from arcgrad.runtime.data.formats.arrays import read_array

    with open(file, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        array = read_array(stream, size, file, "the array", n_axes=(0, 1, 2, 3))
    return dense(array) if array.ndim >= 2 else array.astype(np.float64)


def number_text(number: float | int) -> str:
    """A score as Python writes it; a COUNT with all its digits, of which Python writes 4,300 at most.

    Example:
        >>> number_text(0.5), len(number_text(10**5000))
        ('0.5', 5001)
    """
    if isinstance(number, int) and number.bit_length() > 14_000:
        from decimal import Decimal

        return str(Decimal(number))
    return repr(number)


def show_value(value: Any, format: str = "gtn") -> str:
    """A result as text: scores as Python writes them, graphs in a text format, one item of a batch after the other.

    Args:
        value: what an Equation returned.
        format: of graphs.
    """
    from arcgrad.runtime.data.graph import Graph

    if isinstance(value, Graph):
        return value.to_text(format).rstrip("\n")
    if isinstance(value, list):
        return "\n".join(f"# item {i}\n{show_value(item, format)}" for i, item in enumerate(value)) or "# no items"
    if hasattr(value, "tolist"):
        return "\n".join(map(number_text, value.tolist())) if value.ndim else number_text(value.item())
    return number_text(value)


def show_gradient(inputs: Mapping[str, Any], gradient: Mapping[str, Any]) -> str:
    """Gradients as a table for each input: a line for each arc of a graph, the array for anything else."""
    blocks = []
    for name, values in gradient.items():
        given = next((v for k, v in inputs.items() if k == name), None)
        blocks.append(f"gradient with respect to {name}\n{_gradient_lines(given, values)}")
    return "\n".join(blocks)


def _gradient_lines(given: Any, values: Any) -> str:
    import numpy as np

    from arcgrad.runtime.data.graph import Graph

    if isinstance(given, list):
        pairs = zip(given, values, strict=True)
        return "\n".join(f"# item {i}\n{_gradient_lines(g, v)}" for i, (g, v) in enumerate(pairs))
    if isinstance(given, Graph) and given.tie is None:
        rows: list[tuple[str, ...]] = [("arc", "from", "to", "label", "weight", "gradient")]
        for k in range(min(given.n_arcs, _MOST_LINES)):
            labels = [_label(given.ilabel[k]), _label(given.olabel[k])]
            label = labels[0] if labels[0] == labels[1] else ":".join(labels)
            numbers = [f"{given.arc_weight[k]:.6g}", f"{values[k]:.6g}"]
            rows.append((str(k), str(given.src[k]), str(given.dst[k]), label, *numbers))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
        if given.n_arcs > _MOST_LINES:
            lines.append(f"  … and {given.n_arcs - _MOST_LINES} more arcs")
        return "\n".join(lines)
    text = np.array2string(np.asarray(values), precision=6, suppress_small=False, max_line_width=110, threshold=1000)
    return "\n".join(f"  {line}" for line in text.splitlines())


def _label(label: Any) -> str:
    return "ε" if label < 0 else str(label)


def describe_error(error: Exception) -> str:
    """An error in words for people: without Python's class names, with carets where it has a place in an equation."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


_SGR = {"error": "1;31", "hint": "1", "carets": "1;31"}


def coloured(message: str, stream: TextIO) -> str:
    """An error in colour, where the stream is a terminal that wants it: ``NO_COLOR`` is not set, ``TERM`` not dumb."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return message
    lines = []
    for number, line in enumerate(message.split("\n")):
        word = "carets" if line.strip() and not line.strip(" ^") else "hint" if line.startswith("hint: ") else ""
        if number == 0:
            first, colon, rest = line.partition(": ")
            line = f"\x1b[{_SGR['error']}m{first}{colon.rstrip()}\x1b[0m{colon and ' '}{rest}"
        lines.append(f"\x1b[{_SGR[word]}m{line}\x1b[0m" if word else line)
    return "\n".join(lines)


@contextmanager
def warnings_to(stream: TextIO, reword: Callable[[str], str] = str) -> Iterator[None]:
    """Print warnings as one line each, reworded, without the place in the source that is no user's business."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print(f"warning: {reword(str(message))}", file=stream)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
