"""Kernels over built graphs: lattices; and, for the best path and for counts, cyclic graphs too."""
