"""Heads whose explanation is a function of each unit."""
