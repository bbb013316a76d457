"""Kernels over topologies: composition, orders, trimming, selections."""
