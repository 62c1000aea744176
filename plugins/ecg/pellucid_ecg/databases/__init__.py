"""Databases of electrocardiograms, each in its own layout."""
