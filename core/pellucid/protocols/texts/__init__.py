"""Protocols of models that are aligned with text: every score beside the same model's on noise, through the same calls."""
