"""The header that every packed region begins with; see the packers of ``arcgrad.runtime.regions``."""

from __future__ import annotations

__all__ = ["HEADER"]

HEADER = 26
"""Length of every header; a place that a shape has no use for holds 0."""
