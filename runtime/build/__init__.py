"""Graph expressions → topologies and selections, never weights."""
