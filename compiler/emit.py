"""Emission: plan → the text of one routine that evaluates and differentiates it. Last stage before loading and running.

The text runs in two ways: as plain Python over compiled kernels, or compiled as a whole by numba. Everything that can
be data is data (graphs, numbers, sizes, which gradients are wanted), so that many equations have the same text, and
that text, less its comments, is the routine's identity. Nothing of an equation reaches the text except in comments,
which are escaped to one printable line.

Arguments of a routine, for items ``lo`` to ``hi`` of a batch of B:

- ``want``: 1 to differentiate, 0 for values only;
- ``ints``, ``bases`` (B, n_regions): packed regions, and where each item's begin;
- ``weights``, ``n_shared``, ``shifts`` (B,): leaf weights; entry e of an item is ``weights[e]`` below ``n_shared``,
  else ``weights[e + shift]``. Scores that weight graphs are written back here;
- ``entries``: entries of the scores that arithmetic reads or writes, in order of use;
- ``values`` (B, n_outputs), ``seeds`` of the same shape: values, and what they are differentiated with;
- ``gradient``, ``g_shared``, ``g_shifts``: as the weights, added to;
- ``work``, ``work_places``, ``numbers``, ``number_places``: workspace of each region;
- ``status`` (B,): 0, or the number of the step that failed for that item;
- for each dense input k: ``frames_k``, ``starts_k``, ``counts_k`` (B,), ``frames_gradient_k``, ``gradient_starts_k``,
  and whether the gradient is ``fresh``: memory with anything in it, to be written, not added to;
- ``wants``: for each region whether its weights' gradient is wanted, and whether its frames'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arcgrad.compiler.early import early_steps
from arcgrad.compiler.ir import Node, describe
from arcgrad.compiler.plan import Plan
from arcgrad.compiler.score_values import WHOLE
from arcgrad.compiler.topology import LARGEST_WEIGHT

__all__ = ["Emitted", "KernelChoice", "emit", "signature"]


class KernelChoice(Protocol):
    """Names of a region's kernels."""

    @property
    def module(self) -> str:
        """Module that holds them."""
        ...

    @property
    def forward(self) -> str:
        """Name of the value's function."""
        ...

    @property
    def backward(self) -> str | None:
        """Name of the gradient's function, if any."""
        ...

    @property
    def seeded(self) -> str | None:
        """Name of the function that does both at once, given what the value is differentiated with, if any."""
        ...


@dataclass(frozen=True)
class Emitted:
    """A routine's text and what its caller must know.

    Attributes:
        source: the module's text.
        entries: nodes whose leaf entries the argument ``entries`` holds, in order.
        dense: index of each dense input among the arguments, by name.
    """

    source: str
    entries: tuple[Node, ...]
    dense: Mapping[str, int]


_ARGUMENTS = (
    ("lo", "int64"),
    ("hi", "int64"),
    ("want", "int64"),
    ("ints", "int32[::1]"),
    ("bases", "int64[:, ::1]"),
    ("weights", "float64[::1]"),
    ("n_shared", "int64"),
    ("shifts", "int64[::1]"),
    ("entries", "int64[::1]"),
    ("values", "float64[:, ::1]"),
    ("seeds", "float64[:, ::1]"),
    ("gradient", "float64[::1]"),
    ("g_shared", "int64"),
    ("g_shifts", "int64[::1]"),
    ("work", "float64[::1]"),
    ("work_places", "int64[::1]"),
    ("numbers", "int32[::1]"),
    ("number_places", "int64[::1]"),
    ("status", "int64[::1]"),
    ("wants", "boolean[:, ::1]"),
)
_DENSE_ARGUMENTS = (
    ("frames_{k}", "{dtype}[:, ::1]"),
    ("starts_{k}", "int64[::1]"),
    ("counts_{k}", "int64[::1]"),
    ("frames_gradient_{k}", "{dtype}[:, ::1]"),
    ("gradient_starts_{k}", "int64[::1]"),
    ("fresh_{k}", "int64"),
)


def signature(dtypes: Sequence[str]) -> str:
    """Numba's signature of a routine with dense inputs of these dtypes ("float32" or "float64")."""
    types = [type_ for _, type_ in _ARGUMENTS]
    for dtype in dtypes:
        types += [type_.format(dtype=dtype) for _, type_ in _DENSE_ARGUMENTS]
    return f"void({', '.join(types)})"


@dataclass
class _Writer:
    """Collects lines, and the entries as they are first used.

    ``early`` are the steps of which it is known before any value what they are differentiated with; ``seeded`` the
    regions that are differentiated when they are evaluated, and for each the index of its dense input.
    """

    plan: Plan
    functions: Mapping[str, str]
    lines: list[str] = field(default_factory=list)
    entries: dict[Node, int] = field(default_factory=dict)
    imports: dict[str, set[str]] = field(default_factory=dict)
    values: dict[Node, str] = field(default_factory=dict)
    early: frozenset[Node] = frozenset()
    seeded: dict[int, int] = field(default_factory=dict)

    def write(self, depth: int, *lines: str) -> None:
        self.lines.extend("    " * depth + line for line in lines)

    def call(self, module: str, name: str) -> str:
        self.imports.setdefault(module, set()).add(name)
        return name

    def helper(self, name: str) -> str:
        return self.call(self.functions[name], name)

    def entry(self, node: Node) -> int:
        return self.entries.setdefault(node, len(self.entries))


_LARGEST_EXACT = 9007199254740992.0
_LARGEST_FLOAT = 1.7976931348623157e308


def emit(
    plan: Plan, kernels: Sequence[KernelChoice], dtypes: Mapping[str, str], functions: Mapping[str, str]
) -> Emitted:
    """Write the routine of a plan.

    Args:
        plan: what to evaluate.
        kernels: for each of the plan's regions, its kernels.
        dtypes: "float32" or "float64" for each dense input that is met in a region.
        functions: modules of the functions that templates of score operators and routines may call, by name.
    """
    writer = _Writer(plan, functions)
    dense = {name: k for k, name in enumerate(plan.dense)}
    regions = {region.node: number for number, region in enumerate(plan.regions)}
    writer.early = early_steps(plan, regions)
    for number, region in enumerate(plan.regions):
        if kernels[number].seeded is not None and region.node in writer.early and region.meeting is not None:
            k = dense[str(region.meeting.dense.parameters[0])]
            if k not in writer.seeded.values():
                writer.seeded[number] = k
    numbers = {step: number for number, step in enumerate(plan.steps)}
    _forward(writer, kernels, regions, numbers, dense, dtypes, functions)
    writer.write(2, "if want == 0:", "    continue")
    _backward(writer, kernels, regions, numbers, dense, dtypes, functions)
    arguments = [name for name, _ in _ARGUMENTS]
    for k in range(len(dense)):
        arguments += [name.format(k=k) for name, _ in _DENSE_ARGUMENTS]
    head = [f"# {_comment(describe(plan.root))}"]
    head += [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(writer.imports.items())]
    head += ["", "", "def routine(", *(f"    {name}," for name in arguments), "):"]
    head += ["    for item in range(lo, hi):"]
    text = "\n".join([*head, *writer.lines]) + "\n"
    return Emitted(text, tuple(writer.entries), dense)


def _comment(text: str) -> str:
    flat = " ".join(text.split())
    shown = "".join(c if c.isprintable() else "?" for c in flat)
    return shown if len(shown) <= 200 else shown[:199] + "…"


def _forward(
    writer: _Writer,
    kernels: Sequence[KernelChoice],
    regions: Mapping[Node, int],
    numbers: Mapping[Node, int],
    dense: Mapping[str, int],
    dtypes: Mapping[str, str],
    functions: Mapping[str, str],
) -> None:
    plan = writer.plan
    write = writer.write
    write(2, "shift = shifts[item]")
    read = [n for s in plan.steps if s not in regions for n in s.operands] + list(plan.outputs)
    for node in dict.fromkeys(n for n in read if n.is_input or n.is_number):
        index = writer.entry(node)
        write(2, f"entry = entries[{index}]  # {_comment(describe(node))}")
        write(2, f"x{index} = weights[entry if entry < n_shared else entry + shift]")
        writer.values[node] = f"x{index}"
    _seeds(writer, regions, numbers, functions)
    _clear_gradients(writer, dense, dtypes)
    whole: set[Node] = set()  # path counts and what whole numbers are made of them: exact below 2^53
    for step in plan.steps:
        name = f"v{numbers[step]}"
        place = plan.places.get(step)
        columns = f"columns {place.column}-{place.end_column - 1}: " if place is not None else ""
        # Earlier steps by name: spelled out, a sum of a thousand scores would take a million comments' worth of text.
        earlier = {o: f"v{numbers[o]}" for o in step.operands if o in numbers}
        write(2, f"# {name}, {columns}{_comment(describe(step, earlier, limit=60))}")
        if step in regions:
            _call_forward(writer, kernels[regions[step]], regions[step], name, dense, dtypes)
        else:
            operands = [writer.values[o] for o in step.operands]
            code = step.definition.code
            assert code is not None
            _import_scalars(writer, code, functions)
            write(2, f"{name} = {code.format(*operands)}")
        weights_a_graph = step in plan.leaf_numbers
        # A graph's weights have an upper bound, so that no sum of them overflows.
        failed = f"{name} != {name}" + (f" or {name} > {LARGEST_WEIGHT!r}" if weights_a_graph else "")
        if _is_whole(step, whole):
            whole.add(step)
            if step not in regions:
                failed += f" or {_LARGEST_EXACT!r} <= abs({name}) <= {_LARGEST_FLOAT!r}"
        write(2, f"if {failed}:", f"    status[item] = {numbers[step] + 1}", "    continue")
        if weights_a_graph:
            write(2, f"weights[entries[{writer.entry(step)}] + shift] = {name}")
        writer.values[step] = name
    for k, output in enumerate(plan.outputs):
        write(2, f"values[item, {k}] = {writer.values[output]}")


def _seeds(
    writer: _Writer, regions: Mapping[Node, int], numbers: Mapping[Node, int], functions: Mapping[str, str]
) -> None:
    """Write what the early steps are differentiated with, as far as seeded regions need it."""
    plan = writer.plan
    needed = {plan.regions[number].node for number in writer.seeded}
    for step in plan.steps:
        if step not in regions and not needed.isdisjoint(step.operands):
            needed.add(step)
    for step in reversed([s for s in plan.steps if s in needed and s in writer.early]):
        bar = f"b{numbers[step]}"
        writer.write(2, f"{bar} = 0.0")
        for k, output in enumerate(plan.outputs):
            if output is step:
                writer.write(2, f"{bar} += seeds[item, {k}]")
        for consumer in plan.steps:
            if consumer in regions or step not in consumer.operands:
                continue
            for operand, template in zip(consumer.operands, consumer.definition.gradient_code, strict=True):
                if operand is step:
                    _import_scalars(writer, template, functions)
                    operands = [writer.values.get(o, "") for o in consumer.operands]
                    writer.write(2, f"{bar} += {template.format(*operands, bar=f'b{numbers[consumer]}', value='')}")


def _clear_gradients(writer: _Writer, dense: Mapping[str, int], dtypes: Mapping[str, str]) -> None:
    """Write that fresh gradients begin as zeros, but for those that a seeded region writes."""
    for name, k in dense.items():
        if k not in writer.seeded.values():
            clear = writer.helper(f"clear_rows{_suffix(dtypes[name])}")
            rows = f"frames_gradient_{k}, gradient_starts_{k}[item], counts_{k}[item]"
            writer.write(2, f"if fresh_{k} != 0:", f"    {clear}({rows})")


def _is_whole(step: Node, whole: set[Node]) -> bool:
    """Whether a step's value is a path count, or arithmetic between counts and whole numbers."""
    return step.operator == "count" or (
        step.operator in WHOLE
        and all(o in whole or (o.is_number and isinstance(o.parameters[0], int)) for o in step.operands)
    )


def _call_forward(
    writer: _Writer,
    names: KernelChoice,
    number: int,
    value: str,
    dense: Mapping[str, int],
    dtypes: Mapping[str, str],
) -> None:
    region = writer.plan.regions[number]
    kernel, frames = names.forward, ""
    if region.meeting is not None:
        name = str(region.meeting.dense.parameters[0])
        k = dense[name]
        kernel += _suffix(dtypes[name])
        frames = f" frames_{k}, starts_{k}[item], counts_{k}[item],"
    sign = "-1.0" if region.semiring == "min" else "1.0"
    depth = 2
    if number in writer.seeded:
        assert names.seeded is not None
        seeded = writer.call(names.module, names.seeded + _suffix(dtypes[name]))
        gradient = f"frames_gradient_{k}, gradient_starts_{k}[item]"
        bar = f"b{value[1:]}"
        writer.write(2, f"if fresh_{k} != 0:")
        writer.write(3, f"{value} = {seeded}({frames[1:]} {_in_range(writer, bar)}, {gradient})")
        writer.write(2, "else:")
        depth = 3
    writer.write(
        depth,
        f"{value} = {writer.call(names.module, kernel)}(",
        f"    ints, bases[item, {number}], weights, n_shared, shift,{frames}",
        f"    work, work_places[{number}], numbers, number_places[{number}], {sign},",
        ")",
    )


def _is_finite(value: str) -> str:
    """The test for a score below which derivatives pass: none does where it is infinite."""
    return f"abs({value}) <= {_LARGEST_FLOAT!r}"


def _in_range(writer: _Writer, bar: str) -> str:
    """A cotangent as kernels take it: finite, so that its product with a share of 0 is 0."""
    return f"{writer.helper('in_range')}({bar})"


def _suffix(dtype: str) -> str:
    return "_float32" if dtype == "float32" else ""


def _import_scalars(writer: _Writer, code: str, functions: Mapping[str, str]) -> None:
    for name in functions:
        if f"{name}(" in code:
            writer.helper(name)


def _backward(
    writer: _Writer,
    kernels: Sequence[KernelChoice],
    regions: Mapping[Node, int],
    numbers: Mapping[Node, int],
    dense: Mapping[str, int],
    dtypes: Mapping[str, str],
    functions: Mapping[str, str],
) -> None:
    plan = writer.plan
    write = writer.write
    for number, k in writer.seeded.items():  # what was written before the equation's value was known to be infinite
        infinite = " or ".join(f"not abs({writer.values[output]}) <= {_LARGEST_FLOAT!r}" for output in plan.outputs)
        name = str(plan.regions[number].meeting.dense.parameters[0])
        clear = writer.helper(f"clear_rows{_suffix(dtypes[name])}")
        write(2, f"if fresh_{k} != 0 and ({infinite}):")
        write(3, f"{clear}(frames_gradient_{k}, gradient_starts_{k}[item], counts_{k}[item])")
    write(2, "g_shift = g_shifts[item]")
    bars = {step: f"b{numbers[step]}" for step in plan.steps}
    inputs = {node: f"d{writer.entry(node)}" for node in writer.values if node.is_input}
    bars.update(inputs)
    for name in bars.values():
        write(2, f"{name} = 0.0")
    for k, output in enumerate(plan.outputs):
        if output in bars:
            write(2, f"{bars[output]} += seeds[item, {k}]")
    for step in reversed(plan.steps):
        bar = bars[step]
        if step in plan.leaf_numbers:
            write(2, f"{bar} += gradient[entries[{writer.entry(step)}] + g_shift]")
        if step in regions:
            _call_backward(writer, kernels[regions[step]], regions[step], bar, writer.values[step], dense, dtypes)
            continue
        operands = [writer.values[o] for o in step.operands]
        templates = step.definition.gradient_code
        wanted = [(o, t) for o, t in zip(step.operands, templates, strict=True) if o in bars]
        if wanted:
            write(2, f"if {bar} != 0.0 and {_is_finite(writer.values[step])}:")
        for operand, template in wanted:
            _import_scalars(writer, template, functions)
            code = template.format(*operands, bar=bar, value=writer.values[step])
            write(3, f"{bars[operand]} += {code}")
    for node, name in inputs.items():
        write(2, f"entry = entries[{writer.entry(node)}]")
        write(2, f"gradient[entry + (g_shared if entry < n_shared else g_shift)] += {name}")


def _call_backward(
    writer: _Writer,
    names: KernelChoice,
    number: int,
    bar: str,
    value: str,
    dense: Mapping[str, int],
    dtypes: Mapping[str, str],
) -> None:
    if names.backward is None:
        return
    region = writer.plan.regions[number]
    sign = "-1.0" if region.semiring == "min" else "1.0"
    kernel, frames, frames_gradient = names.backward, "", ""
    condition = f"{bar} != 0.0 and {_is_finite(value)} and wants[{number}, 0]"
    if region.meeting is not None:
        name = str(region.meeting.dense.parameters[0])
        k = dense[name]
        kernel += _suffix(dtypes[name])
        frames = f" frames_{k}, starts_{k}[item], counts_{k}[item],"
        frames_gradient = (
            f"\n                frames_gradient_{k}, gradient_starts_{k}[item], wants[{number}, 0], wants[{number}, 1],"
        )
        condition = f"{bar} != 0.0 and {_is_finite(value)} and (wants[{number}, 0] or wants[{number}, 1])"
        if number in writer.seeded:
            condition = f"fresh_{k} == 0 and {condition}"
    writer.write(
        2,
        f"if {condition}:",
        f"    {writer.call(names.module, kernel)}(",
        f"        ints, bases[item, {number}], weights, n_shared, shift,{frames}",
        f"        work, work_places[{number}], numbers, number_places[{number}], {sign},",
        f"        {_in_range(writer, bar)}, gradient, g_shared, g_shift,{frames_gradient}",
        "    )",
    )
