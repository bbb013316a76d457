"""What a file format is: one value of Format, in a module of its own in this folder.

Everything else (``Graph.from_text``, ``ag.load``, ``ag.save``, messages, round-trip tests) reads the registry.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.checks import LARGEST
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["Format", "file_labels", "warn_inexact"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Format:
    """One way of writing a graph down. A module of this folder defines exactly one module-level ``FORMAT``.

    Attributes:
        name: what users call it, the module's name.
        summary: what it is, in a few words.
        suffixes: file names that end so hold it.
        binary: whether it is bytes; else it is text.
        options: keyword arguments that both ``read`` and ``write`` take ("shift").
        read_options: keyword arguments that only ``read`` takes.
        write_options: keyword arguments that only ``write`` takes.
        read: ``read(data, file, **options)``, data being str or, for binary formats, bytes; file is for messages.
            Raises FormatError.
        write: ``write(graph, **options)``, str or, for binary formats, bytes. Warns where the format cannot express the
            graph exactly. None: it is only read.
        read_symbols: ``read_symbols(data, file, side, **options)``, the table of symbols that a file holds beside its
            graph; None: such files hold none.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    read: Callable[..., BareGraph]
    write: Callable[..., str | bytes] | None = None
    read_symbols: Callable[..., SymbolTable] | None = None
    binary: bool = False
    options: tuple[str, ...] = ()
    read_options: tuple[str, ...] = ()
    write_options: tuple[str, ...] = ()


def warn_inexact(form: str, reasons: Sequence[str]) -> None:
    """Warn, where there are reasons, that an equivalent graph was written, in that form, in place of the one given."""
    if reasons:
        # Point at the first caller outside arcgrad: ag.save and Graph.to_text lie at different depths.
        level, frame = 1, sys._getframe()
        while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("arcgrad."):
            level, frame = level + 1, frame.f_back
        warnings.warn(
            f"{form} cannot express this graph exactly, so an equivalent one was written: " + "; ".join(reasons),
            UserWarning,
            stacklevel=level,
        )


def file_labels(labels: list[int], side: str, *, format: str, epsilon: int, low: int, shift: int) -> list[int]:
    """Labels as a file holds them: ε as ``epsilon``, all others ``shift`` lower and not below ``low``.

    Raises:
        InputError: a label that the format cannot hold.
    """
    written = [epsilon if label < 0 else label - shift for label in labels]
    for arc, (label, number) in enumerate(zip(labels, written, strict=True)):
        if label >= 0 and not low <= number <= LARGEST:
            becomes = f" becomes {number} with shift={shift}, which" if shift else ""
            raise InputError(
                f"{side}[{arc}]: label {label}{becomes} cannot be written as {format} text, "
                f"whose labels go from {low} to {LARGEST}" + (" (0 is ε there)" if low == 1 else ""),
                hint=f"write and read with shift={shift - (low - number)}" if number < low else None,
            )
    return written
