"""Heads that are equations: few terms with a coefficient each."""
