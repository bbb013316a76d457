"""Alphabets and strings of builders: numbers, characters, labels."""

from __future__ import annotations

from typing import Any

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.checks import LARGEST, labels_array
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["labels_of", "read_alphabet"]


def labels_of(string: Any, name: str, table: SymbolTable | None = None) -> list[int]:
    """The labels of a string: of a text's characters, their code points or, with a table, their labels there.

    Raises:
        InputError: no labels, ε, or a symbol that the table does not have.
    """
    if table is not None and (isinstance(string, str) or _are_symbols(string)):
        try:
            return table.encode(string)
        except InputError as error:
            raise InputError(f"{name}: {error.message}", hint=error.hint) from None
    if isinstance(string, str):
        return [ord(character) for character in string]
    if _are_symbols(string):
        raise InputError(f"{name} is {shown(string)}, but symbols are looked up in a table")
    labels: list[int] = labels_array(string, name).tolist()
    if -1 in labels:
        raise InputError(f"{name}[{labels.index(-1)}] is −1, ε, but must be a label from 0 to {LARGEST}")
    return labels


def _are_symbols(string: Any) -> bool:
    return isinstance(string, (list, tuple)) and bool(string) and all(isinstance(word, str) for word in string)


def read_alphabet(alphabet: Any) -> list[int]:
    """The labels of an alphabet: of n, 0 … n − 1; of a text, its characters; or those given, each once.

    Raises:
        InputError: none of these, or a label that occurs twice.
    """
    if isinstance(alphabet, SymbolTable):
        return sorted(alphabet[symbol] for symbol in alphabet)
    if getattr(alphabet, "ndim", 0) == 0 and not hasattr(alphabet, "__iter__"):
        expected = "a number of labels, a text of distinct characters, labels, or an ag.SymbolTable"
        return list(range(whole_number(alphabet, "alphabet", expected, 0, LARGEST)))
    labels = labels_of(alphabet, "alphabet")
    if len(set(labels)) < len(labels):
        twice = next(label for k, label in enumerate(labels) if label in labels[:k])
        raise InputError(f"alphabet has the label {twice} twice", hint="list each label once: sorted(set(…))")
    return labels
