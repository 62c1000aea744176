"""Post-hoc attribution to numbers and places of an input; each method reports its own error."""

from pellucid.attribution.model import attribute, training_mean
from pellucid.attribution.parts import RegionMap, region_map
from pellucid.attribution.values import Attribution

__all__ = ["Attribution", "RegionMap", "attribute", "region_map", "training_mean"]
