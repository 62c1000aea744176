"""Made-up literature as a dataset: it is known which chain of relations decides, and which relation is noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import MultiClass
from pellucid.data.splits import inner_split
from pellucid.regions import Region, Subgraph
from pellucid_datasets.networks import FIELDS, OTHER, Literature, literature
from pellucid_molecules.networks.network import Network
from pellucid_molecules.networks.nodes import Nodes, NodesConfig

NAME = "networks-synthetic"

TARGET = "field"

WORDS = (*(f"words of {field}" for field in FIELDS), *(f"other words {at + 1}" for at in range(OTHER)))


class NetworksSyntheticConfig(NodesConfig):
    """Settings of :class:`NetworksSynthetic`.

    Parameters
    ----------
    papers, authors, subjects : int
        Every author has two papers.
    stray : float
        Share of the authors beyond one for every two papers whose papers were put together by lot.
    noise : float
        Noise in the words of papers and subjects.
    random_labels : bool
        Whether classes are dealt by lot, so that nothing can be learnt.
    seed : int
    """

    papers: int = Field(default=400, ge=20)
    authors: int = Field(default=300, ge=10)
    subjects: int = Field(default=30, ge=3)
    stray: float = Field(default=0.05, ge=0, le=1)
    noise: float = Field(default=0.3, ge=0, le=10)
    random_labels: bool = False
    seed: int = Field(default=0, ge=0)


class NetworksSynthetic(Nodes):
    """Papers whose class is the field of the papers that share an author with them; subjects are recorded by lot.

    The frame has the class, the paper's own field (``own_field``), and ``split``, which is drawn by class.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data; or if the numbers of papers and
        authors do not fit.
    """

    config_type = NetworksSyntheticConfig
    config: NetworksSyntheticConfig

    def __init__(self, config: NetworksSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        self.config = config = config or NetworksSyntheticConfig()
        rng = np.random.default_rng([config.seed, 0])
        self.drawn = literature(
            rng, config.papers, config.authors, config.subjects, stray=config.stray, noise=config.noise
        )
        classes = self.drawn.classes
        if config.random_labels:
            classes = np.random.default_rng([config.seed, 1]).permutation(classes)
        names = [f"paper-{at:04d}" for at in range(config.papers)]
        frame = pd.DataFrame(
            {
                "paper": names,
                TARGET: classes.astype(float),
                "own_field": [FIELDS[field] for field in self.drawn.fields],
                "split": _split(classes, config.seed),
            },
            index=pd.Index(names, name="sample"),
        )
        about = (
            "Made up: nothing was measured, and a score tells about the method. A paper's class lies in the words of papers that share an "
            "author with it; its own words and its recorded subject say nothing about it."
        )
        target = MultiClass(names=FIELDS, about="the field of the papers that share an author with it")
        self._open(NAME, _network(self.drawn), "paper", frame, {TARGET: target}, about=about)

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """The papers that share an author with each paper of a class, as numbers of its graph's nodes."""
        if output not in FIELDS:
            return None
        at = FIELDS.index(output)
        start = self.egos.network.starts["paper"]
        found: list[tuple[Region, ...]] = []
        for paper in range(len(self)):
            if self.drawn.classes[paper] != at:
                found.append(())
                continue
            nodes = self.egos.nodes_around(paper)
            places = np.flatnonzero(np.isin(nodes, start + self.drawn.beside(paper)))
            found.append(tuple(Subgraph((int(place),)) for place in places))
        return found


def _split(classes: np.ndarray, seed: int) -> np.ndarray:
    """Sides by class: a fifth of the papers to be judged on, of the others a quarter for validation."""
    alone = np.arange(len(classes))
    rest, test = inner_split(alone, classes, validation=0.2, seed=seed)
    learn, stop = inner_split(alone[rest], classes[rest], validation=0.25, seed=seed + 1)
    sides = np.full(len(classes), "train", object)
    sides[test] = "test"
    sides[rest[stop]] = "validation"
    assert len(learn) + len(stop) == len(rest)
    return sides


def _network(drawn: Literature) -> Network:
    other = WORDS[len(FIELDS) :]
    return Network(
        {"paper": len(drawn.papers), "author": len(drawn.authors), "subject": len(drawn.subjects)},
        {"paper": WORDS, "author": other, "subject": WORDS},
        {"paper": drawn.papers, "author": drawn.authors, "subject": drawn.subjects},
        {
            ("author", "writes", "paper"): drawn.written[:, ::-1],
            ("subject", "is of", "paper"): drawn.about[:, ::-1],
        },
    ).both_ways()
