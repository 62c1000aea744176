"""Scores that others have published on electrocardiograms, each with where it stands and whether it was read there."""
