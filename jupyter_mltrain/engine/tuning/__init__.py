"""The search: hyperparameters, the oracles that choose their values, pruning, and trials."""
