"""Explanations: how much each named unit adds to an output, and how much stays unexplained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.errors import ContractError
from pellucid.regions import Region

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Family = Literal["attribution", "function", "concept", "prototype", "rule", "dictionary", "code"]


@dataclass(frozen=True)
class Evidence:
    """What a contribution points at: a region of the input, a source sample, an equation or a rule.

    Parameters
    ----------
    unit : str
        Name of the contribution.
    region : Region, optional
        Where in the explained sample.
    source : str, optional
        Id of a training sample that it looks like.
    text : str
        An equation, a rule, or a sentence.
    source_region : Region, optional
        Where in the source.
    input : str
        Name of the input that the regions lie in; empty where there is only one.
    """

    unit: str
    region: Region | None = None
    source: str | None = None
    text: str = ""
    source_region: Region | None = None
    input: str = ""


@dataclass(frozen=True)
class Explanation:
    """``output = baseline + contributions.sum() + gap``, for every sample of a batch.

    Parameters
    ----------
    family : str
        How the explanation comes about.
    target : str
        Name of the output explained.
    names : tuple of str
        One a unit.
    contributions : Tensor, shape (sample, unit)
        In units of the output (a logit, or the predicted number).
    baseline : Tensor, shape (sample,)
        Output of a sample about which nothing is known.
    output : Tensor, shape (sample,)
        What the model said.
    values : Tensor, optional, shape (sample, unit)
        What each unit was.
    evidence : tuple, optional
        For each sample, the :class:`Evidence` behind its contributions.
    samples : tuple of str, optional
        Sample ids.
    known : Tensor of bool, optional, shape (sample, unit)
        Which units a sample has, where they are places and samples have different numbers of them; others add 0.
    """

    family: Family
    target: str
    names: tuple[str, ...]
    contributions: Tensor
    baseline: Tensor
    output: Tensor
    values: Tensor | None = None
    evidence: tuple[tuple[Evidence, ...], ...] = ()
    samples: tuple[str, ...] = ()
    known: Tensor | None = None

    def __post_init__(self) -> None:
        count = len(self.output)
        if self.contributions.shape != (count, len(self.names)):
            raise ContractError(
                f"contributions of shape {tuple(self.contributions.shape)} for {count} samples and {len(self.names)} names"
            )
        if self.baseline.shape != (count,):
            raise ContractError(
                f"baseline of shape {tuple(self.baseline.shape)} for {count} samples; it needs one number a sample"
            )

    def __len__(self) -> int:
        return len(self.output)

    @property
    def gap(self) -> Tensor:
        """What baseline and contributions leave unexplained, shape (sample,)."""
        total = self.contributions.double().sum(1)
        return (self.output.double() - self.baseline.double() - total).to(self.output.dtype)

    def frame(self, sample: int | None = None) -> pd.DataFrame:
        """One row a sample and unit, the strongest unit of each sample first."""
        import numpy as np
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for at in range(len(self)) if sample is None else [sample]:
            parts = self.contributions[at].detach().cpu().numpy()
            values = [float("nan")] * len(parts) if self.values is None else self.values[at].tolist()
            rows += [
                {
                    "sample": self.samples[at] if self.samples else str(at),
                    "unit": self.names[unit],
                    "value": values[unit],
                    "contribution": float(parts[unit]),
                }
                for unit in np.argsort(-np.abs(parts), kind="stable")
                if self.known is None or self.known[at, unit]
            ]
        return pd.DataFrame(rows, columns=["sample", "unit", "value", "contribution"])

    def plot(self, sample: int = 0, top: int = 10, ax: Axes | None = None) -> Axes:
        """Draw what each unit adds to the output of one sample: the strongest, the others summed, the gap as a bar of its own.

        Parameters
        ----------
        sample : int
            Position in the explanation.
        top : int
            Bars of single units.
        ax : Axes, optional
            A new figure's by default.
        """
        from pellucid.views.contributions import ContributionBars, draw_bars, labelled

        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(5.2, 0.26 * (min(top, len(self.names)) + 4) + 0.6), layout="constrained")
        values = [float("nan")] * len(self.names) if self.values is None else self.values[sample].tolist()
        bars = ContributionBars(
            labelled(self.names, values),
            self.contributions[sample].detach().double().cpu().numpy(),
            float(self.baseline[sample]),
            float(self.output[sample]),
            float(self.gap[sample]),
            self.target,
        )
        return draw_bars(ax, bars.strongest(top))

    @staticmethod
    def joined(parts: list[Explanation]) -> Explanation:
        """Explanations of several batches by the same model as one.

        Raises
        ------
        ContractError
            If some say of samples what others leave out: values, which units are known, or their ids.
        """
        if len({bool(part.samples) for part in parts}) > 1:
            raise ContractError("some explanations name their samples, others do not: they cannot be joined")
        first = max(parts, key=lambda part: len(part.names))
        pointing = any(part.evidence for part in parts)
        parts = [part._padded(first.names) for part in parts]
        return replace(
            first,
            contributions=torch.cat([p.contributions for p in parts]),
            baseline=torch.cat([p.baseline for p in parts]),
            output=torch.cat([p.output for p in parts]),
            values=_all_or_none("values", [p.values for p in parts]),
            known=_all_or_none("known", [p.known for p in parts]),
            # A batch in which nothing is pointed at keeps the place of its samples.
            evidence=tuple(e for p in parts for e in p.evidence or ((),) * len(p)) if pointing else (),
            samples=tuple(s for p in parts for s in p.samples),
        )

    def _padded(self, names: tuple[str, ...]) -> Explanation:
        """With more units that no sample has, where their number differs between batches."""
        more = (0, len(names) - len(self.names))
        if self.known is None or not more[1]:
            return self
        return replace(
            self,
            names=names,
            contributions=functional.pad(self.contributions, more),
            values=None if self.values is None else functional.pad(self.values, more),
            known=functional.pad(self.known, more),
        )


def _all_or_none(what: str, found: list[Tensor | None]) -> Tensor | None:
    there = [one for one in found if one is not None]
    if there and len(there) < len(found):
        raise ContractError(
            f"{len(there)} of {len(found)} explanations have {what}, the others none: they are not of one model"
        )
    return torch.cat(there) if there else None
