"""The dataset ``lidc``: nodules cut out of the archive's scans along what readers drew."""
