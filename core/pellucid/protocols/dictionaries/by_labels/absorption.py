"""Absorption: features of a label that stay off because more special ones speak for it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import torch

from pellucid.errors import NotMeasurable
from pellucid.measures.dictionaries.absorption import (
    LEAST_F1,
    ConceptAbsorption,
    absorption,
    absorption_fractions,
    fully_absorbed,
)
from pellucid.protocols.dictionaries.by_labels.labelled import Labelled
from pellucid.protocols.dictionaries.by_labels.shared import DRAWS, ByLabels, ByLabelsConfig, LabelRows
from pellucid.protocols.dictionaries.codes import LABEL
from pellucid.result import Result

if TYPE_CHECKING:
    import pandas as pd

RANDOM = "as many main features drawn by lot"

CAVEAT = "This says something where labels have kinds that are planted or known, and little elsewhere."


class AbsorptionConfig(ByLabelsConfig):
    """Settings of :class:`Absorption`.

    Parameters
    ----------
    labels : tuple of str
        Yes-or-no labels to look at; all without it.
    """

    labels: tuple[str, ...] = ()


class AbsorbedRows(LabelRows):
    """Absorbed fraction of each sample that has a label and whose probe says so."""

    protocol = "absorption"

    def results(self) -> Iterator[Result]:
        """Fraction and full absorption, means over labels, then of each."""
        yield from self._each("", f"mean of {len(self.by_label)} labels" if len(self.by_label) > 1 else self.labels[0])
        if len(self.by_label) > 1:
            for label, own in self.by_label.items():
                yield from own._each(f"_{label.removeprefix(LABEL)}", label.removeprefix(LABEL))

    def _each(self, suffix: str, whom: str) -> Iterator[Result]:
        part, full = (self.over_labels(AbsorbedRows.averaged, name) for name in ("fraction", "fully"))
        random, random_full = (self.mean(AbsorbedRows.averaged, name) for name in ("random", "random_fully"))
        yield self.told(
            f"absorption{suffix}", part, chance=random, baseline=random, baseline_name=RANDOM, higher=False,
            sentence=(
                f"In samples that have a label, features other than its main ones carry {part.value:.1%} of it in “{self.part}” "
                f"({whom}); were its main features drawn by lot, {random:.1%}. {CAVEAT}"
            ),
        )  # fmt: skip
        yield self.told(
            f"full_absorption{suffix}", full, chance=random_full, baseline=random_full, baseline_name=RANDOM,
            higher=False, sentence=f"In {full.value:.1%} of them all main features are off while another one carries the label.",
        )  # fmt: skip


class Absorption(ByLabels):
    """How much of a label is carried by features other than its main ones, in samples that have it.

    A label counts if a probe of the layer, learnt on the training side, has an F1 of 0.6 on the test side; where none has, there
    is no result, and that is said. Main features are those of sparse probes of the training side. The published score warns that it
    means nothing for small models and dictionaries; it is meaningful on planted hierarchies, where special things
    (children) are known to be kinds of a common one (parent). Representations are not centred, as published: a large offset of
    the dictionary along a probe hides absorption.

    References
    ----------
    Chanin et al. (2024), arXiv:2409.14507; constants of SAEBench; see
    :mod:`pellucid.measures.dictionaries.absorption`. Deviation: F1 of sparse probes is that of training samples.
    """

    name: ClassVar[str] = "absorption"
    rows_type = AbsorbedRows
    config_type = AbsorptionConfig
    config: AbsorptionConfig

    @property
    def named(self) -> tuple[str, ...]:
        """Labels to look at."""
        return self.config.labels

    def measured(self, sides: Labelled) -> pd.DataFrame:
        """Columns ``fraction`` and ``fully`` of samples that count, both also with main features drawn by lot, and ``main``."""
        import pandas as pd

        frames, weak = [], []
        for label in sides.usable(self.config.labels):
            learn, judge = sides.train.known(label), sides.test.known(label)
            x, codes, truth = sides.test.x[judge], sides.test.codes[judge], sides.test.truth(label)[judge]
            with warnings.catch_warnings():
                # A label that does not count is said below.
                warnings.simplefilter("ignore", UserWarning)
                (found,) = absorption(
                    sides.train.x[learn], sides.train.codes[learn], sides.train.truth(label)[learn, None],
                    x, codes, truth[:, None], sides.atoms, seed=sides.seed,
                ).concepts  # fmt: skip
            counted = found.fractions.isfinite()
            if found.probe_f1 < LEAST_F1 or not counted.any():
                weak.append(f"{label.removeprefix(LABEL)} {found.probe_f1:.2f}")
                continue
            random, random_fully = _by_lot(sides, found, x[counted], codes[counted])
            columns = {
                "truth": truth[counted], "fraction": found.fractions[counted], "fully": found.fully[counted],
                "random": random, "random_fully": random_fully,
            }  # fmt: skip
            named = ", ".join(f"f{int(feature)}" for feature in found.main)
            frames.append(sides.test.table(judge[counted.numpy()], **columns).assign(label=label, main=named))
        if not frames:
            told = f" (F1: {', '.join(weak)})" if weak else ""
            raise NotMeasurable(
                f"no label has a probe of F1 {LEAST_F1} on the test side{told}, so that absorption is not defined",
                "name a label that the layer tells, or have more samples",
            )
        return pd.concat(frames, ignore_index=True)


def _by_lot(
    sides: Labelled, found: ConceptAbsorption, x: torch.Tensor, codes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fraction and full absorption of rows with main features drawn by lot."""
    drawn = sides.drawn(len(found.main), DRAWS)
    asked = [(x, codes, sides.atoms, found.direction, main) for main in drawn]
    fractions = torch.stack([absorption_fractions(*each) for each in asked]).mean(0)
    return fractions, torch.stack([fully_absorbed(*each).double() for each in asked]).mean(0)
