"""``ag.compile``: text → Equation, the object that people call.

The facade over grammar, compiler and runtime: it names and checks what comes in, and shapes what goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

from arcgrad.display import Displayed
from arcgrad.grammar.errors import EquationError, InputError
from arcgrad.grammar.mistakes import described, kind_of, nearest, shown
from arcgrad.runtime.lru import Lru

if TYPE_CHECKING:
    from arcgrad.compiler.frontend.ir import Program
    from arcgrad.compiler.limits import Limits
    from arcgrad.runtime.call.evaluator import Evaluator
    from arcgrad.runtime.inspect.explain import Explanation
    from arcgrad.runtime.inspect.gradient_check import GradientReport
    from arcgrad.runtime.inspect.jacobian import Jacobian
    from arcgrad.runtime.reference.interpreter import Trace

__all__ = ["Equation", "compile_equation"]

Mode = Literal["auto", "interpret", "kernels", "fused"]
_MODES = ("auto", "interpret", "kernels", "fused")


class Equation(Displayed):
    """A parsed, type-checked and optimised equation. Made by ``ag.compile``; call it with its inputs.

    Graphs are ``ag.Graph``, ``ag.dense`` or an array of scores (T, C); a batch is a list of graphs or an array
    (B, T, C); scores are numbers, or arrays (B,) in a batch. Inputs are given by keyword, or as one positional mapping.
    Arrays of other libraries (torch's, JAX's, whatever has ``__dlpack__``) are read where they lie on the CPU; values
    of batches and gradients are of their kind.

    Attributes:
        text: as given.
        inputs: names of the inputs in order of first appearance.
        mode: "auto", "interpret", "kernels" or "fused".

    Example:
        >>> import arcgrad as ag
        >>> eq = ag.compile("LSE[A ∘ B]")
        >>> eq.inputs
        ('A', 'B')
        >>> round(eq(A=ag.linear([1, 2], [0.5, 0.25]), B=ag.linear([1, 2], [1.0, 0.0])), 6)
        1.75
    """

    def __init__(
        self, text: str, symbols: Any, definitions: str | None, mode: Mode, limits: Limits, program: Program
    ) -> None:
        from arcgrad.compiler.types import Type
        from arcgrad.runtime.call.evaluator import Evaluator

        self.text = text
        self.mode: Mode = mode
        self.inputs = tuple(program.inputs)
        self._options = (symbols, definitions, mode, limits)
        self._program = program
        self._differentiable = tuple(n for n, type_ in program.inputs.items() if type_ is not Type.MAPPING)
        self._evaluator: Evaluator = Evaluator(program, mode, limits)

    def __call__(self, inputs: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """The equation's value.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            named: inputs by name.

        Returns:
            A float in nats for a score (an int for a COUNT), a Graph for a graph; for a batch (B,) or a list of graphs.

        Raises:
            InputError, DivergenceError, UndefinedError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> ag.compile("MAX[A] - 1")(A=ag.linear([3], [2.5]))
            1.5
        """
        return self._evaluator.value(self._given(inputs, named))

    def value_and_grad(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        wrt: str | Iterable[str] | None = None,
        cotangent: Any = None,
        out: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """The value and its gradient with respect to inputs.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            wrt: names of the inputs to differentiate with respect to; None: all but label mappings.
            cotangent: what the gradient is multiplied with. For a score a number, or (B,) for a batch; for a graph an
                array (n_arcs,) of the value's arcs (a list of them for a batch). None: ones.
            out: for some inputs, arrays that take the gradient, of its shape and dtype and C-contiguous, whatever is
                in them. Without, large gradients lie in memory that earlier ones left, up to 256 MB of which is kept
                until ``ag.cache.clear()``.
            named: inputs by name.

        Returns:
            The value as when called, and a dict from input name to gradient: (n_arcs,) for a graph ((n_parameters,)
            where it is tied), the shape of the scores for a dense input, a float or (B,) for a score, lists for lists.
            In a batch the gradient is that of the sum of the items' values; a shared input's gradient is summed.

        Raises:
            InputError, DivergenceError, UndefinedError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> value, grad = ag.compile("LSE[A + B]").value_and_grad(A=ag.linear([1]), B=ag.linear([2]))
            >>> grad["A"], grad["B"]
            (array([0.5]), array([0.5]))
        """
        return self._evaluator.value_and_grad(self._given(inputs, named), self._names(wrt), cotangent, out)

    def pullback(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        wrt: str | Iterable[str] | None = None,
        **named: Any,
    ) -> tuple[Any, Callable[..., dict[str, Any]]]:
        """The value, and a function that takes its cotangent back to the inputs.

        For whoever learns the cotangent only later, as frameworks do, or has several. ``value_and_grad`` is this and
        one pull, and faster where the cotangent is known.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            wrt: names of the inputs to differentiate with respect to; None: all but label mappings.
            named: inputs by name.

        Returns:
            The value as when called, and ``pull(cotangent=None)``: the gradients that ``value_and_grad`` gives for that
            cotangent. It may be called any number of times, and evaluates no score again.

        Raises:
            InputError, DivergenceError, UndefinedError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> value, pull = ag.compile("LSE[A + B]").pullback(A=ag.linear([1]), B=ag.linear([2]))
            >>> pull()["A"], pull(3.0)["A"]
            (array([0.5]), array([1.5]))
        """
        return self._evaluator.pullback(self._given(inputs, named), self._names(wrt))

    def hvp(
        self,
        vector: Any,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        wrt: str | Iterable[str] | None = None,
        **named: Any,
    ) -> Any:
        """The Hessian of a score with respect to inputs, times a vector: how the gradient changes along the vector.

        Exact, by a routine of its own that is planned at the first call. The second derivatives of ``MAX``, ``MIN`` and
        ``COUNT`` are zero.

        Args:
            vector: of the gradient's shape: for a graph (n_arcs,) ((n_parameters,) where it is tied), for a dense input
                the scores' shape, for a score a number or (B,), lists for lists. For several inputs a mapping from
                their names.
            inputs: inputs as a mapping, for names that keywords cannot spell.
            wrt: the name of one input, or names of several; None: all but label mappings. The Hessian's rows and
                columns are those of these inputs.
            named: inputs by name.

        Returns:
            The product, of the vector's form: an array (a number, a list) where ``wrt`` is one name, or where there is
            one input and the vector is not a mapping; else a dict. In a batch the Hessian is that of the sum of the
            items' values. Zeros where the score is infinite.

        Raises:
            InputError: the vector is not of the gradient's shape, or the equation's value is a graph.
            DivergenceError, UndefinedError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> a, b = ag.linear([1]), ag.linear([2])
            >>> ag.compile("LSE[A + B]").hvp([1.0], A=a, B=b, wrt="A")
            array([0.25])
        """
        names = self._names(wrt)
        is_one = isinstance(wrt, str) or (len(names) == 1 and not isinstance(vector, Mapping))
        found = self._evaluator.hvp(self._given(inputs, named), vector, names, is_one=is_one)
        return found[names[0]] if is_one else found

    @overload
    def jacobian(self, inputs: Mapping[str, Any] | None = None, /, *, wrt: str, **named: Any) -> Jacobian: ...

    @overload
    def jacobian(
        self, inputs: Mapping[str, Any] | None = None, /, *, wrt: Iterable[str] | None = None, **named: Any
    ) -> dict[str, Jacobian]: ...

    def jacobian(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        wrt: str | Iterable[str] | None = None,
        **named: Any,
    ) -> Jacobian | dict[str, Jacobian]:
        """The partial derivatives of each output arc's weight by each input arc's weight, of a graph-valued equation.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            wrt: one name, or several for a dict of Jacobians; None: all graph inputs.
            named: inputs by name.

        Returns:
            A sparse matrix, rows: arcs of the output, columns: arcs of the input.

        Raises:
            InputError: the equation's value is a score, or the inputs are a batch.

        Example:
            >>> import arcgrad as ag
            >>> J = ag.compile("A B").jacobian(wrt="A", A=ag.linear([1, 2]), B=ag.linear([3, 4]))
            >>> J.shape, J.rows.tolist(), J.columns.tolist()
            ((5, 2), [0, 1], [0, 1])
        """
        names = self._names(wrt)
        from arcgrad.runtime.inspect.jacobian import jacobians

        found = jacobians(self._evaluator, self._evaluator.bind(self._given(inputs, named)), names)
        return found[names[0]] if isinstance(wrt, str) and names else found

    def trace(self, inputs: Mapping[str, Any] | None = None, /, *, cotangent: Any = None, **named: Any) -> Trace:
        """Every intermediate result and its gradient, by the reference interpreter.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            cotangent: as for ``value_and_grad``.
            named: inputs by name.

        Returns:
            A Trace: ``nodes`` in order of evaluation, each with ``name`` (an input's, or G1 … Gn), ``expression``,
            ``value``, ``gradient`` and ``inputs``.

        Raises:
            InputError: the inputs are a batch, or wrong as for a call.
            DivergenceError, UndefinedError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> x = ag.linear([1], [-1.0])
            >>> t = ag.compile("LSE[(A1 + A2) ∘ X*]").trace(A1=x, A2=x, X=x)
            >>> [f"{n.name} = {n.expression}" for n in t.nodes if n.inputs]
            ['G1 = A1 + A2', 'G2 = X*', 'G3 = G1 ∘ G2', 'G4 = LSE[G3]']
        """
        return self._evaluator.trace(self._given(inputs, named), cotangent)

    def check_grad(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        wrt: str | Iterable[str] | None = None,
        step: float = 1e-5,
        tolerance: float = 1e-5,
        **named: Any,
    ) -> GradientReport:
        """Compare the gradient with central finite differences, and say where they differ.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            wrt: names of inputs; None: all.
            step: half the distance of the two evaluations, in nats.
            tolerance: greatest difference, relative to the larger of 1 and the derivative, that counts as agreement.
            named: inputs by name.

        Returns:
            A report whose ``ok`` says whether all derivatives agree; printed, it says where they do not.

        Raises:
            InputError, DivergenceError, UndefinedError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> ag.compile("LSE[A]").check_grad(A=ag.linear([1, 2])).ok
            True
        """
        from arcgrad.runtime.inspect.gradient_check import check_gradient

        return check_gradient(self._evaluator, self._given(inputs, named), self._names(wrt), step, tolerance)

    def explain(self, inputs: Mapping[str, Any] | None = None, /, **named: Any) -> Explanation:
        """The plan: what was rewritten, fused, hoisted, cached; with inputs, also states, arcs, operations and bytes.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            named: inputs by name; none at all: the plan for inputs that are graphs.

        Raises:
            InputError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> print(ag.compile("LSE[rev[A]]").explain())  # doctest: +ELLIPSIS
            LSE[rev[A]]
            ...
        """
        from arcgrad.runtime.inspect.explain import explain

        given = self._given(inputs, named) if inputs is not None or named else None
        return explain(self._evaluator, None if given is None else self._evaluator.bind(given))

    def source(self, inputs: Mapping[str, Any] | None = None, /, **named: Any) -> str:
        """The text of the routine that is generated for these inputs.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            named: inputs by name.

        Raises:
            InputError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag
            >>> "def routine(" in ag.compile("LSE[A]").source(A=ag.linear([1, 2]))
            True
        """
        return self._evaluator.source(self._given(inputs, named))

    def __repr__(self) -> str:
        text = self.text.strip()
        shown = text if len(text) <= 200 else text[:199] + "…"
        return f"<arcgrad equation {shown!r} of {', '.join(self.inputs) or 'no inputs'}>"

    def __reduce__(self) -> tuple[Callable[..., Equation], tuple[Any, ...]]:
        return _restore, (self.text, *self._options)

    def _given(self, inputs: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
        if inputs is None and named.keys() == self._program.inputs.keys():
            return {name: named[name] for name in self.inputs}
        from arcgrad.runtime.data.inputs import resolve_names

        if inputs is None:
            return resolve_names(self._program.inputs, named, self.text)
        if not isinstance(inputs, Mapping):
            raise InputError(
                f"the one positional argument is a mapping from names to inputs, not {kind_of(inputs)}",
                hint=f"write equation({', '.join(f'{n}=…' for n in self.inputs)})",
            )
        both = [name for name in named if name in inputs]
        if both:
            raise InputError(f"{both[0]} is given twice, in the mapping and by keyword")
        return resolve_names(self._program.inputs, {**inputs, **named}, self.text)

    def _names(self, wrt: str | Iterable[str] | None) -> tuple[str, ...]:
        if wrt is None:
            return self._differentiable
        if isinstance(wrt, str) and wrt in self._differentiable:
            return (wrt,)
        from arcgrad.compiler.types import Type
        from arcgrad.grammar import normalise_name
        from arcgrad.runtime.data.arguments import listed

        names = []
        for given in [wrt] if isinstance(wrt, str) else listed(wrt, "wrt", "a name of an input, or several"):
            if not isinstance(given, str):
                raise InputError(f"wrt names inputs, but {shown(given)} is {kind_of(given)}")
            try:
                name = given if given in self._program.inputs else normalise_name(given)
            except EquationError:
                name = given
            if name not in self._program.inputs:
                near = nearest(name, self.inputs)
                raise InputError(
                    f"wrt={given!r} is not an input of the equation; its inputs are {', '.join(self.inputs) or 'none'}",
                    hint=None if near is None else f"did you mean {described(near, name, near)}?",
                )
            if self._program.inputs[name] is Type.MAPPING:
                raise InputError(f"wrt={given!r} is a label mapping, by which there is no derivative")
            names.append(name)
        return tuple(dict.fromkeys(names))


# About what an equation keeps: its text and graph of operators. What it prepares lies in caches of its own.
_BYTES_OF_AN_EQUATION = 20_000
_equations = Lru[Equation]("equations", lambda equation: _BYTES_OF_AN_EQUATION, capacity=512)


def compile_equation(
    text: str,
    symbols: Any = None,
    definitions: str | None = None,
    mode: Mode = "auto",
    *,
    limits: Limits | None = None,
) -> Equation:
    """Parse, check and optimise an equation. The same arguments give the same object, as long as it is kept.

    Args:
        text: an equation or program in the language of docs/language.md, in Unicode, ASCII or LaTeX.
        symbols: an ``ag.SymbolTable`` (or what makes one) in which literals such as ``"abc"`` look up labels; None:
            Unicode code points.
        definitions: text of definitions that the equation may use.
        mode: "auto" answers at once, and has another process compile where that pays; "fused" compiles now; "kernels"
            runs the plan over the kernel library, and so does "fused" beyond 100 steps; "interpret" is the reference
            interpreter.
        limits: budgets of states, arcs and bytes; None: ``ag.Limits()``.

    Raises:
        EquationError: the text is wrong; the error points at the place.
        LimitError: definitions expand without end.

    Example:
        >>> import arcgrad as ag
        >>> ag.compile(r"\\text{LSE}[\\mathcal{A}_1 \\circ \\mathcal{B}]").inputs
        ('A1', 'B')
    """
    from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits

    if not isinstance(mode, str) or mode not in _MODES:
        raise InputError(f"mode={shown(mode)} is none of {', '.join(_MODES)}")
    if not isinstance(text, str):
        raise InputError(f"an equation is a str, not {kind_of(text)}")
    if not isinstance(definitions, (str, type(None))):
        raise InputError(f"definitions are a text of them, not {kind_of(definitions)}")
    if not isinstance(limits, (Limits, type(None))):
        raise InputError(f"limits are ag.Limits(…), not {shown(limits)}")
    if symbols is not None:
        from arcgrad.runtime.data.symbols import SymbolTable

        if not isinstance(symbols, SymbolTable):
            symbols = SymbolTable(symbols)
    limits = limits or DEFAULT_LIMITS
    key = (text, id(symbols), definitions, mode, limits)
    program = partial(_elaborate, text, symbols, definitions, limits)
    # An equation keeps the table alive, so that its id stays its own.
    return _equations.get_or_build(key, lambda: Equation(text, symbols, definitions, mode, limits, program()))[0]


def _elaborate(text: str, symbols: Any, definitions: str | None, limits: Limits) -> Program:
    from arcgrad.compiler.frontend.elaborate import elaborate, operator_names
    from arcgrad.grammar import parse, parse_definitions

    names = operator_names()
    library = parse_definitions(definitions, names) if definitions is not None else None
    return elaborate(parse(text, names), library=library, symbols=symbols, limits=limits)


def _restore(text: str, symbols: Any, definitions: str | None, mode: Mode, limits: Limits) -> Equation:
    return compile_equation(text, symbols, definitions, mode, limits=limits)
