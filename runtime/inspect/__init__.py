"""Looking into equations: plans, Jacobians, finite differences."""
