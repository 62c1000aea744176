"""Networks made for electroencephalograms, and common spatial patterns."""
