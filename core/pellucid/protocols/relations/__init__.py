"""Graphs with several relations: what a model loses without each, and whether it says so itself."""

from pellucid.protocols.relations.deletion import RelationDeletion

__all__ = ["RelationDeletion"]
