"""Expectations and entropies over dense compositions, and over dense inputs alone."""
