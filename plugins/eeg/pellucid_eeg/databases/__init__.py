"""Databases of electroencephalograms, each in its own layout."""
