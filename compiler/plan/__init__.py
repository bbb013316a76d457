"""From the graph of operators to a plan: rewriting by laws, chains, stages, regions and what they share."""
