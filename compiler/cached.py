"""``cached_property`` without a lock, which Python before 3.12 shares among all instances of a class.

A child that was forked while another thread computed a property would wait for that thread for ever. Computing a value
twice does no harm: all that is kept so is a function of what never changes.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

__all__ = ["cached_property"]

if TYPE_CHECKING or sys.version_info >= (3, 12):
    cached_property = functools.cached_property
else:

    class cached_property(functools.cached_property):  # noqa: N801
        """As `functools.cached_property`."""

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            if instance is None:
                return self
            value = instance.__dict__[self.attrname] = self.func(instance)
            return value
