"""Heads that compare samples with all training samples."""
