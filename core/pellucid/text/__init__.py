"""Texts in plain words: frozen models that read and write them, and how generated ones are scored."""
