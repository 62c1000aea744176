"""Protocols about links between nodes of a network that training samples make up."""
