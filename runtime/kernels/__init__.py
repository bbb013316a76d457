"""The kernel library: compiled functions that evaluate and differentiate packed regions.

Stage: plan → run; called by generated routines. `kernel_names` says which functions serve a region of some shape and
semiring. Importing this module imports no kernel and no numba.

What all have in common: ``region`` begins with a packed region's header; ``work`` and ``iwork`` begin with its
workspaces, as large as ``Region.work`` says; ``frames`` are the item's, as is their gradient; ``leaves`` and
``gradient`` are bundles, which ``entries`` explains. A backward function is called once after the forward one, with the
workspace untouched since, and adds to gradients. ``sign`` is the semiring's; values come without it.
NaN from a forward function means that the region diverges (cyclic) or that a count exceeds 2^53.
"""

from __future__ import annotations

from typing import NamedTuple

from arcgrad.compiler.semirings import SEMIRINGS
from arcgrad.grammar.errors import UnsupportedError
from arcgrad.runtime.kernels.math.scalar import __all__ as scalar_functions

__all__ = ["FUNCTIONS", "KERNELS", "KernelNames", "NoKernelError", "kernel_names"]


class NoKernelError(UnsupportedError):
    """No kernels serve a region, so that its reduction has to be interpreted."""


class KernelNames(NamedTuple):
    """Where a region's kernels are.

    Attributes:
        module: module that holds them.
        forward: name of the value's function.
        backward: name of the gradient's function, None where there is none.
        seeded: name of the function that gives the value and writes the gradient at once, where the value's cotangent
            is known beforehand; None where there is none.

    Functions that take frames are for float64; their names with ``_float32`` appended are for float32.
    """

    module: str
    forward: str
    backward: str | None = None
    seeded: str | None = None

    def kernel(self, role: str) -> tuple[str, str] | None:
        """Module and name of the function in a role (a field's name), or None where there is none."""
        name = self._asdict().get(role)
        return None if name is None else (self.module, name)


def _names(file: str, prefix: str, *, gradient: bool = True) -> KernelNames:
    return KernelNames(
        f"arcgrad.runtime.kernels.{file}",
        f"{prefix}_forward",
        f"{prefix}_backward" if gradient else None,
    )


_GRAPH_MAX = _names("lattice.graph_max", "graph_max")
_GRAPH_COUNT = _names("lattice.graph_count", "graph_count", gradient=False)
_GRAPH_ANY = _names("paths.any_path", "graph_any", gradient=False)
_TRELLIS_MAX = _names("trellis.trellis_max", "trellis_max")
_FRAMES_MAX = _names("frames.frames_max", "frames_max")

KERNELS: dict[tuple[str, str], KernelNames] = {
    ("lattice", "log"): _names("lattice.lattice_log", "lattice_log"),
    ("lattice", "max"): _GRAPH_MAX,
    ("lattice", "min"): _GRAPH_MAX,
    ("lattice", "count"): _GRAPH_COUNT,
    ("lattice", "expectation"): _names("lattice.lattice_expectation", "lattice_expectation"),
    ("lattice", "entropy"): _names("lattice.lattice_expectation", "lattice_entropy"),
    ("lattice", "covariance"): _names("lattice.lattice_covariance", "lattice_covariance"),
    ("lattice", "entropy_along"): _names("lattice.lattice_covariance", "lattice_entropy_along"),
    ("cyclic", "log"): _names("cyclic.cyclic_log", "cyclic_log"),
    ("cyclic", "expectation"): _names("cyclic.cyclic_expectation", "cyclic_expectation"),
    ("cyclic", "entropy"): _names("cyclic.cyclic_expectation", "cyclic_entropy"),
    ("cyclic", "covariance"): _names("cyclic.cyclic_expectation", "cyclic_covariance"),
    ("cyclic", "entropy_along"): _names("cyclic.cyclic_expectation", "cyclic_entropy_along"),
    ("cyclic", "max"): _GRAPH_MAX,
    ("cyclic", "min"): _GRAPH_MAX,
    ("cyclic", "count"): _GRAPH_COUNT,
    ("trellis", "log"): _names("trellis.trellis_log", "trellis_log"),
    ("trellis", "max"): _TRELLIS_MAX,
    ("trellis", "min"): _TRELLIS_MAX,
    ("trellis", "count"): _names("frames.frames_count", "trellis_count", gradient=False),
    ("trellis", "expectation"): _names("expectation.trellis_expectation", "trellis_expectation"),
    ("trellis", "entropy"): _names("expectation.trellis_expectation", "trellis_entropy"),
    ("frames", "log"): _names("frames.frames_log", "frames_log")._replace(seeded="frames_log_seeded"),
    ("frames", "expectation"): _names("expectation.frames_expectation", "frames_expectation"),
    ("frames", "entropy"): _names("expectation.frames_expectation", "frames_entropy"),
    ("frames", "max"): _FRAMES_MAX,
    ("frames", "min"): _FRAMES_MAX,
    ("frames", "count"): _names("frames.frames_count", "frames_count", gradient=False),
    ("lattice", "boolean"): _GRAPH_ANY,
    ("cyclic", "boolean"): _GRAPH_ANY,
    ("trellis", "boolean"): _names("paths.any_path", "trellis_any", gradient=False),
    ("frames", "boolean"): _names("paths.any_path", "frames_any", gradient=False),
}
"""By shape and semiring. A shape that a semiring's record lists is here, and no other."""


def kernel_names(shape: str, semiring: str) -> KernelNames:
    """Find the kernels that serve regions of a shape under a semiring.

    Raises:
        NoKernelError: there are none.

    Example:
        >>> from arcgrad.runtime.kernels import kernel_names
        >>> kernel_names("frames", "count").kernel("forward")
        ('arcgrad.runtime.kernels.frames.frames_count', 'frames_count_forward')
    """
    found = KERNELS.get((shape, semiring))
    if found is None:
        having = sorted(known for known, name in KERNELS if name == semiring)
        summary = SEMIRINGS[semiring].summary if semiring in SEMIRINGS else "an unknown semiring"
        raise NoKernelError(
            f"the semiring {semiring!r} ({summary}) has no kernel for {shape} regions; it has some for "
            f"{', '.join(having) or 'none'}"
        )
    return found


FUNCTIONS: dict[str, str] = {
    **dict.fromkeys(scalar_functions, "arcgrad.runtime.kernels.math.scalar"),
    "clear_rows": "arcgrad.runtime.kernels.frames.frames_log",
    "clear_rows_float32": "arcgrad.runtime.kernels.frames.frames_log",
}
"""Modules of the functions that generated text calls beside regions' kernels, by name."""
