"""Electrocardiograms for pellucid."""
