"""Graphs whose weights decide what is made of them: sums over paths, and what moves, removes or joins arcs by them."""
