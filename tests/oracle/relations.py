"""What acyclic expressions mean without graphs: the multiset of (input string, output string, weight) of their paths.

Computed from the operands' multisets alone, it checks the constructions of ``graphs`` in the oracle's tests.
"""

from __future__ import annotations

from collections.abc import Iterable

from oracle.graphs import EPSILON, Graph, TooLargeError
from oracle.paths import Useful, enumerate_paths
from oracle.trees import Tree

Path = tuple[tuple[int, ...], tuple[int, ...], float]
Relation = list[Path]


def _string(labels: Iterable[int]) -> tuple[int, ...]:
    return tuple(x for x in labels if x != EPSILON)


def relation_of(graph: Graph, cap: int = 5000) -> Relation:
    """The paths of an acyclic graph, arcs of −inf included."""
    part = Useful(graph, keep_minus_infinity=True)
    result = []
    for path in enumerate_paths(part, cap):
        arcs = [graph.arcs[part.index[k]] for k in path]
        result.append((_string(a.ilabel for a in arcs), _string(a.olabel for a in arcs), sum(a.weight for a in arcs)))
    return result


def _concatenated(a: Relation, b: Relation) -> Relation:
    if len(a) * len(b) > 5000:
        raise TooLargeError("relation")
    return [(i + k, o + m, v + w) for i, o, v in a for k, m, w in b]


def relation(
    tree: Tree, leaves: dict[str, Graph], scores: dict[str, float], mappings: dict[str, dict[int, int]]
) -> Relation:
    """The relation of an expression without closures; scores must be inputs or numbers."""
    op = tree.operator
    if op == "leaf":
        return relation_of(leaves[tree.parameters[0]])
    if op == "epsilon":
        return [((), (), 0.0)]
    if op == "empty":
        return []
    if op == "linear":
        return [(tree.parameters, tree.parameters, 0.0)]
    if op == "weight":
        inner, outer = tree.operands
        value = scores[outer.parameters[0]] if outer.operator == "score" else outer.parameters[0]
        return [(i, o, w + value) for i, o, w in relation(inner, leaves, scores, mappings)]
    if op.startswith("relabel"):
        inner, outer = tree.operands
        mapping = mappings[outer.parameters[0]]

        def changed(labels: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(mapping.get(x, x) for x in labels)

        return [
            (i if op == "relabel_output" else changed(i), o if op == "relabel_input" else changed(o), w)
            for i, o, w in relation(inner, leaves, scores, mappings)
        ]
    operands = [relation(x, leaves, scores, mappings) for x in tree.operands]
    a = operands[0]
    if op == "union":
        return a + operands[1]
    if op == "concatenate":
        return _concatenated(a, operands[1])
    if op == "cross":
        return _concatenated([(i, (), w) for i, _, w in a], [((), o, w) for _, o, w in operands[1]])
    if op in ("compose", "intersect"):
        return [(i, m, v + w) for i, o, v in a for k, m, w in operands[1] if o == k]
    if op == "optional":
        return [((), (), 0.0), *a]
    if op == "repeat":
        least, most = tree.parameters
        assert most is not None, "unbounded repetition is not acyclic"
        power: Relation = [((), (), 0.0)]
        result: Relation = []
        for n in range(most + 1):
            if n >= least:
                result += power
            power = _concatenated(power, a)
        return result
    if op == "inverse":
        return [(o, i, w) for i, o, w in a]
    if op == "reverse":
        return [(i[::-1], o[::-1], w) for i, o, w in a]
    if op == "input":
        return [(i, i, w) for i, _, w in a]
    if op == "output":
        return [(o, o, w) for _, o, w in a]
    if op == "connect":
        return a
    raise ValueError(f"no relation for {op}")
