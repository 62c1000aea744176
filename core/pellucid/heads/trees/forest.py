"""A random forest on named units, taken apart along the paths that a sample takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, labels_of
from pellucid.heads.one_pass import OnePass, check_differ
from pellucid.heads.trees.compiled import CompiledTrees
from pellucid.heads.trees.flat import FlatTrees, flattened
from pellucid.representation import Representation

SURE = 1e-3
"""Shares nearer to 0 and 1 than this count as this near: no logit is infinite because all trees agree."""

STILL = 1e-5
"""Shares that move less than this stay where they are: what single precision rounds away would decide by how much to stretch."""

ARRAYS = ("unit", "limit", "left", "right", "root", "first_tree", "depths")


class RandomForestConfig(PredictorConfig):
    """Settings of :class:`RandomForest`.

    Parameters
    ----------
    trees : int
        For each output.
    smallest_leaf : int
        Training samples that every leaf must hold.
    units_asked : "sqrt", "third" or "all"
        How many units, drawn anew, are looked at for each split; by default the square root, for numbers a third.
    balanced : bool
        Whether classes weigh the same however many samples they have.
    seed : int
    """

    trees: int = Field(500, ge=1)
    smallest_leaf: int = Field(1, ge=1)
    units_asked: Literal["sqrt", "third", "all"] | None = None
    balanced: bool = True
    seed: int = 0


class RandomForest(OnePass):
    """Trees on bootstrap samples of the training samples, one forest an output, their mean the answer.

    Each split moves the mean label of the training samples that are still together, so the answer is the mean at the roots plus
    what each unit moves it by on the way down. For classes the shares of class 1 are taken as they add up, and then all of a
    sample's are stretched alike so that they add up to the logit.

    Deep trees take a unit's part by where it stands in them: of two units that say the same the one asked first gets it. The
    forest is what a learnt representation must beat; to be understood, it has too many paths.

    References
    ----------
    Breiman (2001), doi:10.1023/A:1010933404324, fitted by scikit-learn. Decomposition: Palczewska et al. (2014),
    doi:10.1007/978-3-319-04717-1_9; deviation: logits.
    """

    tags = HeadTags(family="rule", stage="post_hoc", partial_labels=True)
    config_type = RandomForestConfig
    config: RandomForestConfig
    grown = (*ARRAYS, "value")
    unit: Tensor
    limit: Tensor
    left: Tensor
    right: Tensor
    root: Tensor
    first_tree: Tensor
    depths: Tensor

    def __init__(self, config: RandomForestConfig) -> None:
        super().__init__()
        self.config = config
        for name in ARRAYS:
            kind = torch.float64 if name == "limit" else torch.int64
            self.register_buffer(name, torch.zeros(0, dtype=kind))
        # A parameter, although no step moves it: it is what an audit draws anew to see whether explanations notice.
        self.value = nn.Parameter(torch.zeros(0))
        self._compiled: dict[int, CompiledTrees] = {}

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on few samples."""
        return {"trees": 20}

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Grow a forest for each output on the training samples in which it is known.

        Raises
        ------
        ContractError
            If the samples carry no labels.
        DataError
            If all known labels of an output are the same.
        """
        seen = [(z.values, labels_of(batch)) for z, batch in parts]
        x = torch.cat([values for values, _ in seen]).numpy()
        labels = torch.cat([labels for _, labels in seen])
        steps = self.config.target.steps(labels)
        unknown = labels.isnan().expand(-1, steps.shape[1]) if labels.shape[1] == 1 else labels.isnan()
        forests = []
        for at, (name, column) in enumerate(zip(self.outputs, steps.T, strict=True)):
            there = (~unknown[:, at]).numpy()
            forests.append(self._grown(x[there], column.numpy()[there], name, at))
        counts = torch.tensor([[len(one.root), len(one.unit)] for one in forests])
        offsets = (counts.cumsum(0) - counts)[:, 1]
        for name in ("unit", "limit"):
            self.grow(name, torch.cat([getattr(one, name) for one in forests]))
        for name in ("left", "right", "root"):
            self.grow(name, torch.cat([getattr(one, name) + by for one, by in zip(forests, offsets, strict=True)]))
        self.grow("first_tree", torch.tensor([0, *counts[:, 0].cumsum(0).tolist()]))
        self.grow("depths", torch.tensor([one.depth for one in forests]))
        self.grow("value", torch.cat([one.value for one in forests]))

    def _grown(self, x: np.ndarray, y: np.ndarray, name: str, at: int) -> FlatTrees:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        check_differ("random-forest", name, y)
        asked = self.config.units_asked or ("third" if self._numbers else "sqrt")
        settings: dict[str, Any] = {
            "n_estimators": self.config.trees,
            "min_samples_leaf": self.config.smallest_leaf,
            "max_features": {"sqrt": "sqrt", "third": 1 / 3, "all": None}[asked],
            "random_state": self.config.seed + at,
        }
        if self._numbers:
            fitted = RandomForestRegressor(**settings).fit(x, y)
        else:
            weight = "balanced" if self.config.balanced else None
            fitted = RandomForestClassifier(**settings, class_weight=weight).fit(x, y.astype(int))
        return flattened([tree.tree_ for tree in fitted.estimators_])

    @property
    def _numbers(self) -> bool:
        return self.config.target.kind == "regression"

    def grow(self, name: str, values: Tensor) -> None:
        """Give one of the arrays other values; what was compiled of those before is thrown away."""
        self._compiled.clear()
        super().grow(name, values)

    def trees_of(self, output: int) -> FlatTrees:
        """The trees of one output."""
        first, last = self.first_tree[output : output + 2].tolist()
        roots = [*self.root.tolist(), len(self.unit)]
        own = slice(roots[first], roots[last])
        left, right, root = (nodes - own.start for nodes in (self.left[own], self.right[own], self.root[first:last]))
        return FlatTrees(self.unit[own], self.limit[own], left, right, self.value[own], root, int(self.depths[output]))

    def compiled(self, output: int) -> CompiledTrees:
        """What takes samples down the trees of one output, made once."""
        if output not in self._compiled:
            self._compiled[output] = self.trees_of(output).compiled(len(self.config.units))
        return self._compiled[output]

    def _scaled(self, share: Tensor) -> Tensor:
        """What the head says of a mean over trees."""
        if self._numbers:
            return share
        near = share.clamp(SURE, 1 - SURE)
        return near.log() if self.config.target.kind == "multiclass" else near.logit()

    def _slope(self, share: Tensor) -> Tensor:
        """By how much what the head says changes with a mean over trees."""
        if self._numbers:
            return torch.ones_like(share)
        near = share.clamp(SURE, 1 - SURE)
        return 1 / near if self.config.target.kind == "multiclass" else 1 / (near * (1 - near))

    def forward(self, z: Representation) -> Tensor:
        """Logits or numbers."""
        every = range(len(self.outputs))
        said = torch.stack([self.trees_of(at).means(self.compiled(at).leaves(z.values)) for at in every], 1)
        return self._scaled(said).to(z.values.dtype)

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each unit moves one output by on a sample's paths."""
        at = self.output_index(target)
        start, parts = self.trees_of(at).parts(z.values, self.compiled(at))
        output = self(z)[:, at]
        baseline = self._scaled(start).expand(len(output)).to(output.dtype)
        # Numbers add up as they are. Logits are stretched alike; where paths come back to where they began, by the slope there.
        moved = parts.sum(1)
        back = torch.ones_like(moved, dtype=torch.bool) if self._numbers else moved.abs() < STILL
        stretch = torch.where(back, self._slope(start), (output - baseline) / moved.masked_fill(back, 1.0))
        contributions = (parts * stretch[:, None]).to(output.dtype)
        return Explanation("rule", target, z.names, contributions, baseline, output, z.values)
