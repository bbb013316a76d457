"""What an operator is: one value of Operator, in a file of its own in this folder, named like the operator.

Everything else reads the registry (``arcgrad.compiler.operators``): the type rules, the interpreter, the emitter, the
docs page, and the law and gradient tests. A file defines exactly one module-level ``OPERATOR``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.selection import block_selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transform
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.types import Type

__all__ = ["Built", "Category", "Joined", "Law", "Operator", "Parameters", "Size"]

Parameters = tuple[Hashable, ...]


class Category(Enum):
    """How an operator is evaluated."""

    LITERAL = "literal"  # graph without operands: build(), no weights
    STRUCTURAL = "structural"  # graph from graphs: build(), local selections
    TRANSFORM = "transform"  # graph that depends on its operand's weights: transform()
    REDUCTION = "reduction"  # score from a graph, by a semiring
    ARITHMETIC = "arithmetic"  # score from scores


@dataclass(frozen=True, slots=True)
class Built:
    """What a structural operator makes.

    Attributes:
        topology: the output graph without weights.
        selections: for each operand (graph or score, in order), (n_arcs,) int32: the operand's arc whose weight
            the output arc takes (for a score operand: 0), or −1. The output arc's weight is the sum over operands.
            A label-mapping operand has an array of −1.
    """

    topology: Topology
    selections: tuple[IntArray, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Estimated size of a graph, for choosing an order of compositions: states, arcs, and distinct labels a side."""

    states: float
    arcs: float
    labels: float


@dataclass(frozen=True, slots=True)
class Law:
    """``left = right`` under each of the reductions, for all inputs where both sides exist; tested on random graphs.

    ``under`` holds names of reductions, or "equal" where both sides are the same graph arc by arc.
    """

    left: str
    right: str
    under: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Joined:
    """What an associative operator makes of one operand or more.

    Attributes:
        topology: the output graph without weights.
        begins: for each operand, where its arcs begin among the output's: they stand together, in order. All other
            arcs have weight 0.
    """

    topology: Topology
    begins: NDArray[np.int64]

    def built(self, operands: Sequence[Topology]) -> Built:
        """The same with a local selection for each operand."""
        n_arcs = self.topology.n_arcs
        blocks = zip(self.begins.tolist(), operands, strict=True)
        return Built(self.topology, tuple(block_selection(n_arcs, begin, operand.n_arcs) for begin, operand in blocks))

    def local(self, parts: Sequence[IntArray]) -> IntArray:
        """The local selection of one graph that all operands were made from, given that of each operand."""
        whole = np.full(self.topology.n_arcs, -1, dtype=np.int32)
        for begin, part in zip(self.begins.tolist(), parts, strict=True):
            whole[begin : begin + len(part)] = part
        return whole


Build = Callable[[Sequence[Topology], Parameters, Limits], Built]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """One operator of the language.

    Attributes:
        name: registry name, the file's name.
        summary: one sentence on what it does to paths.
        category: how it is evaluated.
        operands: the types of its operands; with ``variadic`` the last one may repeat.
        result: its type.
        tag: the syntax tag of its sign, where it has one.
        sign: that sign, as messages show it.
        overload: the operator that the same sign means between scores (union → add), where there is one.
        names: its spellings before ``[``, the first being the canonical one.
        acceptors: whether each operand must be an acceptor (shorter than operands: the rest need not).
        operand_names: what messages call its operands; empty: by their types.
        parameter_names: names of its literal arguments in brackets (whole numbers).
        decimals: those of them that may be decimal numbers.
        least: the least that each of these may be, whole numbers.
        labelled: whether its operands but the first are given as ``label: graph``; the labels are parameters.
        words: literal words, some of which may stand last in brackets; parameters as they are.
        exclusive_words: sets of words of which at most one may stand there.
        ends_with_alphabet: whether the last operand may be left out, and is then the symbols of the table.
        parameter_positions: where these stand among all arguments; empty: after the operands.
        build: LITERAL, STRUCTURAL: ``build(topologies, parameters, limits)``; a score operand's place holds an empty
            topology, a mapping's place is not there: the mapping comes in ``parameters``.
        join: STRUCTURAL, where a chain of it may be built at once, however it is nested: ``join(topologies, limits)``.
        transform: TRANSFORM: ``transform(topology, weights, parameters, limits)`` of the operand, the first one; behind
            the literal parameters come the values of further operands, which are scores and get no gradient. None for
            sample, which the reference engine has.
        per_item: TRANSFORM: whether the number of the batch's item is the last parameter, since equal items differ.
        size: estimated size from the operands' sizes.
        semiring: REDUCTION: name of its record in ``arcgrad.compiler.semirings``. TRANSFORM: of the one in whose shapes
            of regions it takes an operand that is composed with a dense input; None: its operand is always built.
            Operators below that follow the reduction above them take it, too.
        follows_reduction: TRANSFORM: whether it works in the semiring of the reduction above it, "max" or "min" as a
            last parameter, and else "log".
        reduce: REDUCTION: ``reduce(topology, weights)``, the value and its gradient (n_arcs,), in plain Python; None
            for log, max, min and count, which the reference engine has.
        evaluate: ARITHMETIC: the value from the operands' values (floats, or ints where COUNT gave them); may return
            nan where undefined.
        derivatives: ARITHMETIC: ``derivatives(value, *operands)``, the partial derivative with respect to each operand.
        code: ARITHMETIC: template of the value in generated source: ``{0}``, ``{1}`` operands.
        gradient_code: ARITHMETIC: templates of the operands' cotangents; ``{cotangent}`` the value's,
            ``{value}`` the value, ``{0}``, ``{1}`` operands.
        laws: identities it obeys.
        example: an equation that uses it.
        reference: source of its definition.
    """

    name: str
    summary: str
    category: Category
    operands: tuple[Type, ...] = ()
    variadic: bool = False
    result: Type = Type.GRAPH
    tag: str | None = None
    sign: str | None = None
    overload: str | None = None
    names: tuple[str, ...] = ()
    acceptors: tuple[bool, ...] = ()
    operand_names: tuple[str, ...] = ()
    parameter_names: tuple[str, ...] = ()
    least: int = 0
    parameter_positions: tuple[int, ...] = ()
    decimals: tuple[str, ...] = ()
    labelled: bool = False
    words: tuple[str, ...] = ()
    exclusive_words: tuple[tuple[str, ...], ...] = ()
    ends_with_alphabet: bool = False
    build: Build | None = None
    join: Callable[[Sequence[Topology], Limits], Joined] | None = None
    transform: Transform | None = None
    per_item: bool = False
    size: Callable[[Sequence[Size], Parameters], Size] | None = None
    semiring: str | None = None
    follows_reduction: bool = False
    reduce: Callable[[Topology, FloatArray], tuple[float, FloatArray]] | None = None
    evaluate: Callable[..., float] | None = None
    derivatives: Callable[..., tuple[float, ...]] | None = None
    code: str | None = None
    gradient_code: tuple[str, ...] = ()
    laws: tuple[Law, ...] = ()
    example: str = ""
    reference: str = ""

    @property
    def spelling(self) -> str:
        """How messages name it: by its sign, else by its name before ``[``."""
        return self.sign or (self.names[0] if self.names else self.name)

    @property
    def literal_positions(self) -> tuple[int, ...]:
        """Positions of the literal arguments among all arguments in brackets."""
        first = len(self.operands)
        return self.parameter_positions or tuple(range(first, first + len(self.parameter_names)))

    def needs_acceptor(self, operand: int) -> bool:
        """Whether that operand must be an acceptor."""
        return operand < len(self.acceptors) and self.acceptors[operand]
