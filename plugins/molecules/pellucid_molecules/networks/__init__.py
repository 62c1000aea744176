"""Networks of several kinds of node and relation: read from tables or made up, each node to classify with what lies around it."""
