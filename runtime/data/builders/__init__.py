"""Builders of graphs that models are made of; users find them in ``arcgrad.graphs``."""
