"""Kernels over graphs composed with a dense input, frame by frame."""
