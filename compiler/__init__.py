"""The compiler: a syntax tree becomes typed IR, the IR a plan, and the plan the source of a routine.

Second stage of the flow text → syntax → IR → plan → source → run; it may import arcgrad.grammar and numpy, never numba.
docs/architecture.md follows one equation through it.
"""
