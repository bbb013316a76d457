"""Losses that kernels evaluate directly, where the general way of an equation costs more than they do."""
