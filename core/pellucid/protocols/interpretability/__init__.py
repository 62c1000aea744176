"""How much of a representation can be read through few concepts."""
