"""Protocols of dictionaries that ask about labels."""
