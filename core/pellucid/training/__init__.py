"""Training: one readable loop, exact resume."""
