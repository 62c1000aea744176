"""Recordings: signals with leads, rate and units, and what is wrong with them."""
