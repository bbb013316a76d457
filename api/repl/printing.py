"""Results as text for a terminal: tables, short ones whole and long ones cut with a count, within the width."""

from __future__ import annotations

import codecs
import dataclasses
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from arcgrad.grammar.errors import ArcgradError, InputError
from arcgrad.grammar.mistakes import counted

if TYPE_CHECKING:
    from arcgrad.compiler.graphs.topology import Topology
    from arcgrad.runtime.data.graph import Graph
    from arcgrad.runtime.inspect.jacobian import Jacobian
    from arcgrad.runtime.reference.interpreter import Trace

__all__ = ["Printer", "Symbols", "in_encoding", "label_text", "table", "with_symbols"]

Symbols = Any
"""How labels are shown: a SymbolTable; ``chr``, as characters; None, as numbers."""

_MOST_ROWS = 20
_MOST_STATES = 16
_MOST_ITEMS = 5
_MOST_COLUMNS = 12


@dataclasses.dataclass
class Printer:
    """Shows results.

    Attributes:
        width: columns of the terminal.
        pictures: whether small graphs are drawn, rather than listed.
        ascii: whether they are in ASCII.
    """

    width: int = 80
    pictures: bool = True
    ascii: bool = False

    def value(self, value: Any, symbols: Symbols = None) -> str:
        """A result: a score as Python writes it, a graph drawn or listed, a batch item by item."""
        from arcgrad.runtime.data.graph import Graph

        if isinstance(value, Graph):
            return self.graph(value, symbols)
        if isinstance(value, list):
            return self._items([self.value(item, symbols) for item in value[:_MOST_ITEMS]], len(value))
        if hasattr(value, "tolist"):
            if not value.ndim:
                return repr(value.item())
            return self._items([repr(item) for item in value[:_MOST_ROWS].tolist()], len(value))
        return self.score(value)

    def score(self, value: Any) -> str:
        """A number; of a whole number of many digits the first and the last."""
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 900:
            digits = value.bit_length() * 30103 // 100000
            if digits > 4000:  # Python spells out no more
                return f"a whole number of about {digits:,} digits"
            text = str(value)
            return f"{text[:20]}…{text[-20:]} ({len(text)} digits)"
        return repr(value)

    def _items(self, shown: Sequence[str], n: int) -> str:
        joined = "\n" if any("\n" in item for item in shown) else " "
        lines = [f"item {i}:{joined}{item}" for i, item in enumerate(shown)]
        if n > len(shown):
            lines.append(f"… and {n - len(shown):,} more items")
        return "\n".join(lines) or "a batch of no items"

    def graph(self, graph: Graph, symbols: Symbols = None, gradient: Any = None, title: str = "Graph: ") -> str:
        """A graph: what it is, and its arcs, with a gradient perhaps."""
        if not graph.n_states:
            return f"{title}∅, without states"
        facts = [counted(graph.n_states, "state"), counted(graph.n_arcs, "arc")]
        facts.append("acceptor" if graph.is_acceptor else "transducer")
        head = title + ", ".join(facts)
        picture = None
        if gradient is None:
            picture = self.picture(graph, symbols)
        if picture is not None:
            return f"{head}\n{picture}"
        for name, states in (("start", graph.start), ("accept", graph.accept)):
            listed = " ".join(map(str, states[:8].tolist())) + (" …" if len(states) > 8 else "")
            head += f", {name} {listed or 'none'}"
        return "\n".join([*textwrap.wrap(head, self.width), *self.arcs(graph, symbols, gradient)])

    def picture(self, graph: Graph, symbols: Symbols = None) -> str | None:
        """A small graph in box characters; None of one that is large."""
        if not self.pictures or not graph.n_states or graph.n_states > _MOST_STATES or graph.n_arcs > _MOST_ROWS:
            return None
        try:
            return graph.draw(symbols=symbols).text(ascii=self.ascii, width=self.width)
        except InputError:  # a label that the table does not have
            return None

    def arcs(self, graph: Graph, symbols: Symbols = None, gradient: Any = None, most: int = _MOST_ROWS) -> list[str]:
        """A table of arcs, at most so many, and how many there are beyond."""
        header = ["arc", "from", "to", "label", "weight"]
        # Gradients of tied weights are those of the parameters.
        values = None if gradient is None or (tie := graph.tie) is None else gradient[tie]
        values = gradient if values is None else values
        if values is not None:
            header.append("gradient")
        n = graph.n_arcs if graph.n_arcs <= most + 1 else most
        rows = [header]
        weights = graph.arc_weight[:n].tolist()
        for k in range(n):
            row = [str(k), str(graph.src[k]), str(graph.dst[k]), arc_label(graph, k, symbols), f"{weights[k]:.6g}"]
            rows.append(row if values is None else [*row, f"{values[k]:.6g}"])
        lines = table(rows, self.width) if n else []
        if n < graph.n_arcs:
            lines.append(f"  … and {graph.n_arcs - n:,} more arcs" + " (:save FILE writes all)" * (values is None))
        return lines

    def gradient(
        self, inputs: Mapping[str, Any], gradient: Mapping[str, Any], symbols: Symbols = None, of: str = ""
    ) -> str:
        """Gradients, one input after the other: a line for each arc of a graph, the array of anything else."""
        title = f"gradient{of and f' of {of}'} with respect to"
        return "\n".join(
            self.gradient_of(inputs.get(name), values, symbols, f"{title} {name}") for name, values in gradient.items()
        )

    def gradient_of(self, given: Any, values: Any, symbols: Symbols, title: str) -> str:
        """One of them."""
        from arcgrad.runtime.data.graph import Graph

        if isinstance(given, list):
            pairs = list(zip(given, values, strict=True))
            shown = [
                self.gradient_of(g, v, symbols, f"{title}, item {i}") for i, (g, v) in enumerate(pairs[:_MOST_ITEMS])
            ]
            more = [f"… and {len(pairs) - len(shown):,} more items"] if len(pairs) > len(shown) else []
            return "\n".join([*shown, *more])
        if isinstance(given, Graph):
            return "\n".join([f"{title}:", *(self.arcs(given, symbols, values) or ["  no arcs"])])
        if not hasattr(values, "ndim") or not values.ndim:
            return f"{title}: {float(values)!r}"
        return "\n".join([f"{title}, of shape {values.shape}:", *self.array(values)])

    def array(self, values: Any) -> list[str]:
        """An array, the middle of a large one left out."""
        import numpy as np

        text = np.array2string(
            np.asarray(values), precision=6, suppress_small=False, max_line_width=self.width - 2, threshold=200
        )
        return [f"  {line}" for line in text.splitlines()]

    def trace(self, trace: Trace, symbols: Symbols = None) -> str:
        """Every intermediate result, with its gradient: small graphs arc by arc."""
        from arcgrad.runtime.data.graph import Graph

        lines = []
        for node in trace.nodes:
            if not node.inputs and not node.name.isidentifier() and node is not trace.nodes[-1]:
                continue  # a number, which is its own name
            expression = spelled(node.expression, symbols)
            head = node.name if expression == node.name else f"{node.name} = {expression}"
            if isinstance(node.value, Graph):
                lines.append(self.graph(node.value, symbols, _or_zeros(node), title=f"{head}: "))
            else:
                number = "" if node.gradient is None else f", gradient {float(node.gradient):.6g}"
                lines.append(f"{head}: {self.score(node.value)}{number}")
        return "\n".join(lines)

    def jacobian(self, jacobian: Jacobian, of: str, wrt: str, symbols: Symbols = None) -> str:
        """A matrix, small ones whole: rows are arcs of the output, columns those of the input."""
        rows, columns = jacobian.shape
        head = f"rows: {counted(rows, 'arc')} of {of}; columns: {counted(columns, 'arc')} of {wrt}; "
        head += f"{counted(jacobian.nnz, 'entry').replace('entrys', 'entries')} not zero"
        lines = textwrap.wrap(head, self.width)
        if columns <= _MOST_COLUMNS and rows <= 2 * _MOST_ROWS:
            dense = jacobian.toarray()
            names = [
                [f"{k} {arc_label(graph, k, symbols)}" for k in range(n)] if graph is not None else [wrt]
                for graph, n in ((jacobian._output, rows), (jacobian._input, columns))
            ]
            cells = [["", *names[1]]]
            for name, row in zip(names[0], dense.tolist(), strict=True):
                cells.append([name, *("." if x == 0 else f"{x:.6g}" for x in row)])
            if columns and max(map(len, table(cells, 10**6))) <= self.width:
                return "\n".join([*lines, *table(cells, self.width)])
        entries = list(zip(jacobian.rows.tolist(), jacobian.columns.tolist(), jacobian.values.tolist(), strict=True))
        cells = [["row", "column", "derivative"], *([str(i), str(j), f"{x:.6g}"] for i, j, x in entries[:_MOST_ROWS])]
        if entries:
            lines += table(cells, self.width)
        if len(entries) > _MOST_ROWS:
            lines.append(f"  … and {len(entries) - _MOST_ROWS:,} more entries")
        return "\n".join(lines)

    def error(self, error: Exception) -> str:
        """An error in words for people: where, what, how to fix it, within the width."""
        if isinstance(error, OSError):
            text = error.strerror or str(error)
            return self.wrapped(f"error: {error.filename}: {text}" if error.filename is not None else f"error: {text}")
        if not isinstance(error, ArcgradError):
            return self.wrapped(f"error: {error}")
        parts = [self.wrapped(f"error: {error.message}")]
        if error.place is not None:
            parts.append(error.place.excerpt(max(20, self.width - 4)))
        if error.hint:
            parts.append(self.wrapped(f"hint: {error.hint}"))
        return "\n".join(parts)

    def wrapped(self, text: str) -> str:
        """Text in lines of the width; what is long without blanks stays whole, and lines that fit as they are."""
        lines: list[str] = []
        for line in text.splitlines():
            indent = " " * (len(line) - len(line.lstrip()))
            fits = len(line) <= self.width
            lines += [line] if fits else textwrap.wrap(
                line.strip(), self.width, initial_indent=indent, subsequent_indent=indent,
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
        return "\n".join(lines)


def _or_zeros(node: Any) -> Any:
    import numpy as np

    return np.zeros(node.value.n_arcs) if node.gradient is None else node.gradient


def label_text(label: int, symbols: Symbols) -> str:
    """A label's symbol, or its number where it has none that can be seen."""
    if label < 0:
        return "ε"
    if symbols is None:
        return str(label)
    if symbols is not chr:
        return symbols._name(label) or f"<{label}>"
    character = chr(label) if label < 0x110000 else ""
    return character if character.isprintable() and character.strip() else f"<{label}>"


def spelled(text: str, symbols: Symbols) -> str:
    """Text of an expression in which linear graphs of labels that have symbols are strings again.

    Example:
        >>> from arcgrad.repl.printing import spelled
        >>> spelled("LSE[linear[97, 98] ∘ A]", chr)
        'LSE["ab" ∘ A]'
    """

    def string(found: re.Match[str]) -> str:
        words = [label_text(int(label), symbols) for label in found[1].split(",")]
        if any(word.startswith("<") and word.endswith(">") for word in words):
            return found[0]
        return '"' + "".join(re.sub(r'(["\\<>])', r"\\\1", w) if len(w) == 1 else f"<{w}>" for w in words) + '"'

    return text if symbols is None else re.sub(r"\blinear\[(\d+(?:, \d+)*)\]", string, text)


def with_symbols(text: str, symbols: Symbols) -> str:
    """Words of an error in which labels that have symbols are these.

    Example:
        >>> from arcgrad.repl.printing import with_symbols
        >>> with_symbols("state 0 of A along arcs 0, 1, labels 97, 98:99", chr)
        'state 0 of A along arcs 0, 1, labels a, b:c'
    """

    def named(found: re.Match[str]) -> str:
        return found[1] + re.sub(r"\d+", lambda label: label_text(int(label[0]), symbols), found[2])

    return text if symbols is None else re.sub(r"(\blabels? )((?:[\dε:]+(?:, )?)+)", named, text)


def arc_label(graph: Graph | Topology, k: int, symbols: Symbols) -> str:
    """``a`` or ``a:x``."""
    inputs, outputs = int(graph.ilabel[k]), int(graph.olabel[k])
    text = label_text(inputs, symbols)
    if inputs != outputs:
        text += f":{label_text(outputs, symbols)}"
    return text if len(text) <= 24 else text[:23] + "…"


def table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Rows in columns, aligned on the right, indented by two; lines too long for the width are cut."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]


# Where an encoding lacks them: the language's own ASCII spellings, and plain lines.
_IN_ASCII = {
    "∘": "@", "◦": "@", "⟨": "<", "⟩": ">", "×": "*", "·": ".", "−": "-", "∩": "&", "∪": "|", "∖": "-", "∗": "*",
    "⋆": "*", "ε": "eps", "∅": "empty", "π": "\\pi", "α": "\\alpha", "β": "\\beta", "…": "...", "→": "->", "≤": "<=",
    "≥": ">=", "∞": "inf", "∂": "d", "–": "-", "—": "-", "’": "'", "“": '"', "”": '"', "µ": "u", "─": "-", "│": "|",
    "┬": "+", "├": "+", "└": "+", "┘": "+", "┤": "+", "▶": ">", "↺": "o",
    **dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)),
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")


def in_encoding(text: str, encoding: str | None) -> str:
    """Text with what an encoding lacks in ASCII: ``∘`` becomes ``@``, ``ε`` ``eps``, lines ``-`` and ``|``.

    Example:
        >>> from arcgrad.repl.printing import in_encoding
        >>> in_encoding("A⁻¹ ∘ B", "ascii")
        'A^-1 @ B'
    """
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda found: "^" + found[0].translate(_SUPERSCRIPTS), text)
        try:
            return text.encode(encoding or "ascii", "arcgrad").decode(encoding or "ascii")
        except LookupError:
            return text.encode("ascii", "arcgrad").decode("ascii")
    return text


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end]
    spelled = (_IN_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in found)
    return "".join(spelled), error.end


codecs.register_error("arcgrad", _replace)
