"""Heads that are decision trees."""
