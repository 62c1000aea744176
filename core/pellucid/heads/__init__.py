"""Heads: from named values to outputs, with an explanation of each."""
