"""Semirings: what planner, emitter, packers and executor must know of a reduction, one record each.

An operator of the category REDUCTION names its record (``semiring="log"``); plans and packed regions carry the name,
and whoever needs a fact looks it up here instead of comparing names.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALL_SHAPES", "SEMIRINGS", "Semiring", "semiring"]

ALL_SHAPES = frozenset({"lattice", "cyclic", "trellis", "frames"})
"""Shapes of regions: acyclic graphs, any graphs, graphs composed with a dense input, dense inputs alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Semiring:
    """One way of reducing a graph's paths to a score.

    Attributes:
        name: its name in plans, packed regions and the table of kernels.
        summary: what it makes of the paths' weights.
        shapes: the shapes of regions that have kernels. Where "trellis" or "frames" is missing, the planner has the
            composition with a dense input, or the dense input itself, built as a graph.
        sign: what kernels multiply weights with: −1 where the least weight is wanted from a kernel of the greatest.
        has_gradient: whether the score depends on weights, so that there are kernels for its gradient.
        is_whole: whether scores are whole numbers, exact below 2^53.
        minus_infinity_is_absent: whether an arc of weight −inf is as good as none.
        cyclic_apart: whether cyclic graphs have a packed format and kernels of their own. One routine serves a batch,
            so a batch with lattices and cyclic graphs is then packed as cyclic throughout.
        shows_nan: whether a NaN in any score of a dense input that is reduced alone makes the result NaN.
        n_values: how many other weights the arcs have, beside those that make the paths' probabilities: a region of so
            many more graphs, of the same arcs.
        is_rewritten: whether no plan has it, since a rule makes something else of it.
    """

    name: str
    summary: str
    shapes: frozenset[str] = ALL_SHAPES
    sign: float = 1.0
    has_gradient: bool = True
    is_whole: bool = False
    minus_infinity_is_absent: bool = False
    cyclic_apart: bool = False
    shows_nan: bool = False
    n_values: int = 0
    is_rewritten: bool = False


SEMIRINGS: dict[str, Semiring] = {
    record.name: record
    for record in (
        Semiring(
            name="log",
            summary="the logarithm of the sum of the exponentials of the paths' weights",
            minus_infinity_is_absent=True,
            cyclic_apart=True,
            shows_nan=True,
        ),
        Semiring(name="max", summary="the greatest weight of a path", minus_infinity_is_absent=True),
        Semiring(name="min", summary="the least weight of a path", sign=-1.0),
        Semiring(name="count", summary="the number of paths", has_gradient=False, is_whole=True),
        Semiring(name="boolean", summary="whether there is a path", has_gradient=False, minus_infinity_is_absent=True),
        Semiring(
            name="expectation",
            summary="the expected sum of the arcs' values under the paths' distribution",
            minus_infinity_is_absent=True,
            cyclic_apart=True,
            n_values=1,
        ),
        Semiring(
            name="entropy",
            summary="the entropy of the paths' distribution",
            minus_infinity_is_absent=True,
            cyclic_apart=True,
        ),
        Semiring(
            name="covariance",
            summary="the covariance, under the paths' distribution, of the sums of the arcs' two kinds of values",
            shapes=frozenset({"lattice", "cyclic"}),
            minus_infinity_is_absent=True,
            cyclic_apart=True,
            n_values=2,
        ),
        Semiring(
            name="entropy_along",
            summary="the covariance of -log of the path's probability and the sum of the arcs' values",
            shapes=frozenset({"lattice", "cyclic"}),
            minus_infinity_is_absent=True,
            cyclic_apart=True,
            n_values=1,
        ),
        Semiring(
            name="kl",
            summary="the relative entropy of two distributions over paths",
            shapes=frozenset(),
            n_values=1,
            is_rewritten=True,
        ),
        Semiring(
            name="max_along",
            summary="the weight, in another graph, of a path of greatest weight",
            shapes=frozenset(),
            n_values=1,
        ),
        Semiring(
            name="min_along",
            summary="the weight, in another graph, of a path of least weight",
            shapes=frozenset(),
            sign=-1.0,
            n_values=1,
        ),
    )
}
"""All semirings by name."""


def semiring(name: str | None) -> Semiring:
    """The record of that name.

    Raises:
        LookupError: there is none.

    Example:
        >>> from arcgrad.compiler.semirings import semiring
        >>> semiring("min").sign
        -1.0
    """
    found = SEMIRINGS.get(name) if name is not None else None
    if found is None:
        raise LookupError(f"no semiring is named {name!r}; there are {', '.join(sorted(SEMIRINGS))}")
    return found
