"""Datasets: what a sample is, how samples are grouped by subject, and who stands on which side of a split."""

from pellucid.data.dataset import ArrayDataset, Arrays, Dataset, Sample, Subset
from pellucid.data.spec import (
    Binary,
    DataSpec,
    Graph,
    Image,
    InputSpec,
    Links,
    MultiClass,
    MultiLabel,
    Ordinal,
    Regression,
    Signal,
    Target,
    Text,
    Trajectory,
    Vector,
    Volume,
)
from pellucid.data.splits import Split
from pellucid.data.subjects import LearnedFrom, pseudonym

__all__ = [
    "ArrayDataset",
    "Arrays",
    "Binary",
    "DataSpec",
    "Dataset",
    "Graph",
    "Image",
    "InputSpec",
    "LearnedFrom",
    "Links",
    "MultiClass",
    "MultiLabel",
    "Ordinal",
    "Regression",
    "Sample",
    "Signal",
    "Split",
    "Subset",
    "Target",
    "Text",
    "Trajectory",
    "Vector",
    "Volume",
    "pseudonym",
]  # fmt: skip
