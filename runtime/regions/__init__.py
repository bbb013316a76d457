"""Regions: a reduction over one graph, packed into the flat arrays that its kernels read.

Stands between plan and run: the compiler chooses a shape (lattice, cyclic, trellis, frames), a packer here lays the
graph out for it, and ``arcgrad.runtime.kernels`` holds one set of kernels for each shape and semiring.
"""

from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.region import Region
from arcgrad.runtime.regions.trellis import pack_frames, pack_trellis

__all__ = ["Region", "pack_frames", "pack_graph", "pack_trellis"]
