"""Mazes, walks in them, and the maps that are read from codes of walks."""
