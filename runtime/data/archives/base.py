"""What a form of archive is: one value of Archive, in a module of its own in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.bare_graph import BareGraph

__all__ = ["Archive", "Entries", "checked_key"]

Entries = Iterable[tuple[str, BareGraph]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """One way of writing several graphs into one file.

    Attributes:
        name: what users call it.
        summary: what it is, in a few words.
        suffix: file names that end so hold it.
        read: ``read(stream, file, **options)``, each key with its graph, one after the other. Raises FormatError.
        write: ``write(stream, entries, **options)`` in the order given.
        options: keyword arguments that both take.
        read_options, write_options: those that only one of them takes.
        is_sorted: whether keys stand in the order of their bytes.
    """

    name: str
    summary: str
    suffix: str
    read: Callable[..., Iterator[tuple[str, BareGraph]]]
    write: Callable[..., None]
    options: tuple[str, ...] = ()
    read_options: tuple[str, ...] = ()
    write_options: tuple[str, ...] = ()
    is_sorted: bool = False


def checked_key(key: str, archive: str, forbidden: str) -> str:
    """A key, if an archive can hold it.

    Raises:
        InputError: it is empty, or holds one of the forbidden characters.
    """
    if not key or any(character in key for character in forbidden):
        raise InputError(f"the key {shown(key)} cannot be written into {archive}", hint="keys are words without spaces")
    return key
