"""The runtime: graphs and dense inputs, file formats, kernels, the caches, and the tiers that evaluate a plan.

Last stage of the flow text → syntax → IR → plan → source → run; it may import all but the facade. Only here is numba.
"""
