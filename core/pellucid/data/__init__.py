"""Datasets: what a sample is, how samples are grouped by subject, and who stands on which side of a split."""

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Finding, Sample
from pellucid.data.spec import (
    Binary,
    DataSpec,
    Graph,
    Image,
    InputSpec,
    Links,
    MultiClass,
    MultiLabel,
    Nodes,
    Ordinal,
    Regression,
    Sentences,
    Signal,
    Target,
    Text,
    Trajectory,
    Vector,
    Volume,
)
from pellucid.data.splits import Split
from pellucid.data.subjects import LearnedFrom, pseudonym
from pellucid.data.subset import Subset

__all__ = [
    "ArrayDataset",
    "Arrays",
    "Binary",
    "DataSpec",
    "Dataset",
    "Finding",
    "Graph",
    "Image",
    "InputSpec",
    "LearnedFrom",
    "Links",
    "MultiClass",
    "MultiLabel",
    "Nodes",
    "Ordinal",
    "Regression",
    "Sample",
    "Sentences",
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
