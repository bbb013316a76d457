"""The slow exact engine: the oracle of the others, and the court of appeal."""
