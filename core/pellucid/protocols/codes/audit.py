"""The audit of codes: how many are used, which speak for a class, and where those are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.encoders.base import Encoder
from pellucid.fingerprint import hexadecimal
from pellucid.model import Model, batches
from pellucid.ngrams import NGrams
from pellucid.part import Config
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.codes.conclusions import CodesConclusions, classes_of
from pellucid.protocols.codes.selected import Coded, Selected, Vocabulary, dealt, sums
from pellucid.protocols.codes.stretches import mean_stretches
from pellucid.protocols.codes.table import code_table, table_of
from pellucid.representation import TokenShape, tokens_name
from pellucid.result import Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import REPLICATES
from pellucid.views.stretches import stretches_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class CodesAuditConfig(Config):
    """Settings of :class:`CodesAudit`.

    Parameters
    ----------
    longest : int
        Codes of the longest n-grams.
    fewest : int
        Occurrences among the training samples below which an n-gram is not looked at.
    most : int
        N-grams that are looked at, the most frequent.
    shown : int
        N-grams of each class, of the highest odds.
    lines : int
        Lines (channels) in which an n-gram is said to stand usually.
    permutations : int
        How often labels are dealt anew to see what chance finds.
    replicates : int
        Resamplings of subjects behind each interval.
    view : str
        A registered view that draws the signals behind n-grams as one picture each (``"eeg/time-frequency"``); left out, that of
        the input does, if it can.
    """

    longest: int = Field(3, ge=1, le=8)
    fewest: int = Field(20, ge=1)
    most: int = Field(1024, ge=1)
    shown: int = Field(5, ge=1)
    lines: int = Field(3, ge=1)
    permutations: int = Field(20, ge=5)
    replicates: int = Field(REPLICATES, ge=100)
    view: str = ""


class CodesAudit(Assessment):
    """What codes say on subjects that neither encoder nor choice has learnt from; for any encoder whose tokens have codes.

    - Usage: the share of the codes that occur, and perplexity, the exponential of the entropy of how often each does.
    - Odds: for each class the n-grams of the highest log odds are chosen among the training samples, and their log odds are
      taken again here. N-grams are codes side by side in one line (channel), alone, in twos and in threes.
    - Place: whether they are in the lines, and at the place of a line, where they mostly are among the training samples; and,
      where the data know what was planted in which channel, whether they are there.

    Chance is the same with labels dealt anew, among subjects where each has one label, within each where each has several, among
    all where it is mixed: everything is chosen again, and n-grams of no class have places too. The baseline is the same encoder
    before it learnt by steps, its statistics of training samples included. Where a code is says what the encoder read there; an
    encoder that relates places to each other may write down at one what it has seen at another.

    Models that share an encoder are audited once.

    References
    ----------
    Chen et al. (2024), EEGFormer, arXiv 2401.10278, for the table of n-grams. Ours: that it is judged on other subjects, chance,
    baseline and intervals.
    """

    name: ClassVar[str] = "codes-audit"
    needs_training: ClassVar[bool] = True
    config_type = CodesAuditConfig
    config: CodesAuditConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import coded_fold

        return coded_fold()

    def unfit(self, context: Context) -> str:
        """An encoder must give codes."""
        if context.encoders is not None and not any(tags.gives_codes for tags in context.encoders.values()):
            return "no encoder of this study gives codes; add eegformer, or another one that quantises"
        if self.config.view and stretches_of(plugins.load("view", self.config.view)) is None:
            return f"the view {self.config.view!r} draws single samples alone; name one that draws stretches, or leave it out"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample.

        ``uses`` lists how often each code occurs. Sizes of vocabularies, what an untrained encoder and labels by lot give, and what
        figures show are told once of a part and fold.
        """

        rows, seen = [], set()
        for part, model in fold.predictors.items():
            for prefix, encoder in model.named_encoders():
                for name, shape in encoder.token_shapes.items():
                    mark = (hexadecimal([(prefix, encoder)]), name)
                    if shape.codebook and mark not in seen:
                        seen.add(mark)
                        rows.append(self._of(fold, part, model, prefix, name, shape))
        return joined(rows)

    def _of(self, fold: FittedFold, part: str, model: Model, prefix: str, name: str, shape: TokenShape) -> pd.DataFrame:
        encoder, grams = model.get_submodule(f"encoders.{prefix}"), NGrams(shape, self.config.longest)
        assert isinstance(encoder, Encoder)
        train, test = fold.train, fold.test(part)
        classes = classes_of(fold.dataset.spec.target(fold.target))
        member = [_member(side, fold.target, len(classes)) for side in (train, test)]
        learnt, untrained = (
            _read(encoder, name, train, test),
            _read(_untrained(encoder, train, fold), name, train, test),
        )
        vocabulary, coded = self._vocabulary(learnt, grams)
        columns: dict[str, Any] = {"uses": _uses(learnt[1], shape), "grams": coded.known}
        chosen: dict[str, Selected] = {}
        planted = {one: _planted(test, one, encoder, name, shape) for one in classes}
        if len(vocabulary.keys):
            for at, one in enumerate(classes):
                chosen[one] = vocabulary.chosen(member[0][:, at], self.config.shown, self.config.lines)
                own = chosen[one].columns(coded, planted[one])
                columns |= {f"{key}:{one}": values for key, values in own.items()}
                columns[f"label:{one}"] = member[1][:, at].astype(float)
        before = self._vocabulary(untrained, grams)
        facts = {
            "codes": shape.codebook,
            "vocabulary": len(vocabulary.keys),
            "untrained_vocabulary": len(before[0].keys),
            "tokens": tokens_name(prefix, name),
            "untrained": self._totals(*before, member, classes, planted),
            "untrained_uses": np.sum(_uses(untrained[1], shape), 0).tolist(),
            "dealt": [
                self._totals(vocabulary, coded, self._dealt(fold, train, test, member, time), classes, planted)
                for time in range(self.config.permutations)
            ],
            "table": table_of(fold.dataset.spec, encoder, name, train, vocabulary, coded, chosen),
            "stretches": mean_stretches(fold.dataset.spec, encoder, name, test, coded, chosen, self.config.view),
        }
        return told_once(rows_of(part, test, columns), facts)

    def _vocabulary(self, codes: tuple[torch.Tensor, torch.Tensor], grams: NGrams) -> tuple[Vocabulary, Coded]:
        train, test = (Coded(grams.keys(one), grams) for one in codes)
        return Vocabulary.of(train, self.config.fewest, self.config.most), test

    def _totals(
        self, vocabulary: Vocabulary, coded: Coded, member: list[np.ndarray], classes: tuple[str, ...],
        planted: Mapping[str, np.ndarray | None],
    ) -> dict[str, dict[str, Any]]:  # fmt: skip
        """Sums over the test samples of what is chosen with some labels, by class; none where there is nothing to choose."""
        found: dict[str, dict[str, Any]] = {}
        if not len(vocabulary.keys):
            return found
        for at, one in enumerate(classes):
            chosen = vocabulary.chosen(member[0][:, at], self.config.shown, self.config.lines)
            own = chosen.columns(coded, planted[one])
            total = sums(own, coded.known, member[1][:, at].astype(float), np.ones(len(coded.keys)))
            found[one] = {key: np.asarray(value).tolist() for key, value in total.items()}
        return found

    def _dealt(
        self, fold: FittedFold, train: Dataset, test: Dataset, member: list[np.ndarray], time: int
    ) -> list[np.ndarray]:
        rng = np.random.default_rng(seed_of(fold.seed, "labels dealt anew", time))
        sides = zip((train, test), member, strict=True)
        return [dealt(labels, side.subjects.tolist(), rng) for side, labels in sides]

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Every figure of every part with codes."""
        results: list[Result] = []
        for part, own in context.own_rows(rows):
            results += CodesConclusions(own, part, context, self.config.replicates).results()
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """The table of n-grams that speak most for each class, of the first fold."""
        found: dict[str, Figure] = {}
        for part, own in context.own_rows(rows):
            found |= code_table(own, part, context, self.config.replicates)
        return found


@torch.no_grad()
def _read(encoder: Encoder, name: str, train: Dataset, test: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes of training and test samples, shape (sample, token) each."""
    encoder.eval()
    found = []
    for side in (train, test):
        codes = [encoder(batch).tokens[name].codes for batch, _ in batches(side)]
        found.append(torch.cat([one for one in codes if one is not None]))
    return found[0], found[1]


def _untrained(encoder: Encoder, train: Dataset, fold: FittedFold) -> Encoder:
    """The same encoder as it was built, with closed-form statistics of the training samples."""
    made: Any = type(encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(fold.seed, "untrained encoder"))
        again: Encoder = made(encoder.config)
        with torch.no_grad():
            again.prepare(batch for batch, _ in batches(train, fold.target))
    return again


def _uses(codes: torch.Tensor, shape: TokenShape) -> list[list[int]]:
    known = codes.clamp(min=0)
    counts = torch.zeros(len(codes), shape.codebook, dtype=torch.int64)
    found: list[list[int]] = counts.scatter_add(1, known, (codes >= 0).long()).tolist()
    return found


def _member(side: Dataset, target: str, classes: int) -> np.ndarray:
    """Which class each sample belongs to, bool, shape (sample, class)."""
    if not classes:
        return np.zeros((len(side), 0), bool)
    values = side.target_values(target)
    if values.shape[1] > 1:
        return np.asarray(values == 1)
    return np.asarray(values[:, :1].astype(int) == np.arange(classes))


def _planted(test: Dataset, output: str, encoder: Encoder, name: str, shape: TokenShape) -> np.ndarray | None:
    """In which lines something was planted that makes a class true, shape (sample, line); None where nobody knows or all are."""
    truth = test.planted(output)
    if truth is None:
        return None
    with torch.no_grad():
        batch, _ = next(batches(test.subset(np.arange(1))))
        regions = encoder(batch).tokens[name].regions
    line = shape.line or shape.count
    channels = [set(getattr(region, "channels", ())) for region in regions[::line]]
    found = np.array(
        [[any(own & set(getattr(place, "channels", ())) for place in where) for own in channels] for where in truth],
        float,
    )
    some = found[found.any(1)] if channels else found[:0]
    return found if len(some) and not some.all() else None
