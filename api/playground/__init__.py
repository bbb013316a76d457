"""The playground, ``arcgrad serve``: a page to type equations and graphs into, served to this machine's browser only.

`server` speaks HTTP and refuses what does not come from its own page; `worker` has a process beside evaluate requests
with ``arcgrad.explore`` and ends it at a limit of time; the page is index.html, style.css and the scripts beside it.
docs/playground.md is for who uses it.
"""

from __future__ import annotations

from arcgrad.playground.server import Playground, serve

__all__ = ["Playground", "serve"]
