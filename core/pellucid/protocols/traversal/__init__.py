"""Walks along latent dimensions: whether a measure of what is decoded goes steadily one way."""
