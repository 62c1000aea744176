"""Protocols about how things move: equations against those that are known."""
