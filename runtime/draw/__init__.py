"""Pictures: layouts of graphs and of equations, as scenes of circles, paths and texts, and what renders these."""
