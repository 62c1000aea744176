"""RAVEL: do two labels of the same sample have features of their own, so that one can be exchanged without the other?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.errors import NotMeasurable
from pellucid.measures.dictionaries.linear_probes import LinearProbes
from pellucid.measures.dictionaries.ravel import Pairs, Reader, interchange, learned_mask
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Context
from pellucid.protocols.dictionaries.by_labels.label_pairs import dealt_combinations, two_labels
from pellucid.protocols.dictionaries.by_labels.labelled import STEPS, Labelled, Side
from pellucid.protocols.dictionaries.by_labels.shared import DRAWS, RANDOM, ByLabels, ByLabelsConfig, LabelRows
from pellucid.protocols.dictionaries.codes import LABEL, label_called
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic

if TYPE_CHECKING:
    import pandas as pd


PARTS = ("cause_first", "cause_second", "isolation_first", "isolation_second")


class RavelConfig(ByLabelsConfig):
    """Settings of :class:`Ravel`.

    Parameters
    ----------
    first, second : str
        Yes-or-no labels that ought to be apart.
    steps : int
        Of the probes that read the layer.
    mask_epochs : int
        Of the masks that say which features are a label's.
    """

    first: str = ""
    second: str = ""
    steps: int = Field(STEPS, ge=1)
    mask_epochs: int = Field(2, ge=1)


class RavelRows(LabelRows):
    """Whether readers see what they should, one row a pair of samples; NaN where base and source are alike."""

    protocol = "ravel"

    def score(self, which: str = "") -> Statistic:
        """Mean of the four parts."""
        parts = [self.mean_of(f"{which}{name}") for name in PARTS]
        return lambda weights: np.asarray(sum(part(weights) for part in parts) / len(parts))

    def results(self) -> Iterator[Result]:
        """The score and its parts."""
        found, random = self.interval(self.score()), self.value(self.score("random_"))
        cause_first, cause_second, alone_first, alone_second = (self.value(self.mean_of(name)) for name in PARTS)
        first, second = (str(self.rows[name].iloc[0]).removeprefix(LABEL) for name in ("label", "second"))
        read = [self.value(self.mean_of(f"read_{name}")) for name in ("first", "second")]
        size = [self.counted(f"features_{name}") for name in ("first", "second")]
        yield self.told(
            "disentanglement", found, chance=0.5, baseline=random, baseline_name=RANDOM,
            sentence=(
                f"Given the {size[0]} features of {first} of another sample, the layer's probes see that sample's {first} in "
                f"{cause_first:.0%} of pairs and leave {second} as it was in {alone_first:.0%}; the {size[1]} of {second} bring it in "
                f"{cause_second:.0%} and leave {first} in {alone_second:.0%}. Mean {found.value:.2f} for “{self.part}”; {RANDOM} "
                f"{random:.2f}, and 0.50 by "
                f"exchanging nothing or everything. Unchanged samples are read rightly in {read[0]:.0%} and {read[1]:.0%}."
            ),
        )  # fmt: skip


class Ravel(ByLabels):
    """Interchange of the features of one label between samples: the label should come along, a second one should stay.

    Linear probes of the layer read both labels; which features are a label's is learnt as a mask by gradient, so that
    probes see the source's value of it and the base's of the other. Probes and masks are of the training side. On the test side
    each sample is a base, with one source of each of the four combinations of both labels, of another subject. The score is the mean of
    the shares of pairs in which a label comes along where base and source differ in it (cause), and of those in which the other
    stays where they differ in that (isolation), of both labels. Nothing and everything
    exchanged both give 0.5 with probes that are always right.

    References
    ----------
    Huang et al. (2024), arXiv:2402.17700; settings of SAEBench (Adam, 1e-3, 2 epochs). Deviations: labels of samples stand for facts
    about entities, probes of the layer for a model's answers. The interval is over the subjects of bases.
    """

    name: ClassVar[str] = "ravel"
    rows_type = RavelRows
    config_type = RavelConfig
    config: RavelConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on planted data."""
        return {"first": "binary", "second": "fast", "steps": 300}

    @property
    def named(self) -> tuple[str, ...]:
        """Both labels."""
        return tuple(name for name in (self.config.first, self.config.second) if name)

    def lacking(self, context: Context) -> str:
        """Both labels must be named, two different ones."""
        return two_labels(self.name, context, first=self.config.first, second=self.config.second)

    def measured(self, sides: Labelled) -> pd.DataFrame:
        """One row a pair: the four parts, the same with features drawn by lot, and whether unchanged bases are read rightly."""
        first, second = (label_called(name, sides.spec) for name in self.named)
        if few := sides.few(first, second):
            raise NotMeasurable(few)
        labels = (first, second)
        probes = self._readers(sides, labels)
        readers = [_reader(probes, at) for at in (0, 1)]
        learn, _ = _pairs(sides.train, labels, sides.seed)
        masks = [
            learned_mask(learn, at, readers, sides.head.decode, epochs=self.config.mask_epochs, seed=sides.seed)
            for at in (0, 1)
        ]
        pairs, bases = _pairs(sides.test, labels, sides.seed + 1)
        columns = dict(zip(PARTS, _parts(pairs, masks, readers, sides), strict=True))
        lots = []
        for draw in range(DRAWS):
            drawn = [torch.zeros_like(mask) for mask in masks]
            for at, mask in enumerate(drawn):
                mask[sides.drawn(int(masks[at].sum()), DRAWS, at)[draw]] = True
            lots.append(torch.stack(_parts(pairs, drawn, readers, sides)))
        columns |= {f"random_{name}": values for name, values in zip(PARTS, torch.stack(lots).mean(0), strict=True)}
        for at, which in enumerate(("first", "second")):
            columns[f"read_{which}"] = (readers[at](pairs.x).argmax(1) == pairs.labels[:, at]).double()
        rows = sides.test.table(bases, **columns).assign(label=first, second=second, truth=pairs.labels[:, 0].numpy())
        return told_once(
            rows, {f"features_{which}": int(mask.sum()) for which, mask in zip(("first", "second"), masks, strict=True)}
        )

    def _readers(self, sides: Labelled, labels: tuple[str, str]) -> LinearProbes:
        """Probes from equally many training samples of all four combinations, so that neither leans on the other label."""
        of = dealt_combinations(sides.train.quadrants(*labels), sides.seed)
        rows = np.concatenate([some[: min(map(len, of))] for some in of])
        truth = torch.stack([sides.train.truth(label)[rows] for label in labels], 1)
        return sides.fitted(rows, truth, self.config.steps)


def _reader(probes: LinearProbes, at: int) -> Reader:
    def read(x: Tensor) -> Tensor:
        yes = probes.logits(x)[:, at]
        return torch.stack([torch.zeros_like(yes), yes], 1)

    return read


def _pairs(side: Side, labels: tuple[str, str], seed: int) -> tuple[Pairs, np.ndarray]:
    """Each sample with a source of each combination, of another subject where there is one; and the bases' positions."""
    random, quadrants = np.random.default_rng(seed), side.quadrants(*labels)
    known = np.flatnonzero(quadrants >= 0)
    bases, sources = [], []
    for at in range(4):
        members = np.flatnonzero(quadrants == at)
        drawn = random.choice(members, len(known))
        same = side.subjects[drawn] == side.subjects[known]
        for _ in range(20):
            if not same.any():
                break
            drawn[same] = random.choice(members, int(same.sum()))
            same = side.subjects[drawn] == side.subjects[known]
        bases.append(known[~same])
        sources.append(drawn[~same])
    base, source = np.concatenate(bases), np.concatenate(sources)
    truth = torch.stack([side.truth(label) for label in labels], 1).nan_to_num().long()
    return Pairs(side.x[base], side.codes[base], side.codes[source], truth[base], truth[source]), base


def _parts(pairs: Pairs, masks: list[Tensor], readers: list[Reader], sides: Labelled) -> list[Tensor]:
    """Whether each pair is as it should be, in the order of :data:`PARTS`; NaN where base and source do not differ."""
    differs = pairs.labels != pairs.source_labels
    cause, isolation = [], []
    with torch.no_grad():
        for at in (0, 1):
            changed = interchange(pairs.x, pairs.codes, pairs.source_codes, masks[at], sides.head.decode)
            seen = [reader(changed).argmax(1) for reader in readers]
            brought, left = seen[at] == pairs.source_labels[:, at], seen[1 - at] == pairs.labels[:, 1 - at]
            cause.append(torch.where(differs[:, at], brought.double(), torch.nan))
            isolation.append(torch.where(differs[:, 1 - at], left.double(), torch.nan))
    return [*cause, *isolation]
