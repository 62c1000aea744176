"""Dataset cards and generators with planted truth: what a data steward reviews."""
