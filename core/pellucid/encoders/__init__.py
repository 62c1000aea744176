"""Encoders: from a batch to named values."""
