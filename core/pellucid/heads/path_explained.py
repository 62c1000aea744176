"""Heads of which nothing can be read: explained by gradients along a path from the training mean."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pellucid.explanation import Explanation
from pellucid.heads.scaled import ScaledHead
from pellucid.representation import Representation


class PathExplained(ScaledHead):
    """A network on standardised units, explained after the fact.

    Its explanation integrates gradients along the straight path from the training mean of every unit to the sample
    (Sundararajan et al. 2017, arXiv 1703.01365), and the error of that integral is the explanation's gap. Its config says in how many
    ``steps``.
    """

    config: Any
    unit_mean: Tensor

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each unit adds to one output on the way from the training mean, by integrated gradients."""
        from pellucid.attribution.gradients import integrated_gradients

        at = self.output_index(target)
        found = integrated_gradients(
            lambda values, rows: self(Representation(values, z.names))[:, at],
            z.values,
            self.unit_mean.expand_as(z.values),
            steps=self.config.steps,
            module=self,
        )
        return Explanation("attribution", target, z.names, found.values, found.baseline, found.output, z.values)
