"""Networks that read electrocardiograms."""
