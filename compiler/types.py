"""The types of the equation language."""

from __future__ import annotations

from enum import Enum

__all__ = ["Type"]


class Type(Enum):
    """What an expression stands for."""

    GRAPH = "graph"
    SCORE = "score"
    MAPPING = "label mapping"

    def __str__(self) -> str:
        return self.value
