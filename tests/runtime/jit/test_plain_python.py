"""Without compiled code: kernels run as Python, and nothing imports numba."""

from __future__ import annotations

import subprocess
import sys

from arcgrad.runtime.jit.background.waiting import is_plain, plain_python
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.graphs.order import trim_ints

# Kernels of composition, packing and determinisation among them, which the interpreter and the packers call.
_PROGRAM = """
import sys
import numpy as np
import arcgrad as ag
from arcgrad.runtime.jit.background.waiting import plain_python
A, X = ag.linear([1, 2], [0.5, 0.25]), ag.dense(np.zeros((3, 4)))
with plain_python():
    for text in ("LSE[X ∘ A*]", "connect[A]", 're"ab*"', "A - A", "NBEST[A + A, 2]", "LSE[det[A + A]]"):
        inputs = {name: {"A": A, "X": X}[name] for name in ag.compile(text).inputs}
        equation = ag.compile(text, mode="interpret")
        print(equation.value_and_grad(inputs)[0])
        equation.explain(inputs), equation.source(inputs), A.paths(2)
print([name for name in ("numba", "llvmlite") if name in sys.modules])
"""


def test_nothing_imports_numba() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_block_is_left_as_it_was_entered() -> None:
    with plain_python():
        with plain_python():
            assert is_plain()
        assert is_plain()
    assert not is_plain()


def test_no_code_is_ready_and_none_is_worth_compiling() -> None:
    patience = Patience(0.0)
    patience.spent = 1.0
    with plain_python():
        assert not trim_ints.is_ready
        assert not patience.ends_for(trim_ints, expected=1e9)
    assert patience.ends_for()  # of no code, all is ready
