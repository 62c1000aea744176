"""Heads that know how a cardiologist groups statements."""
