"""Molecules for pellucid."""
