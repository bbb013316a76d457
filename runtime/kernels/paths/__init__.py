"""Kernels that give paths one by one: the best, and random ones; of graphs and of dense compositions."""
