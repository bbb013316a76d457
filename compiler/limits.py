"""Budgets: how much one evaluation may build before it stops with a LimitError instead of filling the memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from arcgrad.grammar.errors import InputError, LimitError
from arcgrad.grammar.mistakes import shown

__all__ = ["DEFAULT_LIMITS", "Limits", "generous"]

_LARGEST_INT32 = 2**31 - 1

# Source, destination, two labels, and an arc number of each of two operands, as int32.
_BYTES_PER_ARC = 24


@dataclass(frozen=True, slots=True)
class Limits:
    """The most states, arcs and bytes of one graph that an evaluation may build, and the most nodes of one equation.

    Example:
        >>> from arcgrad.compiler.limits import Limits
        >>> Limits(states=10).check("A{20}", states=21, arcs=20)
        Traceback (most recent call last):
        ...
        arcgrad.grammar.errors.LimitError: A{20} would have 21 states, but the limit is 10
        hint: raise it with limits=ag.Limits(states=21)
    """

    states: int = 1 << 21
    arcs: int = 1 << 23
    bytes: int = 2 << 30
    nodes: int = 200_000

    def __post_init__(self) -> None:
        for name in ("states", "arcs", "bytes", "nodes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InputError(f"limits: {name} is {shown(value)}, but must be a whole number, 0 or more")
        for name in ("states", "arcs"):
            if getattr(self, name) > _LARGEST_INT32:
                raise InputError(
                    f"limits: {name} is {shown(getattr(self, name))}, but states and arcs are numbered with 32 bits",
                    hint=f"give at most {_LARGEST_INT32}",
                )

    def check_graph(self, what: str, states: int, arcs: int, *, smaller: str = "") -> None:
        """Raise LimitError where a graph of that size, with the origin of its weights, exceeds a budget."""
        self.check(what, states=states, arcs=arcs, bytes=_BYTES_PER_ARC * arcs, smaller=smaller)

    def check(
        self,
        what: str,
        *,
        states: int = 0,
        arcs: int = 0,
        bytes: int = 0,
        at_least: bool = False,
        usual: Mapping[str, float] | None = None,
        smaller: str = "",
    ) -> None:
        """Raise LimitError where one of the counts exceeds its budget.

        Args:
            what: what would be built, as the message's subject.
            states: number of states of the graph.
            arcs: number of arcs of the graph.
            bytes: memory in bytes.
            at_least: the counts are lower bounds, reached when building stopped.
            usual: what the whole would then have, as far as it can be estimated.
            smaller: what the user may do instead of raising the limit.
        """
        counts = {"states": states, "arcs": arcs, "bytes": bytes}
        exceeded = [name for name, count in counts.items() if count > getattr(self, name)]
        if not exceeded:
            return
        name = exceeded[0]
        amount, stopped, usually = str(counts[name]), "", ""
        if at_least:
            amount, stopped, usually = f"at least {amount}", "; building stopped there", ", which usually suffices"
            counts = {n: generous(max(2 * count, (usual or {}).get(n, 0))) for n, count in counts.items()}
        most = {"states": _LARGEST_INT32, "arcs": _LARGEST_INT32}
        raised = {n: min(c, most.get(n, c)) for n, c in counts.items() if c > getattr(self, n)}
        hint = f"raise it with limits=ag.Limits({', '.join(f'{n}={c}' for n, c in raised.items())}){usually}"
        if name != "bytes" and int(amount.split()[-1]) > _LARGEST_INT32:
            hint = f"no graph can have more than {_LARGEST_INT32} {name}"
        raise LimitError(
            f"{what} would have {amount} {name}, but the limit is {getattr(self, name)}{stopped}",
            hint=f"{hint}; or {smaller}" if smaller else hint,
        )


def generous(estimate: float) -> int:
    """The power of two above an estimate."""
    return 1 << max(int(min(estimate, 2.0**62)), 1).bit_length()


DEFAULT_LIMITS = Limits()
