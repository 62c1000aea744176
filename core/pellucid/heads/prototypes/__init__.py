"""Heads that compare what they see with pieces of training samples: prototypes."""
