"""Protocols: who is learnt from and who is judged, and what is measured."""
