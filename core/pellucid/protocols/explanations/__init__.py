"""The audit of explanations: whether what a model says of its outputs is true of it."""
