"""Gradients against finite differences, for users who want to see for themselves: ``eq.check_grad``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.runtime.data.arguments import real_number
from arcgrad.runtime.data.dense import Dense
from arcgrad.runtime.data.graph import Graph

if TYPE_CHECKING:
    from arcgrad.runtime.call.evaluator import Evaluator

__all__ = ["Difference", "GradientReport", "check_gradient"]


@dataclass(frozen=True)
class Difference:
    """One derivative that disagrees.

    Attributes:
        input: name of the input, with the item of the batch in brackets where it is a list.
        index: place of the entry in the gradient.
        gradient: the derivative that the equation gives.
        finite_difference: the one that two evaluations give.
    """

    input: str
    index: tuple[int, ...]
    gradient: float
    finite_difference: float


@dataclass(frozen=True)
class GradientReport:
    """What a gradient check found; true where all derivatives agree.

    Attributes:
        checked: number of derivatives compared.
        differences: those that disagree, the worst first.
        worst: greatest disagreement, relative to the larger of 1 and the derivative.
        tolerance: the greatest that counts as agreement.
    """

    checked: int
    differences: tuple[Difference, ...]
    worst: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether all derivatives agree."""
        return not self.differences

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [
            f"{self.checked} derivatives checked, {len(self.differences)} disagree; "
            f"worst relative difference {self.worst:.2e} (tolerance {self.tolerance:.0e})"
        ]
        lines += [
            f"  {d.input}{list(d.index)}: gradient {d.gradient!r}, finite difference {d.finite_difference!r}"
            for d in self.differences[:10]
        ]
        if len(self.differences) > 10:
            lines.append(f"  … and {len(self.differences) - 10} more")
        return "\n".join(lines)


Replace = Callable[[NDArray[np.float64]], Any]


def check_gradient(
    evaluator: Evaluator, given: dict[str, Any], wrt: tuple[str, ...], step: float, tolerance: float
) -> GradientReport:
    """Compare every derivative with a central difference of the sum of the equation's values.

    Weights of −inf are not moved: their arcs are absent.

    Args:
        evaluator: of the equation.
        given: inputs by plain name.
        wrt: names of inputs.
        step: half the distance of the two evaluations.
        tolerance: greatest relative difference that counts as agreement.

    Raises:
        InputError: step or tolerance is not a positive number; and what the equation itself raises.
    """
    step, tolerance = (
        real_number(number, what, "a positive number", lambda found: 0 < found < np.inf)
        for what, number in (("step", step), ("tolerance", tolerance))
    )
    _, gradients = evaluator.value_and_grad(given, wrt, None)
    checked, worst = 0, 0.0
    found: list[tuple[float, Difference]] = []
    for name in wrt:
        for label, weights, gradient, replaced in _parts(name, given[name], gradients[name]):
            for index in np.ndindex(weights.shape):
                if not np.isfinite(weights[index]):
                    continue
                totals = []
                for sign in (1.0, -1.0):
                    moved = weights.copy()
                    moved[index] += sign * step
                    totals.append(_total(evaluator, {**given, name: replaced(moved)}))
                difference = (totals[0] - totals[1]) / (2 * step)
                if totals[0] == totals[1]:
                    difference = 0.0  # equal infinities differ by nothing
                checked += 1
                exact = float(gradient[index])
                error = abs(exact - difference) / max(1.0, abs(exact))
                error = error if error == error else np.inf
                worst = max(worst, error)
                if not error <= tolerance:
                    found.append((error, Difference(label, index, exact, difference)))
    found.sort(key=lambda pair: -pair[0])
    return GradientReport(checked, tuple(d for _, d in found), worst, tolerance)


def _total(evaluator: Evaluator, given: dict[str, Any]) -> float:
    value = evaluator.value(given)
    graphs = [value] if isinstance(value, Graph) else value
    if isinstance(graphs, list):
        # Arcs of weight −inf have no derivative.
        return float(sum(g.arc_weight[np.isfinite(g.arc_weight)].sum() for g in graphs))
    return float(np.sum(value))


Part = tuple[str, NDArray[np.float64], NDArray[np.float64], Replace]


def _parts(name: str, value: Any, gradient: Any) -> list[Part]:
    """(label, weights, gradient, weights → input) of an input, one for each item of a list."""
    if isinstance(value, (list, tuple)):
        parts: list[Part] = []
        for item, (each, bars) in enumerate(zip(value, gradient, strict=True)):
            for label, weights, inner, replaced in _parts(f"{name}[{item}]", each, bars):

                def put(moved: NDArray[np.float64], item: int = item, replaced: Replace = replaced) -> Any:
                    return [*value[:item], replaced(moved), *value[item + 1 :]]

                parts.append((label, weights, inner, put))
        return parts
    if isinstance(value, Graph):
        return [(name, np.array(value.weight), np.asarray(gradient), value.with_weight)]
    if isinstance(value, Dense):
        scores, lengths = value.scores, value.lengths

        def dense(moved: NDArray[np.float64]) -> Dense:
            return Dense.wrap(moved, lengths if scores.ndim == 3 else int(lengths[0]))

        return [(name, _within(scores, lengths), np.asarray(gradient), dense)]
    array = np.asarray(value, dtype=np.float64)
    return [(name, array.reshape(array.shape), np.asarray(gradient, dtype=np.float64), lambda moved: moved)]


def _within(scores: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scores in float64; what lies past an item's length is −inf, so that nobody moves it."""
    array = np.array(scores, dtype=np.float64)
    for rows, length in zip(array.reshape(-1, *array.shape[-2:]), lengths, strict=True):
        rows[length:] = -np.inf
    return array
