"""Plain mode, in which numba's insides are not what they should be, and that one module alone knows them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent.parent

# A kernel, a lazy one within it, a routine, helpers, vectors of both kinds, read-only arrays, and a graph of thousands.
SCRIPT = """
import sys, warnings
sys.path.insert(0, {folder!r})
import numpy as np
{before}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from test_lazy_kernels import VALUES, all_three
    from arcgrad.runtime.jit.cache import cache
    from arcgrad.runtime.jit.declare import kernel
    from arcgrad.runtime.jit.routine import load_routine
    from arcgrad.runtime.kernels.math.exponentials import exponential
    from test_compat_kernels import exponentials_of_rows, exponentials_of_short_rows

    VALUES.flags.writeable = False
    print(all_three(VALUES))
    source = '''
from arcgrad.runtime.kernels.math.exponentials import exponential
from test_lazy_kernels import product_without_first

def routine(weights, work):
    work[0] = product_without_first(weights) + exponential(0.0)
'''
    work = np.zeros(1)
    load_routine(source, signature="void(const float64[::1], float64[::1])", tier="fused")(VALUES, work)
    print(work[0])
    rows = np.linspace(-5.0, 5.0, 32).reshape(2, 16)
    for run, kind, within in ((exponentials_of_rows, "d", 1e-14), (exponentials_of_short_rows, "f", 1e-6)):
        out = np.zeros_like(rows, dtype=kind)
        run(rows.astype(kind), out)
        print(bool(np.allclose(out, np.exp(rows), rtol=within)))
print(len(caught), str(caught[0].message) if caught else "")
print(cache.info().files - len(list(cache.dir.rglob("*.py"))))
"""

KERNELS = """
from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.math.exponentials import exponentials, exponentials_float32
from arcgrad.runtime.kernels.math.vectors import load_row, store_row

@kernel("void(const float64[:, ::1], float64[:, ::1])")
def exponentials_of_rows(rows, out):
    for row in range(len(rows)):
        for k in range(0, rows.shape[1], 8):
            store_row(out, row, k, exponentials(load_row(rows, row, k)))

@kernel("void(const float32[:, ::1], float32[:, ::1])")
def exponentials_of_short_rows(rows, out):
    for row in range(len(rows)):
        for k in range(0, rows.shape[1], 16):
            store_row(out, row, k, exponentials_float32(load_row(rows, row, k)))
"""

MISSING = [
    "numba.core.codegen.JITCodeLibrary",
    "numba.core.compiler.CompileResult._reduce",
    "numba.core.typing.templates.make_concrete_template",
]


def run(tmp_path: Path, before: str, **environment: str) -> list[str]:
    (tmp_path / "test_compat_kernels.py").write_text(KERNELS)
    script = SCRIPT.format(folder=str(Path(__file__).parent), before=f"sys.path.insert(0, {str(tmp_path)!r})\n{before}")
    settings = {**os.environ, "ARCGRAD_PLAIN_JIT": "0", "ARCGRAD_CACHE_DIR": str(tmp_path / "cache"), **environment}
    done = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_where_nothing_is_missing_nothing_is_said(tmp_path: Path) -> None:
    *values, said, files = run(tmp_path, "")
    assert values == ["59.0", "9.0", "True", "True"]
    assert said.strip() == "0"
    assert int(files) > 3


@pytest.mark.parametrize("missing", MISSING)
def test_where_a_private_name_is_missing_all_works_and_one_warning_says_so(tmp_path: Path, missing: str) -> None:
    owner = missing.rpartition(".")[0]
    module = owner if owner.rpartition(".")[2].islower() else owner.rpartition(".")[0]
    before = f"import numba, {module}; del {missing}"
    *values, said, files = run(tmp_path, before)
    assert values == ["59.0", "9.0", "True", "True"]
    assert said.startswith("1 arcgrad compiles in plain mode (numba ")
    assert f"lacks {missing};" in said
    assert "0.62 to " in said
    assert files == "0"


def test_plain_mode_can_be_asked_for(tmp_path: Path) -> None:
    *values, said, files = run(tmp_path, "", ARCGRAD_PLAIN_JIT="1")
    assert values == ["59.0", "9.0", "True", "True"]
    assert said.startswith("1 arcgrad compiles in plain mode")
    assert said.endswith("ARCGRAD_PLAIN_JIT is set")
    assert files == "0"


def test_one_module_alone_imports_private_names() -> None:
    paths = [path for layer in ("grammar", "compiler", "runtime", "api") for path in (ROOT / layer).rglob("*.py")]
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            private = [name for name in names if name.partition(".")[0] == "llvmlite" or name.startswith("numba.core")]
            assert not private, f"{path.relative_to(ROOT)} imports {private[0]}"
