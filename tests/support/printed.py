"""Numbers in printed text to what all tiers agree on: which tier answers is a matter of what was compiled before."""

from __future__ import annotations

import re

__all__ = ["rounded"]


def rounded(text: str) -> str:
    """The text with numbers of many decimals to nine of them."""
    return re.sub(r"-?\d+\.\d{10,}", lambda number: f"{float(number[0]):.9f}", text)
