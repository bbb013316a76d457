"""One function behind the playground, JSON in and JSON out: an equation and its inputs → value, gradient, plan, source.

It stands on the interpreter alone and imports no numba, so that whatever can show a page and run Python can answer it.
The schemas of request and answer are `SCHEMA`; ``arcgrad … --json`` prints parts of the same.

Example:
    >>> from arcgrad.explore import explore
    >>> answer = explore({"equation": "LSE[A]", "inputs": {"A": '"cat" + "dog"'}, "want": ["gradient"]})
    >>> answer["ok"], round(answer["value"]["value"], 6), answer["gradient"]["A"]["values"][:3]
    (True, 0.693147, [0.5, 0.5, 0.5])
    >>> explore({"equation": "LSE[A"})["error"]["message"]
    '`[` is never closed'
"""

from __future__ import annotations

from arcgrad.explore.answer import explore
from arcgrad.explore.schema import SCHEMA

__all__ = ["SCHEMA", "explore"]
