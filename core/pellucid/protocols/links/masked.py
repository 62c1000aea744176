"""Scores of links that were hidden from everything that was learnt, beside what the same models say if the links are left in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid.attribution.network import neighbour_attribution
from pellucid.errors import NotMeasurable
from pellucid.part import Config
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.links.conclusions import LinkConclusions
from pellucid.protocols.links.figure import drawn
from pellucid.protocols.links.hidden import (
    leaky_scores,
    pair_input,
    refuse_change_when_flipped,
    refuse_known_links,
)
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class MaskedLinksConfig(Config):
    """Settings of :class:`MaskedLinks`.

    Parameters
    ----------
    against : tuple of str
        Parts that the others are compared with: the mandatory baselines, degrees and neighbours.
    recall_at : tuple of int
        How many pairs of a node are listed, the likeliest first.
    leaky : bool
        Whether each part is also fitted with the hidden links left in, to see what that would pretend. It doubles the time.
    shown : int
        Likeliest pairs of a part without an observed link of which it is drawn what they rest on; of the first fold.
    replicates : int
        Resamplings behind each interval.
    """

    against: tuple[str, ...] = ()
    recall_at: tuple[int, ...] = (5, 10)
    leaky: bool = True
    shown: int = Field(3, ge=0, le=20)
    replicates: int = Field(REPLICATES, ge=100)


class MaskedLinks(Assessment):
    """How well hidden links are found, by models that were proved not to know them.

    Before anything is scored, two things are tried. An encoder that remembers links is asked whether one of them joins the nodes
    of a test pair. Then the labels of all hidden pairs are turned round, and everything that is computed from links is computed
    again: graph, kernels, degrees and scores must be the same to the last bit. If not, a ``LeakageError`` is raised.

    - ``auroc``: within folds, averaged; intervals over nodes of the first role, as pairs of one node are not independent.
    - ``auroc_leaky``: the same models fitted with the hidden links in what their encoders see (not their heads); ``leak`` is how
      much better that looks.
    - ``recall@k``: of a node's hidden links, the share among its k likeliest hidden pairs; the mean over nodes of the first role
      that have a hidden link. Chance is a list in no order.
    - ``auroc_minus_<part>``: paired differences to the parts named in ``against``. The best of these is the baseline of areas and
      recalls too.

    A pair without an observed link may be a link that nobody has looked for: an area counts it as an error, a recall does not.

    References
    ----------
    What it guards against: Deng et al. (2022), Graph2MDA, whose released code builds the graph before it splits it.
    """

    name: ClassVar[str] = "masked-links"
    needs_training: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    config_type = MaskedLinksConfig
    config: MaskedLinksConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import linked_fold

        return linked_fold()

    def unfit(self, context: Context) -> str:
        """The target must be links between nodes, and the parts to compare with must be there."""
        target = context.spec.target(context.target) if context.target else None
        if target is None or target.kind != "links" or pair_input(context.spec) is None:
            return "it is about links between pairs of nodes; the target is none of that kind"
        for part in self.config.against:
            if part not in context.predictors:
                return f"it compares with {part!r}, which is no part here; there are {', '.join(context.predictors)}"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test pair.

        Returns
        -------
        DataFrame
            ``part``, ``sample``, ``subject``, ``label``, ``score`` (logit), ``leaky`` (logit; NaN where not asked for), ``node``
            (name of the first node). Told once of a part is ``support``: what the pairs that are drawn rest on, likeliest first.

        Raises
        ------
        LeakageError
            See :func:`~pellucid.protocols.links.hidden.refuse_known_links` and
            :func:`~pellucid.protocols.links.hidden.refuse_change_when_flipped`.
        """
        import pandas as pd

        name = pair_input(fold.dataset.spec)
        assert name is not None
        spec: Any = fold.dataset.spec.inputs[name]
        found = []
        for part, model in fold.predictors.items():
            samples = fold.test(part)
            refuse_known_links(fold, part)
            refuse_change_when_flipped(fold, part)
            scores = model.logits(samples)[:, 0].double().numpy()
            labels = samples.target_values(fold.target)[:, 0]
            if len(np.unique(labels)) < 2:
                raise NotMeasurable("the test pairs are all of one class", "ask for fewer folds")
            pairs = samples.read(np.arange(len(samples))).inputs[name]
            first = np.array(spec.names[spec.types[0]], object)[pairs[:, 0]]
            leaky = leaky_scores(fold, part) if self.config.leaky else np.full(len(scores), np.nan)
            columns = {"label": labels, "score": scores, "leaky": leaky, "node": first}
            support = []
            if fold.split.fold == 0 and self.config.shown:
                new = np.flatnonzero(labels == 0)
                for at in new[np.argsort(-scores[new], kind="stable")][: self.config.shown]:
                    links = neighbour_attribution(model, fold.dataset, int(fold.split.test[at]))
                    support.append(
                        {"roles": list(spec.roles), "links": links.to_dict("list"), "pair": _names(spec, pairs[at])}
                    )
            found.append(told_once(rows_of(part, samples, columns), {"support": support}))
        return pd.concat(found, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> Sequence[Result]:
        """Areas, what leaking would pretend, recalls and differences, of each part."""
        return LinkConclusions(self.name, self.config, rows, context).results()

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """For each part whose encoder knows links, the likeliest pairs without an observed link and what they rest on."""
        return drawn(rows)


def _names(spec: Any, pair: np.ndarray) -> list[str]:
    return [spec.names[of][at] for of, at in zip(spec.types, pair, strict=True)]
