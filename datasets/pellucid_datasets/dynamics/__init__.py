"""Made-up motions whose equations are known."""
