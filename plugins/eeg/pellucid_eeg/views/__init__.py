"""Pictures of electroencephalograms."""
