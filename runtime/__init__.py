"""Runs plans: from what users give to values and gradients. tests/test_layout.py says how the rooms depend."""
