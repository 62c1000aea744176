"""Scans of one's own: a table of cases that says which image, which mask, and what is known of each lesion."""
