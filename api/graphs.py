"""Builders of graphs that models are made of.

Example:
    >>> import arcgrad as ag
    >>> ag.graphs.string_map([("cat", "cats")])
    Graph(5 states, 4 arcs, transducer, start 0, accept 4)
    >>> ag.graphs.alignments([7, 8])
    Graph(6 states, 12 arcs, acceptor, start 0, accept 4 5)
"""

from __future__ import annotations

from arcgrad.runtime.data.builders.alignments import alignments, ctc_topology
from arcgrad.runtime.data.builders.edits import edits, levenshtein
from arcgrad.runtime.data.builders.models import bigram, ngram
from arcgrad.runtime.data.builders.rnnt import rnnt_lattice
from arcgrad.runtime.data.builders.strings import lexicon, string_map

__all__ = [
    "alignments",
    "bigram",
    "ctc_topology",
    "edits",
    "levenshtein",
    "lexicon",
    "ngram",
    "rnnt_lattice",
    "string_map",
]
