"""Disentangled representations of time series: one sequence auto-encoder, in single units or in two groups of them."""
