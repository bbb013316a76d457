"""Kernels over cyclic graphs."""
