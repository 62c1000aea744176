"""Heads that draw their outputs: of one sample several answers may be right."""
