"""Instructions of a routine: what is done for one item of a batch, in order, each with the plan node it comes from.

Made by ``lower``, written as text by a renderer (``render_python``). Instructions name steps, outputs, regions and
dense inputs by node and number, never by a variable's name, so that another renderer may store them as it likes. The
value of a step is known once it ran; its cotangent is begun with ``ClearCotangent`` and added to until it is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.plan.plan import Plan

__all__ = [
    "AddInputGradient",
    "AddOutputCotangent",
    "AddWeightCotangent",
    "Apply",
    "ApplyDerivative",
    "Begin",
    "BeginBackward",
    "Check",
    "ClearCotangent",
    "ClearRows",
    "Instruction",
    "KernelChoice",
    "LoadScore",
    "Role",
    "Routine",
    "RunRegion",
    "StopUnlessWanted",
    "StoreValue",
    "When",
    "WriteWeight",
]

Role = Literal["forward", "backward", "seeded"]
"""What a region's kernel does: compute the value; pass a cotangent on after that; or both at once."""


class KernelChoice(Protocol):
    """The kernels of one region, chosen by the caller for its target, the region's shape and its semiring."""

    def kernel(self, role: Role, /) -> tuple[str, str] | None:
        """Module and name of the kernel in a role, or None where there is none."""
        ...


class When(Enum):
    """Whether an instruction on a dense input depends on its gradient's memory."""

    ALWAYS = "always"
    FRESH = "fresh"  # the gradient is to be written: whatever is there is not a number yet
    STALE = "stale"  # the gradient is to be added to


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        node: the plan node it comes from.
    """

    node: Node


@dataclass(frozen=True, slots=True)
class Begin(Instruction):
    """Find an item's leaf weights. The node is the equation's."""


@dataclass(frozen=True, slots=True)
class LoadScore(Instruction):
    """Read an input or a number.

    Attributes:
        entry: its position among the routine's entries.
    """

    entry: int


@dataclass(frozen=True, slots=True)
class ClearRows(Instruction):
    """Begin a dense input's fresh gradient with zeros.

    Attributes:
        dense: the input's number.
        if_infinite: do so only where an output is infinite, below which no derivative passes.
    """

    dense: int
    if_infinite: bool = False


@dataclass(frozen=True, slots=True)
class RunRegion(Instruction):
    """Run a region's kernel.

    Forward kernels compute the step's value. Seeded ones do so, too, and write the dense input's gradient. Backward
    ones add to gradients what the step's cotangent contributes, unless that is 0, the value infinite, or none wanted.

    Attributes:
        region: its number in the plan.
        role: which of its kernels.
        sign: the semiring's.
        dense: number of the dense input, if any.
        values: numbers of the dense inputs that the reduction's further graphs meet.
        when: whether it depends on the dense input's gradient. A forward run when that is stale follows the seeded
            run when it is fresh.
    """

    region: int
    role: Role
    sign: float
    dense: int | None = None
    when: When = When.ALWAYS
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Apply(Instruction):
    """Compute score arithmetic."""


@dataclass(frozen=True, slots=True)
class Check(Instruction):
    """Leave the item where a step failed, and note which step: its value is NaN, which no step gives otherwise.

    Attributes:
        bounded: fail also where the value is too large for a weight of a graph.
        exact: fail also where the value is too large for an exact whole number.
    """

    bounded: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class WriteWeight(Instruction):
    """Write a score to the leaf weights of graphs that it weights.

    Attributes:
        entry: its position among the routine's entries.
    """

    entry: int


@dataclass(frozen=True, slots=True)
class StoreValue(Instruction):
    """Hand out the value of an output.

    Attributes:
        output: its number.
    """

    output: int


@dataclass(frozen=True, slots=True)
class StopUnlessWanted(Instruction):
    """Leave the item where only values are wanted. The node is the equation's."""


@dataclass(frozen=True, slots=True)
class BeginBackward(Instruction):
    """Find an item's gradient of leaf weights. The node is the equation's."""


@dataclass(frozen=True, slots=True)
class ClearCotangent(Instruction):
    """Begin a node's cotangent with zero."""


@dataclass(frozen=True, slots=True)
class AddOutputCotangent(Instruction):
    """Add to an output's cotangent what the caller gave for it.

    Attributes:
        output: its number.
    """

    output: int


@dataclass(frozen=True, slots=True)
class AddWeightCotangent(Instruction):
    """Add to a score's cotangent the gradient of the weight that it was written to.

    Attributes:
        entry: its position among the routine's entries.
    """

    entry: int


@dataclass(frozen=True, slots=True)
class ApplyDerivative(Instruction):
    """Pass a step's cotangent on to operands of score arithmetic, times the derivatives with respect to them.

    Attributes:
        operands: positions of the operands.
        early: before the step's value is known; else only where the cotangent is not 0 and the value finite.
    """

    operands: tuple[int, ...]
    early: bool = False


@dataclass(frozen=True, slots=True)
class AddInputGradient(Instruction):
    """Add an input's cotangent to its gradient.

    Attributes:
        entry: its position among the routine's entries.
    """

    entry: int


@dataclass(frozen=True, eq=False)
class Routine:
    """A routine before it is written.

    Attributes:
        plan: what it evaluates.
        kernels: for each of the plan's regions, its kernels.
        instructions: what is done for each item, in order.
        entries: nodes whose leaf entries the routine reads or writes, in order of their use.
        dense: number of each dense input, by name.
        dtypes: "float32" or "float64" of each dense input, by number.
    """

    plan: Plan
    kernels: tuple[KernelChoice, ...]
    instructions: tuple[Instruction, ...]
    entries: tuple[Node, ...]
    dense: Mapping[str, int]
    dtypes: tuple[str, ...]
