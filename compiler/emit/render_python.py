"""Rendering: a routine's instructions → Python, which runs over compiled kernels or is compiled as a whole by numba.

Everything that can be data is data (graphs, numbers, sizes, which gradients are wanted), so that many equations have
the same text, and that text, less its comments, is the routine's identity. Nothing of an equation reaches the text
except in comments, which are escaped to one printable line.

Arguments of a routine, for items ``lo`` to ``hi`` of a batch of B:

- ``want``: 1 to differentiate, 0 for values only;
- ``ints``, ``bases`` (B, n_regions): packed regions, and where each item's begin;
- ``weights``, ``n_shared``, ``shifts`` (B,): leaf weights; entry e of an item is ``weights[e]`` below ``n_shared``,
  else ``weights[e + shift]``. Scores that weight graphs are written back here;
- ``entries``: entries of the scores that arithmetic reads or writes, in order of use;
- ``values`` (B, n_outputs), ``cotangents`` of the same shape: values, and their given cotangents;
- ``gradient``, ``g_shifts``: as the weights, added to;
- ``work``, ``work_places``, ``numbers``, ``number_places``: workspace of each region;
- ``status`` (B,): 0, or the number of the step that failed for that item;
- for each dense input k: ``frames_k``, ``starts_k``, ``counts_k`` (B,), ``frames_gradient_k``, ``gradient_starts_k``,
  and whether the gradient is ``fresh``: memory with anything in it, to be written, not added to;
- ``wants``: for each region whether its weights' gradient is wanted, and whether that of its frames, and of the frames
  of its values.

In the text a step's value is ``v0``, ``v1``, …, a score that is read ``x0``, …; their cotangents are ``b0``, … and
``d0``, …. Kernels take what is the region's and the item's own, sliced once: ``region_0``, ``work_0``, ``numbers_0`` of
a region, ``rows_0``, ``rows_gradient_0`` of a dense input; and the bundles ``leaves`` and ``leaves_gradient`` of an
array, ``n_shared`` and the item's shift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from arcgrad.compiler.emit.instructions import (
    AddInputGradient,
    AddOutputCotangent,
    AddWeightCotangent,
    Apply,
    ApplyDerivative,
    Begin,
    BeginBackward,
    Check,
    ClearCotangent,
    ClearRows,
    Instruction,
    LoadScore,
    Routine,
    RunRegion,
    StopUnlessWanted,
    StoreValue,
    When,
    WriteWeight,
)
from arcgrad.compiler.frontend.ir import Node, describe
from arcgrad.compiler.graphs.topology import LARGEST_WEIGHT

__all__ = ["render_python", "signature"]

_ARGUMENTS = (
    ("lo", "int64"),
    ("hi", "int64"),
    ("want", "int64"),
    ("ints", "const int32[::1]"),
    ("bases", "const int64[:, ::1]"),
    ("weights", "float64[::1]"),
    ("n_shared", "int64"),
    ("shifts", "const int64[::1]"),
    ("entries", "const int64[::1]"),
    ("values", "float64[:, ::1]"),
    ("cotangents", "const float64[:, ::1]"),
    ("gradient", "float64[::1]"),
    ("g_shifts", "const int64[::1]"),
    ("work", "float64[::1]"),
    ("work_places", "const int64[::1]"),
    ("numbers", "int32[::1]"),
    ("number_places", "const int64[::1]"),
    ("status", "int64[::1]"),
    ("wants", "const boolean[:, ::1]"),
)
_DENSE_ARGUMENTS = (
    ("frames_{k}", "const {dtype}[:, ::1]"),
    ("starts_{k}", "const int64[::1]"),
    ("counts_{k}", "const int64[::1]"),
    ("frames_gradient_{k}", "{dtype}[:, ::1]"),
    ("gradient_starts_{k}", "const int64[::1]"),
    ("fresh_{k}", "int64"),
)

_LARGEST_EXACT = 9007199254740992.0
_LARGEST_FLOAT = 1.7976931348623157e308


def signature(dtypes: Sequence[str], *, writes_weights: bool = False) -> str:
    """Types of a routine's arguments, ``const`` those that it only reads.

    Args:
        dtypes: "float32" or "float64" for each dense input.
        writes_weights: whether scores weight graphs, which are written back among the leaf weights.
    """
    types = [f"const {type_}" if name == "weights" and not writes_weights else type_ for name, type_ in _ARGUMENTS]
    for dtype in dtypes:
        types += [type_.format(dtype=dtype) for _, type_ in _DENSE_ARGUMENTS]
    return f"void({', '.join(types)})"


def render_python(routine: Routine, functions: Mapping[str, str]) -> str:
    """Write a routine as the text of a module.

    Args:
        routine: what to write.
        functions: modules of the functions that templates of score operators and routines may call, by name.
    """
    writer = _Writer(routine, functions)
    for instruction in routine.instructions:
        _RENDER[type(instruction)](writer, instruction)
    arguments = [name for name, _ in _ARGUMENTS]
    for k in range(len(routine.dtypes)):
        arguments += [name.format(k=k) for name, _ in _DENSE_ARGUMENTS]
    head = [f"# {_comment(describe(routine.plan.root))}"]
    head += [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(writer.imports.items())]
    head += ["", "", "def routine(", *(f"    {name}," for name in arguments), "):"]
    for number in range(len(routine.kernels)):
        head += [f"    work_{number} = work[work_places[{number}] :]"]
        head += [f"    numbers_{number} = numbers[number_places[{number}] :]"]
    head += ["    for item in range(lo, hi):"]
    return "\n".join([*head, *writer.lines]) + "\n"


def _comment(text: str) -> str:
    flat = " ".join(text.split())
    shown = "".join(c if c.isprintable() else "?" for c in flat)
    return shown if len(shown) <= 200 else shown[:199] + "…"


@dataclass
class _Writer:
    """Collects lines and imports, and knows the names of variables."""

    routine: Routine
    functions: Mapping[str, str]
    lines: list[str] = field(default_factory=list)
    imports: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = {step: number for number, step in enumerate(self.routine.plan.steps)}
        self.entries = {node: number for number, node in enumerate(self.routine.entries)}

    def write(self, depth: int, *lines: str) -> None:
        self.lines.extend("    " * depth + line for line in lines)

    def value(self, node: Node) -> str:
        return f"v{self.steps[node]}" if node in self.steps else f"x{self.entries[node]}"

    def cotangent(self, node: Node) -> str:
        return f"b{self.steps[node]}" if node in self.steps else f"d{self.entries[node]}"

    def call(self, module: str, name: str) -> str:
        self.imports.setdefault(module, set()).add(name)
        return name

    def helper(self, name: str) -> str:
        return self.call(self.functions[name], name)

    def kernel(self, run: RunRegion) -> str:
        found = self.routine.kernels[run.region].kernel(run.role)
        assert found is not None
        module, name = found
        return self.call(module, name if run.dense is None else name + self.suffix(run.dense))

    def suffix(self, dense: int) -> str:
        return "_float32" if self.routine.dtypes[dense] == "float32" else ""

    def template(self, code: str, step: Node, **names: str) -> str:
        """A score operator's template with its operands filled in; the functions that it calls are imported."""
        for name in self.functions:
            if f"{name}(" in code:
                self.helper(name)
        return code.format(*map(self.value, step.operands), **names)

    def in_range(self, cotangent: str) -> str:
        """A cotangent as kernels take it: finite, so that its product with a share of 0 is 0."""
        return f"{self.helper('in_range')}({cotangent})"


def _is_finite(value: str) -> str:
    """The test for a score below which derivatives pass: none does where it is infinite."""
    return f"abs({value}) <= {_LARGEST_FLOAT!r}"


def _begin(writer: _Writer, _: Begin) -> None:
    writer.write(2, "shift = shifts[item]")
    if writer.routine.kernels:
        writer.write(2, "leaves = (weights, n_shared, shift)")
    for number in range(len(writer.routine.kernels)):
        writer.write(2, f"region_{number} = ints[bases[item, {number}] :]")
    for k in range(len(writer.routine.dtypes)):
        for name, rows, starts in (
            ("rows", "frames", "starts"),
            ("rows_gradient", "frames_gradient", "gradient_starts"),
        ):
            first = f"{starts}_{k}[item]"
            writer.write(2, f"{name}_{k} = {rows}_{k}[{first} : {first} + counts_{k}[item]]")


def _load_score(writer: _Writer, load: LoadScore) -> None:
    writer.write(2, f"entry = entries[{load.entry}]  # {_comment(describe(load.node))}")
    writer.write(2, f"{writer.value(load.node)} = weights[entry if entry < n_shared else entry + shift]")


def _clear_rows(writer: _Writer, clear: ClearRows) -> None:
    k, condition = clear.dense, f"fresh_{clear.dense} != 0"
    if clear.if_infinite:
        outputs = (f"not {_is_finite(writer.value(output))}" for output in writer.routine.plan.outputs)
        condition += f" and ({' or '.join(outputs)})"
    function = writer.helper(f"clear_rows{writer.suffix(k)}")
    writer.write(2, f"if {condition}:", f"    {function}(rows_gradient_{k})")


def _head(writer: _Writer, step: Node) -> None:
    """The comment above a step."""
    place = writer.routine.plan.places.get(step)
    columns = f"columns {place.column}-{place.end_column - 1}: " if place is not None else ""
    # Earlier steps by name: spelled out, a sum of a thousand scores would take a million comments' worth of text.
    earlier = {o: writer.value(o) for o in step.operands if o in writer.steps}
    writer.write(2, f"# {writer.value(step)}, {columns}{_comment(describe(step, earlier, limit=60))}")


def _run_region(writer: _Writer, run: RunRegion) -> None:
    match run.role:
        case "seeded":
            _run_seeded(writer, run)
        case "forward":
            _run_forward(writer, run)
        case "backward":
            _run_backward(writer, run)


def _inputs(run: RunRegion) -> str:
    """The arguments that all kernels of regions take."""
    number = run.region
    frames = "" if run.dense is None else "".join(f"rows_{k}, " for k in (run.dense, *run.values))
    return f"region_{number}, leaves, {frames}work_{number}, numbers_{number}, {run.sign!r}"


def _run_seeded(writer: _Writer, run: RunRegion) -> None:
    k = run.dense
    _head(writer, run.node)
    cotangent = writer.in_range(writer.cotangent(run.node))
    arguments = f"rows_{k}, {cotangent}, rows_gradient_{k}"
    writer.write(2, f"if fresh_{k} != 0:", f"    {writer.value(run.node)} = {writer.kernel(run)}({arguments})")


def _run_forward(writer: _Writer, run: RunRegion) -> None:
    depth = 2
    if run.when is When.STALE:  # after its seeded run
        writer.write(2, "else:")
        depth = 3
    else:
        _head(writer, run.node)
    writer.write(depth, f"{writer.value(run.node)} = {writer.kernel(run)}({_inputs(run)})")


def _run_backward(writer: _Writer, run: RunRegion) -> None:
    number, k = run.region, run.dense
    cotangent = writer.cotangent(run.node)
    wanted = f"wants[{number}, 0]"
    gradients = "leaves_gradient"
    if k is not None:
        inputs = (k, *run.values)
        wants = [f"wants[{number}, {position}]" for position in range(1 + len(inputs))]
        wanted = f"({' or '.join(wants)})"
        gradients = ", ".join((gradients, *(f"rows_gradient_{k}" for k in inputs), *wants))
    condition = f"{cotangent} != 0.0 and {_is_finite(writer.value(run.node))} and {wanted}"
    if run.when is When.STALE:
        condition = f"fresh_{k} == 0 and {condition}"
    writer.write(
        2,
        f"if {condition}:",
        f"    {writer.kernel(run)}(",
        f"        {_inputs(run)},",
        f"        {writer.in_range(cotangent)}, {gradients},",
        "    )",
    )


def _apply(writer: _Writer, apply: Apply) -> None:
    _head(writer, apply.node)
    code = apply.node.definition.code
    assert code is not None
    writer.write(2, f"{writer.value(apply.node)} = {writer.template(code, apply.node)}")


def _check(writer: _Writer, check: Check) -> None:
    value = writer.value(check.node)
    failed = f"{value} != {value}"
    if check.bounded:  # a graph's weights have an upper bound, so that no sum of them overflows
        failed += f" or {value} > {LARGEST_WEIGHT!r}"
    if check.exact:
        failed += f" or {_LARGEST_EXACT!r} <= abs({value}) <= {_LARGEST_FLOAT!r}"
    writer.write(2, f"if {failed}:", f"    status[item] = {writer.steps[check.node] + 1}", "    continue")


def _write_weight(writer: _Writer, write: WriteWeight) -> None:
    writer.write(2, f"weights[entries[{write.entry}] + shift] = {writer.value(write.node)}")


def _store_value(writer: _Writer, store: StoreValue) -> None:
    writer.write(2, f"values[item, {store.output}] = {writer.value(store.node)}")


def _stop_unless_wanted(writer: _Writer, _: StopUnlessWanted) -> None:
    writer.write(2, "if want == 0:", "    continue")


def _begin_backward(writer: _Writer, _: BeginBackward) -> None:
    writer.write(2, "g_shift = g_shifts[item]")
    if writer.routine.kernels:
        writer.write(2, "leaves_gradient = (gradient, n_shared, g_shift)")


def _clear_cotangent(writer: _Writer, clear: ClearCotangent) -> None:
    writer.write(2, f"{writer.cotangent(clear.node)} = 0.0")


def _add_output_cotangent(writer: _Writer, add: AddOutputCotangent) -> None:
    writer.write(2, f"{writer.cotangent(add.node)} += cotangents[item, {add.output}]")


def _add_weight_cotangent(writer: _Writer, add: AddWeightCotangent) -> None:
    writer.write(2, f"{writer.cotangent(add.node)} += gradient[entries[{add.entry}] + g_shift]")


def _apply_derivative(writer: _Writer, apply: ApplyDerivative) -> None:
    step, depth = apply.node, 2
    names = {"cotangent": writer.cotangent(step), "value": writer.value(step)}
    if not apply.early:
        writer.write(2, f"if {names['cotangent']} != 0.0 and {_is_finite(names['value'])}:")
        depth = 3
    for position in apply.operands:
        code = writer.template(step.definition.gradient_code[position], step, **names)
        writer.write(depth, f"{writer.cotangent(step.operands[position])} += {code}")


def _add_input_gradient(writer: _Writer, add: AddInputGradient) -> None:
    writer.write(2, f"entry = entries[{add.entry}]")
    writer.write(2, f"gradient[entry if entry < n_shared else entry + g_shift] += {writer.cotangent(add.node)}")


_RENDER: Mapping[type[Instruction], Callable[[_Writer, Any], None]] = {
    Begin: _begin,
    LoadScore: _load_score,
    ClearRows: _clear_rows,
    RunRegion: _run_region,
    Apply: _apply,
    Check: _check,
    WriteWeight: _write_weight,
    StoreValue: _store_value,
    StopUnlessWanted: _stop_unless_wanted,
    BeginBackward: _begin_backward,
    ClearCotangent: _clear_cotangent,
    AddOutputCotangent: _add_output_cotangent,
    AddWeightCotangent: _add_weight_cotangent,
    ApplyDerivative: _apply_derivative,
    AddInputGradient: _add_input_gradient,
}
