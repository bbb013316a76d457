"""Builders of graphs that models are made of.

Example:
    >>> import arcgrad as ag
    >>> ag.graphs.string_map([("cat", "cats")])
    Graph(5 states, 4 arcs, transducer, start 0, accept 4)
"""

from __future__ import annotations

from arcgrad.runtime.data.builders import string_map

__all__ = ["string_map"]
