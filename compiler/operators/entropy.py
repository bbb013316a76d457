"""``H[A]``: the entropy of the distribution over paths."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="entropy",
    summary="Is the entropy, in nats, of the distribution of A's paths in proportion to exp(weight); 0 without a path.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("H",),
    semiring="entropy",
    laws=(
        Law("H[ε]", "0", (), "nothing is uncertain about one path"),
        Law("H[ε + ε]", "log[2]", (), "two paths, equally likely"),
        Law("H[(ε + A) (ε + B)]", "H[ε + A] + H[ε + B]", (), "both parts of a path are drawn independently"),
        Law("H[A⟨w⟩]", "H[A]", (), "a factor common to all paths changes no probability"),
        Law("H[A + A]", "H[A] + log[2] exp[LSE[A] - LSE[A]]", (), "and which of the two, where there is a path"),
    ),
    example="H[A ∘ B]",
    reference="Hernando, Crespi, Cybenko, Efficient Computation of the Hidden Markov Model Entropy (2005)",
)
