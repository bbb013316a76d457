"""Arrays in NumPy's .npy form, read with care: nothing is executed, and sizes are looked at before memory is taken."""

from __future__ import annotations

import math
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from arcgrad.grammar.errors import FormatError

__all__ = ["read_array"]

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_array(
    stream: IO[bytes],
    size: int,
    file: str,
    what: str = "the array",
    kinds: str = "fiu",
    n_axes: tuple[int, ...] = (1,),
    most: int | None = None,
) -> NDArray[Any]:
    """The array at the start of a stream.

    Args:
        stream: of bytes.
        size: how many it has.
        file: its name, for messages.
        what: what messages call the array.
        kinds: kinds of dtypes that will do.
        n_axes: numbers of axes that will do.
        most: the most entries that it may have.

    Raises:
        FormatError: there is no array, or another one, or one that the stream cannot hold.
    """
    try:
        shape, fortran_order, dtype = _HEADERS[npy.read_magic(stream)](stream)
        n_entries = math.prod(shape)
        at = stream.tell()
    except Exception as error:  # numpy reads a header as Python's text: a damaged one raises whatever it likes
        raise FormatError(f"{what} is none in NumPy's .npy form: {error}", file=file) from None
    if min(shape, default=0) < 0:
        raise FormatError(f"{what} has shape {shape}, but sizes are not negative", file=file)
    found = f"{what} has shape {shape} and dtype {dtype}"
    if dtype.kind not in kinds or len(shape) not in n_axes or (most is not None and n_entries > most):
        number = {"fiu": "real numbers", "iu": "integers"}[kinds]
        axes = " or ".join(map(str, n_axes))
        bound = "" if most is None else f", at most {most} of them"
        raise FormatError(f"{found}, but must hold {number} along {axes} axes{bound}", file=file)
    n_bytes = n_entries * dtype.itemsize
    if n_bytes > size - at:
        raise FormatError(f"{found}, which takes {n_bytes} bytes, but {max(size - at, 0)} follow", file=file)
    try:
        return np.frombuffer(stream.read(n_bytes), dtype).reshape(shape, order="F" if fortran_order else "C")
    except Exception as error:  # a damaged archive, or too large for memory after all
        raise FormatError(f"{found}, which cannot be read: {error or type(error).__name__}", file=file) from None
