"""Threads that are the first to call a routine, with read-only arrays, while another compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Once, each of these threads made the routine known anew for its arguments' types, and it was ambiguous from then on.
SCRIPT = """
import threading, time
import numpy as np
from arcgrad.runtime.jit.compat import global_compiler_lock
from arcgrad.runtime.jit.routine import load_routine

SOURCE = '''
def routine(values, factor):
    result = 0.0
    for value in values:
        result += factor * value
    return result
'''
SIGNATURE = "float64(const float64[::1], float64)"
values = np.arange(5.0)
values.flags.writeable = False
routine = load_routine(SOURCE, signature=SIGNATURE, tier="fused")
begin = threading.Barrier(9)
found = []

def call():
    begin.wait()
    for _ in range(50):
        try:
            found.append(routine(values, 2.0))
        except BaseException as error:
            found.append(repr(error))

threads = [threading.Thread(target=call) for _ in range(8)]
with global_compiler_lock:  # as one has who compiles
    for each in threads:
        each.start()
    begin.wait()
    time.sleep(0.5)
    load_routine(SOURCE.replace("0.0", "0.5"), signature=SIGNATURE, tier="fused")
for each in threads:
    each.join()
print(len(found), *sorted(set(map(str, found))))
"""


@pytest.mark.slow
def test_cold_threads_with_read_only_arrays(tmp_path: Path) -> None:
    environment = {**os.environ, "ARCGRAD_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["400", "20.0"]
