"""The table of rewrite rules, each an equation in the language itself. To add a rewrite, add a row.

Every row is a law: the tests draw random graphs and compare both sides, values and gradients. Letters stand for any
graph (A, B), score (w) or label mapping (m). A row whose left side is not a reduction gives the same graph arc by arc
and may be used anywhere; the others are used where that reduction stands. Under H, which sees probabilities, hold those
that keep paths and their weights one by one.

What is not here is as important: ``(A*)* = A*`` and ``A + A = A`` hold for languages, not for weights; and rows about
MIN of a concatenation or of ``A⟨w⟩`` fail where one side has no path (+inf) and the other one of weight −inf.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rewrite.

    Attributes:
        left: what is looked for.
        right: what it becomes.
        reason: why it holds, and what it gains.
        splits: use it only where it lets a dense input be met in a region of its own instead of being materialised.
    """

    left: str
    right: str
    reason: str
    splits: bool = False

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


_LABELS_DO_NOT_MATTER = "a reduction sees weights, not labels"

_EQUAL = [
    Rule("rev[rev[A]]", "A", "swapping starts with accepts and turning arcs twice changes nothing"),
    Rule("inv[inv[A]]", "A", "swapping labels twice changes nothing"),
    Rule("connect[connect[A]]", "connect[A]", "what is trimmed is trim"),
    Rule("support[support[A]]", "support[A]", "what is minimal and deterministic stays as it is"),
    Rule("in[inv[A]]", "out[A]", "the inverse's inputs are the outputs"),
    Rule("out[inv[A]]", "in[A]", "the inverse's outputs are the inputs"),
    Rule("in[in[A]]", "in[A]", "a projection is an acceptor already"),
    Rule("out[in[A]]", "in[A]", "a projection is an acceptor already"),
    Rule("in[out[A]]", "out[A]", "a projection is an acceptor already"),
    Rule("out[out[A]]", "out[A]", "a projection is an acceptor already"),
]

_UNDER_ANY = [
    Rule(f"{reduction}[{graph}]", f"{reduction}[A]", reason)
    for reduction in ("LSE", "MAX", "MIN", "COUNT", "H")
    for graph, reason in (
        ("rev[A]", "reversal maps paths one to one and keeps their weights"),
        ("inv[A]", _LABELS_DO_NOT_MATTER),
        ("in[A]", _LABELS_DO_NOT_MATTER),
        ("out[A]", _LABELS_DO_NOT_MATTER),
        ("relabel[A, m]", _LABELS_DO_NOT_MATTER),
        ("relabel_in[A, m]", _LABELS_DO_NOT_MATTER),
        ("relabel_out[A, m]", _LABELS_DO_NOT_MATTER),
        ("connect[A]", "what is trimmed lies on no accepting path"),
    )
]

_SPLITS = [
    Rule("LSE[A + B]", "logadd[LSE[A], LSE[B]]", "a path of a union is a path of one side", splits=True),
    Rule("MAX[A + B]", "max[MAX[A], MAX[B]]", "a path of a union is a path of one side", splits=True),
    Rule("LSE[A B]", "path_product[LSE[A], LSE[B]]", "sums over pairs of paths factor", splits=True),
    Rule("MAX[A B]", "path_product[MAX[A], MAX[B]]", "the best pair is a pair of best paths", splits=True),
    Rule("LSE[A⟨w⟩]", "path_product[LSE[A], w]", "every path has the weight once", splits=True),
    Rule("MAX[A⟨w⟩]", "path_product[MAX[A], w]", "every path has the weight once", splits=True),
]

_TO_OTHERS = [
    Rule(
        "KL[A, B]", "relative_entropy[LSE[A], LSE[B], E[A, B], H[A]]", "E[A, B] - LSE[B] is the expectation of log p_B"
    ),
]

RULES: tuple[Rule, ...] = (*_EQUAL, *_UNDER_ANY, *_SPLITS, *_TO_OTHERS)
