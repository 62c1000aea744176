"""A causal transformer whose states pass through codes."""
