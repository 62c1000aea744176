"""Robots and dynamics for pellucid."""
