"""Made-up demonstrations of robots: what is right is known, and a policy can be let loose."""
