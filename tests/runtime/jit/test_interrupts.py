"""Ctrl-C while numba is imported: always a KeyboardInterrupt, and the next call works."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
import arcgrad as ag
equation = ag.compile("LSE[X ∘ Y]", mode="kernels")
given = {"X": ag.dense([[0.0, 0.0]]), "Y": ag.linear([1])}
try:
    equation(given)
    print("not interrupted")
except KeyboardInterrupt:
    print(equation(given))
"""


@pytest.mark.parametrize("module", ["numba", "numba.core.types.scalars", "numba.core.datamodel"])
def test_an_interrupt_within_numbas_import_breaks_nothing(module: str) -> None:
    ran = subprocess.run([sys.executable, "-c", CHILD, module], capture_output=True, text=True)
    assert ran.stdout == "0.0\n", ran.stderr[-1500:]
