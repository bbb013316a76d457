"""Settings of the whole suite."""

from __future__ import annotations

import os
import tempfile

# Compiled routines of this run go to a directory of their own, shared by its processes, so that no run can pass on
# what an earlier one left. Set the variable yourself to keep them from run to run.
if "ARCGRAD_CACHE_DIR" not in os.environ:
    _directory = tempfile.TemporaryDirectory(prefix="arcgrad-test-cache-", ignore_cleanup_errors=True)
    os.environ["ARCGRAD_CACHE_DIR"] = _directory.name
