"""Assessments of dictionaries: how much they keep, and what their features go with."""
