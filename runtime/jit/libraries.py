"""How numba collects the code of kernels and helpers: once optimised, and machine code only where something is called.

Stage: source → run; used by `arcgrad.runtime.jit.compile`.
"""

from __future__ import annotations

from typing import Any

from arcgrad.runtime.jit.compat import Compiler, JITCodeLibrary, cpu_target

__all__ = ["HelperCompiler", "KernelCompiler"]


class _HelperLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code of a helper, for its callers to take in.

    In a library of numba's own it would be optimised once more and become machine code, which nothing calls: a quarter
    of all compilation.
    """

    @property
    def codegen(self) -> Any:
        """What is asked to fill in a variable of the machine code."""
        return _NothingToFillIn

    def get_pointer_to_function(self, name: str) -> int:
        """None: 0 stands for that."""
        return 0

    def _optimize_final_module(self) -> None:
        """Left to the callers."""

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _NothingToFillIn:
    @staticmethod
    def set_env(name: str, environment: Any) -> None:
        """Of exceptions that are raised with arguments; helpers raise none."""


class _KernelLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code of a kernel or routine, optimised once.

    numba does so twice, to find references to arrays that need not be counted; here none are.
    """

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


class HelperCompiler(Compiler):  # type: ignore[misc]
    """numba's passes, with a library of ours to collect the code."""

    library: type[Any] = _HelperLibrary

    def define_pipelines(self) -> Any:
        """Called when it is known what is compiled, and before anything is."""
        self.state.library = self.library(cpu_target.target_context.codegen(), self.state.func_id.func_qualname)
        self.state.library.enable_object_caching()
        return super().define_pipelines()


class KernelCompiler(HelperCompiler):
    """As `HelperCompiler`, for kernels and routines."""

    library = _KernelLibrary
