"""Protocols that own the split."""
