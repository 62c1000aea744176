"""Pictures of electrocardiograms."""
