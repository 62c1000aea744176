"""What readers of LIDC-IDRI drew and rated, wherever it is written down, and what follows from it for each nodule."""
