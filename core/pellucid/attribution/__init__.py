"""Post-hoc attribution to numbers and places of an input; each method reports its own error."""

from pellucid.attribution.graphs import GraphMap, graph_map
from pellucid.attribution.model import attribute, training_mean
from pellucid.attribution.parts import RegionMap, region_map
from pellucid.attribution.places import place_map
from pellucid.attribution.values import Attribution

__all__ = [
    "Attribution",
    "GraphMap",
    "RegionMap",
    "attribute",
    "graph_map",
    "place_map",
    "region_map",
    "training_mean",
]
