"""Where in the input: the regions that evidence points at. A plugin's view draws them, and a plugin may add kinds of its own."""

from pellucid.regions.base import Region, around, merged, overlap, region_from_json, region_to_json
from pellucid.regions.kinds import WHOLE, Box, FrequencyBand, Steps, Subgraph, TimeSpan, Voxels, Words

__all__ = [
    "WHOLE",
    "Box",
    "FrequencyBand",
    "Region",
    "Steps",
    "Subgraph",
    "TimeSpan",
    "Voxels",
    "Words",
    "around",
    "merged",
    "overlap",
    "region_from_json",
    "region_to_json",
]
