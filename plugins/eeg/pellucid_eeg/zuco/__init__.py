"""Sentences that were read while an electroencephalogram was recorded."""
