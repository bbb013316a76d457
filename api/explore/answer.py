"""``explore``: a request is read and checked, evaluated by the interpreter, and what came of it encoded."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from arcgrad.explore.encode import encode_array, encode_error, encode_gradients, encode_value
from arcgrad.explore.inputs import BINARIES, FORMS, read_bytes, read_text
from arcgrad.explore.schema import WANTED
from arcgrad.grammar.errors import ArcgradError, InputError, LimitError

if TYPE_CHECKING:
    from arcgrad.equation import Equation
    from arcgrad.runtime.data.symbols import SymbolTable
    from arcgrad.runtime.draw.drawing import Drawing
    from arcgrad.runtime.reference.record import Trace, TraceNode

__all__ = ["explore"]

MOST_CHARACTERS = 20_000  # of an equation
MOST_TEXT = 2_000_000  # of an input or a table
MOST_INPUTS = 50
MOST_ARCS = 2_000  # that an answer lists of a graph
MOST_NODES = 60  # of a computation that is drawn
_STATES, _ARCS, _BYTES, _NODES = 50_000, 200_000, 256 << 20, 5_000


def explore(request: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate an equation as a request says; never raises for what a request holds.

    Graphs that it builds are limited to 50,000 states and 200,000 arcs; how long it takes is for the caller to limit.

    Args:
        request: ``{"equation": …, "inputs": {name: …}, "symbols": …, "want": […]}``, of which only the equation must be
            there. An input is a text, or ``{"text": …, "form": …}``, or ``{"base64": …, "form": …}``; `SCHEMA` says
            what the forms are. ``want`` lists what to compute of value, gradient, trace, pictures, computation (its
            picture), plan, source and python (a script that does the same); without it, value.

    Returns:
        ``{"ok", "arcgrad", "equation", "error", "warnings"}``, and what was wanted, as far as it could be computed:
        where an input is missing, there is no value, but a plan. It holds what JSON has, and nothing else.

    Example:
        >>> answer = explore({"equation": "MAX[A] + w", "inputs": {"A": '"ab"⟨2⟩', "w": "0.5"}})
        >>> answer["value"]
        {'type': 'score', 'value': 2.5, 'text': '2.5'}
    """
    from arcgrad.runtime.jit.background.waiting import plain_python

    answer: dict[str, Any] = {"ok": False, "arcgrad": _version(), "equation": None, "error": None, "warnings": []}
    with plain_python(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            _Answering(_Request(request), answer).run()
        except _Failed as failed:
            answer["error"] = failed.encoded
        except (MemoryError, RecursionError) as error:
            answer["error"] = encode_error(LimitError(f"this takes more memory than there is ({type(error).__name__})"))
    answer["ok"] = answer["error"] is None
    answer["warnings"] += list(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning)))
    return answer


_EVALUATED = {"value", "gradient", "trace", "pictures", "computation"}


class _Failed(Exception):  # noqa: N818 - a signal within this module
    def __init__(self, error: Exception, where: str | None = None, name: str | None = None) -> None:
        super().__init__(str(error))
        self.encoded = encode_error(error, where, name)


def _version() -> str:
    import arcgrad

    return str(arcgrad.__version__)


def _refuse(message: str, hint: str | None = None) -> _Failed:
    return _Failed(InputError(message, hint=hint), "request")


class _Request:
    """The parts of a request, of the types and sizes that they must have."""

    def __init__(self, given: Any) -> None:
        if not isinstance(given, Mapping):
            raise _refuse("a request is an object with an equation")
        unknown = [key for key in given if key not in ("equation", "inputs", "symbols", "want")]
        if unknown:
            raise _refuse(f"a request has no {str(unknown[0])[:40]!r}; it has equation, inputs, symbols and want")
        self.equation = _text(given.get("equation"), "equation", MOST_CHARACTERS)
        symbols = given.get("symbols")
        self.symbols = None if symbols is None else _text(symbols, "symbols", MOST_TEXT)
        wanted = given.get("want", ["value"])
        if not isinstance(wanted, (list, tuple)) or any(each not in WANTED for each in wanted):
            raise _refuse(f"want lists some of {', '.join(WANTED)}")
        self.want = frozenset(wanted)
        inputs = given.get("inputs", {})
        if not isinstance(inputs, Mapping) or len(inputs) > MOST_INPUTS:
            raise _refuse(f"inputs is an object from names to at most {MOST_INPUTS} inputs")
        self.inputs = {_text(name, "a name", 200): _Given.of(name, value) for name, value in inputs.items()}


def _text(value: Any, what: str, most: int) -> str:
    if not isinstance(value, str):
        raise _refuse(f"{what} must be a string")
    if len(value) > most:
        raise _refuse(f"{what} has {len(value):,} characters, but may have at most {most:,}")
    return value


@dataclasses.dataclass(frozen=True)
class _Given:
    """An input as it was given: text, or a file's bytes in base64."""

    data: str
    form: str
    is_binary: bool

    @classmethod
    def of(cls, name: str, value: Any) -> _Given:
        parts = {"text": value} if isinstance(value, str) else value
        what = f"the input {name[:40]}"
        if not isinstance(parts, Mapping) or ("text" in parts) == ("base64" in parts):
            raise _refuse(f"{what} must be a string, or an object with text or base64")
        form = parts.get("form", "auto")
        if form not in FORMS or parts.keys() - {"text", "base64", "form"}:
            raise _refuse(f"{what} has text or base64, and a form of {', '.join(FORMS)}")
        is_binary = "base64" in parts
        if form in BINARIES and not is_binary:
            raise _refuse(f"{what} is of the binary form {form}, which is given in base64")
        return cls(_text(parts["base64" if is_binary else "text"], what, MOST_TEXT), form, is_binary)


class _Answering:
    """One request's way to its answer, which is filled as far as it goes."""

    def __init__(self, request: _Request, answer: dict[str, Any]) -> None:
        from arcgrad.compiler.limits import Limits

        self.request = request
        self.answer = answer
        self.limits = Limits(states=_STATES, arcs=_ARCS, bytes=_BYTES, nodes=_NODES)
        self.table: SymbolTable | None = None

    def run(self) -> None:
        """Fill the answer; raises _Failed where it cannot go on."""
        self.table = self._symbols()
        equation = self._equation()
        try:
            inputs = self._inputs(equation)
        except _Failed:
            if "plan" in self.request.want:
                self._plan(equation, None)
            raise
        if "python" in self.request.want:
            self._script(equation)
        if self.request.want & _EVALUATED:
            try:
                self._evaluate(equation, inputs)
            except ArcgradError as error:
                if self.request.want & {"plan", "source"}:
                    self._tell(equation, inputs)
                raise _Failed(error) from None
        self._tell(equation, inputs)

    def _symbols(self) -> SymbolTable | None:
        from arcgrad.runtime.data.symbols import SymbolTable

        if self.request.symbols is None or not self.request.symbols.strip():
            return None
        try:
            return SymbolTable.from_text(self.request.symbols, "symbols")
        except ArcgradError as error:
            raise _Failed(error, "symbols") from None

    def _equation(self) -> Equation:
        from arcgrad.equation import compile_equation

        try:
            equation = compile_equation(self.request.equation, self.table, None, "interpret", limits=self.limits)
        except ArcgradError as error:
            raise _Failed(error, "equation") from None
        types = equation._program.inputs
        self.answer["equation"] = {
            "latex": equation.latex,
            "result": equation._program.result.type.name.lower(),
            "inputs": {name: type_.name.lower() for name, type_ in types.items()},
        }
        return equation

    def _inputs(self, equation: Equation) -> dict[str, Any]:
        """What the equation takes of what is given; more may be given, so that it can be left in place while typing."""
        from arcgrad.compiler.types import Type
        from arcgrad.grammar import normalise_name

        found: dict[str, Any] = {}
        for spelling, given in self.request.inputs.items():
            try:
                name = normalise_name(spelling)
            except ArcgradError as error:
                raise _Failed(InputError(error.message, hint=error.hint), "input", spelling) from None
            if name not in equation.inputs:
                continue
            if name in found:
                raise _Failed(InputError(f"{name} is given twice"), "input", spelling)
            try:
                found[name] = self._read(given, equation._program.inputs[name] is Type.GRAPH)
            except ArcgradError as error:
                raise _Failed(error, "input", spelling) from None
        missing = [name for name in equation.inputs if name not in found]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise _Failed(InputError(f"{', '.join(missing)} {verb} not given"), "input", missing[0])
        return found

    def _read(self, given: _Given, is_graph: bool) -> Any:
        if not given.data.strip():
            raise InputError("nothing is typed here yet", hint='a graph, such as "cat" or 0 1 a 0.5; a score; a file')
        if given.is_binary:
            return read_bytes(given.data, given.form, self.table)
        # A graph of one state is typed as a number.
        return read_text(given.data, given.form, self.table, self.limits, is_graph=is_graph)

    def _evaluate(self, equation: Equation, inputs: dict[str, Any]) -> None:
        from arcgrad.runtime.data.graph import Graph

        trace = equation.trace(inputs)
        symbols = self._shown_symbols()
        want = self.request.want
        result = trace.nodes[-1]
        self.answer["value"] = encode_value(result.value, symbols, MOST_ARCS)
        if want & {"gradient", "pictures"}:
            by_name = {node.name: node for node in trace.nodes if not node.inputs and node.name in inputs}
            gradients = {}
            for name, node in by_name.items():
                given, gradient = inputs[name], node.gradient
                if not isinstance(given, Graph) and isinstance(node.value, Graph):  # dense scores
                    gradient = gradient.reshape(given.scores.shape[-2:] if hasattr(given, "scores") else (-1,))
                elif isinstance(given, Graph) and given.tie is not None:
                    gradient = _of_parameters(given, gradient)
                gradients[name] = gradient
            self.answer["gradient"] = encode_gradients(inputs, gradients, MOST_ARCS)
        if "pictures" in want:
            self._draw(inputs, trace, symbols)
        if "computation" in want:
            few = len(trace.nodes) <= MOST_NODES
            self.answer["computation"] = _drawn(trace.draw, symbols) if few else None
        if "trace" in want:
            self.answer["trace"] = [_encode_node(node, symbols) for node in trace.nodes]

    def _draw(self, inputs: dict[str, Any], trace: Trace, symbols: Any) -> None:
        """Draw the value, where it is a graph, and every graph that is given, its arcs as wide as their gradients."""
        from arcgrad.runtime.data.graph import Graph

        result = trace.nodes[-1].value
        self.answer["pictures"] = {
            "value": _drawn(result.draw, symbols) if isinstance(result, Graph) else None,
            "inputs": {
                node.name: _drawn(partial(node.value.draw, color=node.gradient), symbols)
                for node in trace.nodes
                if isinstance(inputs.get(node.name), Graph) and not node.inputs
            },
        }

    def _shown_symbols(self) -> Any:
        """The table by which labels are named: characters, where something is written with characters."""
        from arcgrad.runtime.data.symbols import CODE_POINTS

        if self.table is not None:
            return self.table
        typed = any(not g.is_binary and g.form in ("auto", "expression", "graph") for g in self.request.inputs.values())
        return CODE_POINTS if typed or '"' in self.request.equation else None

    def _tell(self, equation: Equation, inputs: dict[str, Any] | None) -> None:
        if "plan" in self.request.want:
            self._plan(equation, inputs)
        if "source" in self.request.want and inputs is not None:
            try:
                self.answer["source"] = equation.source(inputs)
            except ArcgradError as error:
                self.answer["warnings"].append(f"no source: {error.message}")

    def _script(self, equation: Equation) -> None:
        from arcgrad.compiler.types import Type
        from arcgrad.explore.script import Written, script
        from arcgrad.grammar import normalise_name

        types = equation._program.inputs
        given = {normalise_name(spelling): value for spelling, value in self.request.inputs.items()}
        written = {
            name: Written("" if given[name].is_binary else given[name].data, given[name].form, type_ is Type.GRAPH)
            for name, type_ in types.items()
        }
        symbols = None if self.table is None else self.request.symbols
        differentiable = any(type_ is not Type.MAPPING for type_ in types.values())
        self.answer["python"] = script(self.request.equation, symbols, written, has_gradient=differentiable)

    def _plan(self, equation: Equation, inputs: dict[str, Any] | None) -> None:
        try:
            explanation = equation.explain(inputs) if inputs else equation.explain()
        except ArcgradError as error:
            self.answer["warnings"].append(f"no plan: {error.message}")
            return
        # How the next call is answered, and what this process has done, say nothing of the equation.
        costs = tuple(line for line in explanation.costs if not line.startswith("in this process"))
        self.answer["plan"] = str(dataclasses.replace(explanation, costs=costs, tier=None))


def _drawn(draw: Callable[..., Drawing], symbols: Any) -> str:
    try:
        return draw(symbols=symbols).svg
    except ArcgradError:  # a label that is not in the table
        return draw().svg


def _encode_node(node: TraceNode, symbols: Any) -> dict[str, Any]:
    gradient = node.gradient[:MOST_ARCS] if hasattr(node.gradient, "shape") else node.gradient
    return {
        "name": node.name,
        "expression": node.expression,
        "value": encode_value(node.value, symbols, MOST_ARCS),
        "gradient": encode_array(gradient),
        "inputs": [other.name for other in node.inputs],
    }


def _of_parameters(graph: Any, gradient: Any) -> Any:
    import numpy as np

    return np.bincount(graph.tie, weights=gradient, minlength=len(graph.weight))
