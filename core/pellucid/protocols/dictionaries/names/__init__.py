"""What features of a dictionary are called, and how sure that is."""
