"""What a request says, as a Python script: for whoever goes on in an editor or a notebook."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import NamedTuple

from arcgrad.explore.inputs import BINARIES, form_of, read_mapping, read_number, read_scores, tables_of

__all__ = ["Written", "script"]


class Written(NamedTuple):
    """An input as it was given: its text, its form, and whether a graph is expected; of a file's bytes no text."""

    text: str
    form: str
    is_graph: bool = True


def script(equation: str, symbols: str | None, inputs: Mapping[str, Written], *, has_gradient: bool = True) -> str:
    """The script.

    Args:
        equation: the equation's text.
        symbols: the table's text, or None.
        inputs: by name.
        has_gradient: whether there is an input to differentiate with respect to.

    Example:
        >>> print(script("LSE[A] + w", None, {"A": Written("0 1 a 0.5; 1", "auto"), "w": Written("2", "auto", False)}))
        import arcgrad as ag
        <BLANKLINE>
        A = ag.compile('graph"0 1 a 0.5; 1"')()
        w = 2.0
        equation = ag.compile('LSE[A] + w')
        value, gradient = equation.value_and_grad(A=A, w=w)
        print(value)
        <BLANKLINE>
    """
    has_arrays = any(written.form == "npy" for written in inputs.values())
    lines = [*(["import numpy as np", ""] if has_arrays else []), "import arcgrad as ag", ""]
    if symbols is not None:
        lines.append(f"symbols = ag.SymbolTable.from_text({_literal(symbols)})")
    named = {name: name for name in inputs}
    if not all(name.isidentifier() and not keyword.iskeyword(name) and name not in _TAKEN for name in inputs):
        named = {name: f"input_{number}" for number, name in enumerate(inputs, 1)}
    lines += [f"{named[name]} = {_made(written, symbols is not None)}" for name, written in inputs.items()]
    lines.append(f"equation = ag.compile({_literal(equation)}{', symbols=symbols' if symbols is not None else ''})")
    given = ", ".join(f"{name}={name}" for name in inputs)
    if any(name != variable for name, variable in named.items()):
        given = "{" + ", ".join(f"{name!r}: {variable}" for name, variable in named.items()) + "}"
    if inputs and has_gradient:
        lines.append(f"value, gradient = equation.value_and_grad({given})")
    else:
        lines.append(f"value = equation({given})")
    return "\n".join([*lines, "print(value)", ""])


_TAKEN = ("ag", "np", "symbols", "equation", "value", "gradient", "print", "float", "wrt", "cotangent", "out", "self")


def _made(written: Written, has_table: bool) -> str:
    """The expression that makes an input."""
    text = written.text
    form = form_of(text, written.form, is_graph=written.is_graph)
    if form == "npy":
        return 'np.load("FILE.npy")'
    if form in BINARIES or not text:
        return f'ag.load("FILE.{form}")'
    if form == "score":
        return _number(read_number(text))
    if form == "mapping":
        return repr(read_mapping(text))
    if form == "scores":
        rows = [", ".join(map(_number, row)) for row in read_scores(text).scores.tolist()]
        return "ag.dense([" + ", ".join(f"[{row}]" for row in rows) + "])" if rows else "ag.dense([[]])"
    if form in ("expression", "graph"):
        quoted = text if form == "expression" else f'graph"{text}"'
        return f"ag.compile({_literal(quoted)}{', symbols=symbols' if has_table else ''})()"
    options = "".join(f", {option}=symbols" for option in tables_of(text, form) if has_table)
    return f"ag.Graph.from_text({_literal(text)}, {form!r}{options})"


def _number(number: float) -> str:
    return repr(number) if abs(number) < float("inf") else f'float("{number}")'


def _literal(text: str) -> str:
    """A literal of Python, over several lines where the text has several and is otherwise harmless."""
    harmless = all(character == "\n" or character.isprintable() for character in text) and "\\" not in text
    if "\n" in text and harmless and '"""' not in text and text[-1] != '"':
        return f'"""{text}"""'
    return repr(text)
