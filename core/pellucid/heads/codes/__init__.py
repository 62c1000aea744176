"""Heads that read discrete codes."""
