"""``ag.torch.Equation``: an equation as a module whose graphs' weights are learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from arcgrad.compiler.types import Type
from arcgrad.equation import Mode
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import listed
from arcgrad.runtime.data.graph import Graph
from arcgrad.torch.calls import refuse_positions
from arcgrad.torch.functions import compile

if TYPE_CHECKING:
    from arcgrad.compiler.limits import Limits

__all__ = ["Equation"]


class Equation(nn.Module):
    """An equation some of whose graphs belong to a module: their weights are its parameters.

    The other inputs are given to each call. Arcs of weight −∞ are absent and stay so: their gradient is zero.

    Attributes:
        function: the ``ag.torch.Function`` that is called.
        graphs: the graphs as they were given, by name; their topologies do not change.
        weights: the parameters, by the names of their graphs; in ``state_dict`` as ``weights.A``.

    Example:
        >>> import arcgrad as ag, torch
        >>> bigram = ag.Graph([0, 0], [0, 0], [1, 2], accept=[0])
        >>> model = ag.torch.Equation("LSE[A] - LSE[B A]", A=ag.linear([1, 2]), frozen="A")
        >>> list(model.parameters())
        []
        >>> model = ag.torch.Equation("LSE[X ∘ G]", G=bigram, dtype=torch.float32)
        >>> model
        Equation('LSE[X ∘ G]', G=Graph(1 state, 2 arcs, acceptor, start 0, accept 0))
        >>> model(X=torch.zeros(3, 4)).backward()
        >>> model.weights["G"].grad
        tensor([1.5000, 1.5000])
    """

    def __init__(
        self,
        text: str,
        graphs: Mapping[str, Graph] | None = None,
        /,
        *,
        frozen: str | Iterable[str] = (),
        dtype: torch.dtype = torch.float64,
        symbols: Any = None,
        definitions: str | None = None,
        mode: Mode = "auto",
        limits: Limits | None = None,
        **named: Graph,
    ) -> None:
        """An equation with its graphs.

        Args:
            text: as for ``ag.torch.compile``, and so are symbols, definitions, mode and limits.
            graphs: graphs by the names of inputs, for names that keywords cannot spell or that are options here.
            frozen: names of graphs whose weights are not learnt.
            dtype: of the parameters.
            named: graphs by the names of inputs.

        Raises:
            EquationError: the text is wrong; the error points at the place.
            InputError: a name that is not an input, a value that is not a graph, or a dtype that is not floating.
        """
        super().__init__()
        self.function = compile(text, symbols, definitions, mode, limits=limits)
        self.graphs = self._checked({} if graphs is None else graphs, named)
        names = [frozen] if isinstance(frozen, str) else listed(frozen, "frozen", "a name of a graph, or several")
        for name in names:
            if name not in self.graphs:
                raise InputError(
                    f"frozen={shown(name)} is none of the graphs: {', '.join(self.graphs) or 'there are none'}"
                )
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise InputError(f"dtype is {shown(dtype)}, but weights are learnt in a floating-point torch.dtype")
        self.weights = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor(graph.weight).to(dtype))
                for name, graph in self.graphs.items()
                if name not in names
            }
        )

    def _checked(self, graphs: Mapping[str, Graph], named: Mapping[str, Graph]) -> dict[str, Graph]:
        if not isinstance(graphs, Mapping):
            raise InputError(f"the second positional argument is a mapping from names to graphs, not {kind_of(graphs)}")
        types = self.function.equation._program.inputs
        found: dict[str, Graph] = {}
        for name, graph in [*graphs.items(), *named.items()]:
            if name not in types:
                raise InputError(f"{shown(name)} is not an input of the equation; its inputs are: {', '.join(types)}")
            if name in found:
                raise InputError(f"{name} is given twice, in the mapping and by keyword")
            if not isinstance(graph, Graph) or types[name] is not Type.GRAPH:
                raise InputError(
                    f"{name} is a {types[name]} in this equation, and {kind_of(graph)} was given, but a module keeps "
                    f"graphs alone",
                    hint=f"give {name} to each call",
                )
            found[name] = graph
        return found

    def forward(self, inputs: Mapping[str, Any] | None = None, /, *others: Any, **named: Any) -> Tensor:
        """The equation's value; inputs that the module has not are given as to ``ag.torch.Function``.

        Raises:
            InputError: an input is missing, is the module's own, or is wrong.
        """
        if others:
            refuse_positions([name for name in self.function.equation.inputs if name not in self.graphs])
        if inputs is not None and not isinstance(inputs, Mapping):
            raise InputError(f"the one positional argument is a mapping from names to inputs, not {kind_of(inputs)}")
        given = {**(inputs or {}), **named}
        for name, graph in self.graphs.items():
            if name in given:
                raise InputError(f"input {name} is the module's own, and cannot be given to a call")
            given[name] = (graph, self.weights[name]) if name in self.weights else graph
        return self.function(given)

    def learned(self, name: str) -> Graph:
        """A graph with the weights that it has now.

        Raises:
            InputError: the module has no such graph.

        Example:
            >>> import arcgrad as ag
            >>> ag.torch.Equation("LSE[A]", A=ag.linear([1], [0.5])).learned("A").weight
            array([0.5])
        """
        if name not in self.graphs:
            raise InputError(f"{shown(name)} is none of the module's graphs: {', '.join(self.graphs) or 'it has none'}")
        graph = self.graphs[name]
        if name not in self.weights:
            return graph
        return graph.with_weight(np.asarray(self.weights[name].detach().cpu().to(torch.float64)))

    def extra_repr(self) -> str:
        """The equation and its graphs, for ``print(module)``."""
        return ", ".join([repr(self.function.equation.text.strip()), *(f"{n}={g}" for n, g in self.graphs.items())])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"
