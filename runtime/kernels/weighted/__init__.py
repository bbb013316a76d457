"""Kernels of operators whose output depends on weights: ε-removal, determinisation, minimisation, pushing."""
