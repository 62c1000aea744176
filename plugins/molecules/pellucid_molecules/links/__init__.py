"""Links between two kinds of node: drugs and microbes, or any others in a table."""
