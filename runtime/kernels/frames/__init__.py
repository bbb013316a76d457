"""Kernels over dense inputs alone."""
