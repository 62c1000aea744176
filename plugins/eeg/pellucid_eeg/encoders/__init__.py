"""Networks made for electroencephalograms, codes of their spectra, and common spatial patterns."""
