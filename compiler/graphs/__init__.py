"""Graphs as arrays without weights: topologies, selections of weights, orders and searches that operators share."""
