"""Encoders of any signal: means over windows, power in bands, residual networks, and what they share."""
