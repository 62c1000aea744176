"""Where features of a dictionary are active, and which others they make active."""
