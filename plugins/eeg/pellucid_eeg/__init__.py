"""Electroencephalograms for pellucid."""
