"""Compiled code that others' compiled code calls, without Python: a handler of XLA's calls, and what it knows."""
