"""``SAMPLE[A, n, seed]``: random paths, drawn with probabilities in proportion to exp(weight)."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="sample",
    summary="Has n paths of A as linear graphs side by side, drawn one after the other, with replacement, with "
    "probabilities in proportion to exp(weight); ∅ where A has no path. The seed decides on the draws, together with "
    "the number of the batch's item. Gradients are those of the arcs that were copied: which were does not count.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH, Type.SCORE),
    names=("SAMPLE",),
    parameter_names=("n",),
    parameter_positions=(1,),
    least=1,
    semiring="log",
    per_item=True,
    laws=(Law("SAMPLE[PATH[A], 1, 3]", "PATH[A]", ("equal",), "of one path, that one is drawn"),),
    example="SAMPLE[A, 5, 1]",
    reference="the walk with local probabilities, as in forward filtering, backward sampling: Chib, Calculating "
    "Posterior Distributions and Modal Estimates in Markov Mixture Models (1996)",
)
