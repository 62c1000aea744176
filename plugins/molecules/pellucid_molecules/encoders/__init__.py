"""Encoders of graphs of atoms and bonds."""
