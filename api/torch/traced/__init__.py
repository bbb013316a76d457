"""Equations where something traces: under torch.func, torch.compile and torch.export."""
