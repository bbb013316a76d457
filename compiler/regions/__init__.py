"""Regions: a reduction over one graph, packed into the flat arrays that its kernel reads.

Stands between plan and run: the compiler chooses a shape (lattice, cyclic, trellis, frames), a packer here lays the
graph out for it, and ``arcgrad.runtime.kernels`` holds one set of kernels for each shape and semiring.
"""
