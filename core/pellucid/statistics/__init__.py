"""Bootstrap over subjects and metrics that take weights."""
