"""In plain mode nothing is lazy or kept on disk: tests of these are left out; test_compat tests the mode."""

from __future__ import annotations

import os

if os.environ.get("ARCGRAD_PLAIN_JIT", "0") not in ("", "0"):
    collect_ignore = ["test_lazy_kernels.py", "test_routines.py", "test_routines_processes.py"]
