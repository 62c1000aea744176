"""Heads that speak in human concepts."""
