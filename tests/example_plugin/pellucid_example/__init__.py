"""Pulse waves for pellucid. Nothing is imported here, so that listing stays free."""
