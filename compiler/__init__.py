"""The compiler: syntax tree → typed IR → plan → source of a routine. Reads no weights, runs nothing, knows no numba."""
