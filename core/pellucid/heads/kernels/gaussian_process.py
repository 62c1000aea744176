"""A Gaussian process whose answer is a sum over training samples and over named numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.errors import ContractError, DataError, StudyError, nearest
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, labels_of
from pellucid.heads.kernels.fitting import fit
from pellucid.heads.kernels.kernels import KernelName, kernel, min_max_parts, unit_likeness
from pellucid.heads.one_pass import OnePass, check_differ
from pellucid.heads.remembering import Remembers
from pellucid.representation import Representation
from pellucid.sample_ids import decoded_ids, encoded_ids

NAME = "gaussian-process"

TOP = 10
"""Training samples of each case that an explanation names; the others are one entry."""

OTHERS = "all other training samples"

BY_UNIT = ("additive", "linear", "min-max")
"""Kernels of which each unit has a part of its own."""

EDGE = 0.005
"""Share of training values beyond which a number counts as the last one within: a single absurd one must not decide."""


class GaussianProcessConfig(PredictorConfig):
    """Settings of :class:`GaussianProcess`.

    Parameters
    ----------
    kernels : mapping of str to str
        How samples are compared by the units of each encoder, by its prefix: ``"min-max"`` (counts), ``"additive"`` (a
        mean of likenesses in each unit), ``"rbf"`` (all units at once) or ``"linear"``. ``"additive"`` by default.
    parts : {"units", "samples"}
        What explanations of a ``"min-max"`` kernel are made of: the counts that a sample shares with training samples, or these
        training samples themselves. Both add up to the same.
    most : int
        At most so many training samples, drawn at random; time grows with their third power.
    seed : int
    """

    kernels: Mapping[str, KernelName] = Field(default_factory=dict)
    parts: Literal["units", "samples"] = "units"
    most: int = Field(6000, ge=10)
    seed: int = 0


class GaussianProcess(OnePass, Remembers):
    """Every training sample says its label as loudly as it is alike; every named number has a curve of its own.

    The mean of a Gaussian process with a weighted sum of kernels, one an encoder. By kernels that compare samples as wholes it
    is a sum over training samples, by ``"additive"`` and ``"linear"`` ones a sum over units; both add up to the output exactly.
    ``"min-max"`` is both: what a count is worth is what it adds to the likeness of the sample to each training sample, times what
    that one says. A unit's part is measured from its mean over the training samples, which joins the baseline; a count's from
    none.

    A count's worth depends on what else there is in the sample, as likeness is a share of all counts: taking it away changes the
    others' too.

    Classes are fitted as numbers, and turned into logits by a logistic regression on what the process says of each training
    sample when it has not seen it. Nothing is learnt by steps.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian processes for machine learning. Deviations: weights of kernels are chosen on a part
    of the samples, lengths of Gaussian kernels are one standard deviation of each unit, and classes as said above.
    """

    tags = HeadTags(
        family="function",
        targets=("binary", "multilabel", "regression", "links"),
        partial_labels=True,
        remembers=True,
    )
    never = "this Gaussian process has seen no training samples"
    then = "this Gaussian process compared training samples"
    config_type = GaussianProcessConfig
    config: GaussianProcessConfig
    grown = ("rows", "ids", "alpha")
    rows: Tensor
    ids: Tensor
    alpha: Tensor
    ends: Tensor
    shift: Tensor
    weights: Tensor
    line: Tensor
    usual: Tensor

    def __init__(self, config: GaussianProcessConfig) -> None:
        super().__init__()
        self.config = config
        prefixes = dict.fromkeys(unit.partition(":")[0] for unit in config.units)
        for prefix in config.kernels:
            if prefix not in prefixes:
                raise StudyError(
                    f"head {NAME!r}: kernels names {prefix!r}, which is no encoder that it reads{nearest(prefix, prefixes)}; these are: "
                    f"{', '.join(prefixes)}"
                )
        self.blocks: dict[str, tuple[KernelName, Tensor]] = {}
        for prefix in prefixes:
            own = [at for at, unit in enumerate(config.units) if unit.partition(":")[0] == prefix]
            self.blocks[prefix] = (config.kernels.get(prefix, "additive"), torch.tensor(own))
        units, outputs = len(config.units), len(self.outputs)
        self.register_buffer("rows", torch.zeros(0, units))
        self.register_buffer("ids", torch.zeros(0, 0, dtype=torch.uint8))
        self.register_buffer("ends", torch.zeros(2, units))
        self.register_buffer("shift", torch.stack([torch.zeros(units), torch.ones(units)]))
        self.register_buffer("weights", torch.zeros(outputs, len(self.blocks)))
        self.register_buffer("line", torch.zeros(outputs, 2))
        self.register_buffer("usual", torch.zeros(outputs, units))
        self.begin_memory()
        # A parameter, although no step moves it: it is what an audit draws anew to see whether explanations notice.
        self.alpha = torch.nn.Parameter(torch.zeros(outputs, 0))

    @property
    def counted(self) -> tuple[str, ...]:
        """Prefixes of encoders whose units are compared by min-max."""
        return tuple(prefix for prefix, (kind, _) in self.blocks.items() if kind == "min-max")

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on few samples."""
        return {}

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Compare all training samples with each other, and solve for their weights.

        Raises
        ------
        ContractError
            If the samples carry no labels or no ids.
        DataError
            If a count is negative or no whole number, or all known labels of an output are the same.
        """
        seen = [(z.values, batch) for z, batch in parts]
        raw = torch.cat([values for values, _ in seen])
        labels = torch.cat([labels_of(batch) for _, batch in seen])
        names = [name for _, batch in seen for name in batch.samples]
        if len(names) != len(raw):
            raise ContractError(
                f"head {NAME!r} names training samples, and these have no ids; make the batches with collate or batch_of"
            )
        if len(raw) > self.config.most:
            at = np.sort(np.random.default_rng(self.config.seed).permutation(len(raw))[: self.config.most])
            raw, labels, names = raw[at], labels[at], [names[one] for one in at]
        self._learn_scale(raw)
        self.grow("rows", self._scaled(raw))
        self.grow("ids", encoded_ids(names))
        kernels = [
            kernel(kind, self.rows[:, own], self.rows[:, own]).double().numpy() for kind, own in self.blocks.values()
        ]
        alpha = torch.zeros(len(self.outputs), len(raw))
        for output, (name, column) in enumerate(zip(self.outputs, labels.double().numpy().T, strict=True)):
            known = np.flatnonzero(~np.isnan(column))
            y = column[known]
            check_differ(NAME, name, y)
            mean, deviation = y.mean(), y.std()
            found = fit([k[np.ix_(known, known)] for k in kernels], (y - mean) / deviation, seed=self.config.seed)
            alpha[output, known] = torch.from_numpy(found.alpha).float()
            self.weights[output] = torch.from_numpy(found.weights)
            if self.config.target.kind == "regression":
                self.line[output] = torch.tensor([deviation, mean])
            else:
                self.line[output] = torch.tensor(_logistic(found.left_out, y))
        self.grow("alpha", alpha)
        measured = torch.zeros(len(self.config.units), dtype=torch.bool)
        for kind, own in self.blocks.values():
            measured[own] = kind in ("additive", "linear")
        for output in range(len(self.outputs)):
            self.usual[output] = self._by_unit(self.rows, output).mean(0) * measured

    def lasting(self, name: str) -> bool:
        """Units are; training samples are others in every fold."""
        return name in self.config.units

    @property
    def remembered(self) -> bool:
        """Whether it has seen training samples."""
        return bool(len(self.rows))

    def forward(self, z: Representation) -> Tensor:
        """Logits or numbers."""
        x, rows = self._scaled(z.values).double(), self.rows.double()
        found = torch.zeros(len(x), len(self.outputs), dtype=torch.float64)
        for block, (kind, own) in enumerate(self.blocks.values()):
            weighted = (self.alpha * self.weights[:, block, None]).double()
            found = found + kernel(kind, x[:, own], rows[:, own]) @ weighted.T
        return (self.line[:, 1] + self.line[:, 0] * found).to(z.values.dtype)

    @property
    def explained_names(self) -> tuple[str, ...]:
        """None: which training samples are named differs between cases."""
        return ()

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each readable unit, and each of the training samples that say most, adds to one output."""
        at = self.output_index(target)
        x, output = self._scaled(z.values), self(z)[:, at]
        units = [int(unit) for kind, own in self.blocks.values() if self._by_units(kind) for unit in own]
        slope = self.line[at, 0]
        by_unit = slope * (self._by_unit(x, at) - self.usual[at])[:, units]
        baseline = (self.line[at, 1] + slope * self.usual[at, units].sum()).expand(len(x))
        names = tuple(self.config.units[unit] for unit in units)
        counted = [kind == "min-max" for kind, own in self.blocks.values() if self._by_units(kind) for _ in own]
        # What a sample does not have adds nothing, and is not worth a line.
        known = ~torch.tensor(counted, dtype=torch.bool) | (z.values[:, units] != 0)
        if len(units) == len(self.config.units):
            return Explanation(
                "function", target, names, by_unit.to(output.dtype), baseline, output, z.values[:, units], known=known
            )
        by_sample = slope * self._by_sample(x, at)
        top = by_sample.abs().topk(min(TOP, by_sample.shape[1]), dim=1).indices
        named = torch.zeros_like(by_sample, dtype=torch.bool).scatter_(1, top, True)
        rest = by_sample.masked_fill(named, 0.0).sum(1, keepdim=True)
        ids = decoded_ids(self.ids)
        values = torch.cat(
            [z.values[:, units], torch.full_like(by_sample, torch.nan), torch.full_like(rest, torch.nan)], 1
        )
        everyone = torch.ones_like(rest, dtype=torch.bool)
        like = tuple(f"like {name}" for name in ids)
        return Explanation(
            "function",
            target,
            (*names, *like, OTHERS),
            torch.cat([by_unit, by_sample.masked_fill(~named, 0.0), rest], 1).to(output.dtype),
            baseline,
            output,
            values,
            tuple(tuple(Evidence(like[one], source=ids[one]) for one in some) for some in top.tolist()),
            known=torch.cat([known, named, everyone], 1),
        )

    def _by_units(self, kind: KernelName) -> bool:
        """Whether explanations take this kernel apart into units."""
        return kind in BY_UNIT and (kind != "min-max" or self.config.parts == "units")

    def _by_unit(self, x: Tensor, output: int) -> Tensor:
        """What each unit adds by the kernels that are taken apart so, before it is stretched to the output; (sample, unit)."""
        x, rows = x.double(), self.rows.double()
        found = torch.zeros_like(x)
        for block, (kind, own) in enumerate(self.blocks.values()):
            weighted = (self.alpha[output] * self.weights[output, block]).double()
            if not self._by_units(kind):
                continue
            if kind == "linear":
                found[:, own] = x[:, own] * (weighted @ rows[:, own]) / len(own)
            elif kind == "min-max":
                found[:, own] = min_max_parts(x[:, own], rows[:, own], weighted)
            else:
                parts = [unit_likeness(x[:, unit], rows[:, unit]) @ weighted / len(own) for unit in own.tolist()]
                found[:, own] = torch.stack(parts, 1)
        return found

    def _by_sample(self, x: Tensor, output: int) -> Tensor:
        """What each training sample adds by the kernels that compare wholes; shape (sample, training sample)."""
        x, rows = x.double(), self.rows.double()
        found = torch.zeros(len(x), len(rows), dtype=torch.float64)
        for block, (kind, own) in enumerate(self.blocks.values()):
            if not self._by_units(kind):
                found = found + self.weights[output, block].double() * kernel(kind, x[:, own], rows[:, own])
        return found * self.alpha[output].double()

    def _learn_scale(self, raw: Tensor) -> None:
        for prefix, (kind, own) in self.blocks.items():
            values = raw[:, own]
            if kind == "min-max":
                negative = bool((values < 0).any())
                if negative or (values != values.round()).any():
                    raise DataError(
                        f"head {NAME!r}: the kernel min-max compares counts, and units of {prefix!r} are "
                        f"{'negative' if negative else 'no whole numbers'}: let the encoder hand on counts as they are (identity with "
                        "standardised = false), or choose another kernel"
                    )
                self.ends[1, own] = torch.inf
                continue
            low, high = np.quantile(values.numpy(), [EDGE, 1 - EDGE], axis=0)
            flat = low == high
            low, high = np.where(flat, values.amin(0), low), np.where(flat, values.amax(0), high)
            self.ends[:, own] = torch.from_numpy(np.stack([low, high])).to(self.ends.dtype)
            inside = values.clamp(self.ends[0, own], self.ends[1, own])
            deviation = inside.std(0, correction=0)
            self.shift[0, own] = inside.mean(0)
            self.shift[1, own] = torch.where(deviation > 1e-8, deviation, 1.0)

    def _scaled(self, values: Tensor) -> Tensor:
        """Counts as they are; numbers in standard deviations, none further out than the training samples'."""
        return (torch.minimum(torch.maximum(values, self.ends[0]), self.ends[1]) - self.shift[0]) / self.shift[1]


def _logistic(said: np.ndarray, labels: np.ndarray) -> list[float]:
    """Slope and intercept of the logits of labels by what was said of them."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=1e4).fit(said[:, None], labels)
    return [float(found.coef_[0, 0]), float(found.intercept_[0])]
