"""What a model loses when it reads a dictionary's reconstruction of a layer in place of the layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.activations.dataset import ActivationsFolder
from pellucid.activations.layers import ACTIVATIONS
from pellucid.data.dataset import Dataset
from pellucid.edits.activations import Edit
from pellucid.encoders.identity import Identity
from pellucid.errors import DataError, NotMeasurable, PellucidError, RunError
from pellucid.fingerprint import HEAD, hexadecimal, layer_fingerprint
from pellucid.heads.base import Head, Predictor
from pellucid.measures.dictionaries.downstream import (
    kl_score_statistic,
    loss_recovered_statistic,
)
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows, told_once
from pellucid.protocols.base import Context, FittedFold, rows_of
from pellucid.protocols.dictionaries.codes import OfDictionaries, dictionaries
from pellucid.protocols.dictionaries.metrics import components_of, mean_l0
from pellucid.protocols.dictionaries.replaced import Constant, Project, Reconstruct, Replaced, only_encoder
from pellucid.result import NotMeasured, Result
from pellucid.run import Run, load
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd

Ablation = Literal["mean", "zero"]

WAYS = ("clean", "dictionary", "components", "ablated")
"""What the model reads: the layer, its reconstruction, as many principal components as a row has codes, or nothing of it."""


class DictionaryDownstreamConfig(Config):
    """Settings of :class:`DictionaryDownstream`.

    Parameters
    ----------
    run : str
        Folder of the run whose model the activations were collected from.
    ablation : {"mean", "zero"}
        What stands for nothing: the mean of the training rows, or zeros. Zeros can harm a model far more, and the greater the
        harm, the better the score.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    run: str = ""
    ablation: Ablation = "mean"
    replicates: int = Field(REPLICATES, ge=100)


class DictionaryDownstream(OfDictionaries):
    """How much of what its model needs a dictionary keeps: the model reads the reconstruction in place of the layer.

    - ``loss_recovered``: share of the harm of an ablation of the layer that the reconstruction spares, in the loss of the
      model's own target.
    - ``kl_score``: the same in the divergence from what the model says undisturbed; it needs no labels.

    The model is that of the run in ``run``; it must be the one the activations were collected from. Only the layer's positions
    that gave rows are replaced, only in samples that neither model nor dictionary have learnt from. 0 is the ablation; the
    baseline is a reconstruction by as many principal components of the training rows as a row has codes on average. Both can
    be below 0, where a reconstruction does worse than the ablation. Of outputs that are several yes or no the divergence is
    the sum, of numbers half the squared difference.

    Dictionaries of other inputs than the activations (an untrained layer) are not measured: they are of no layer of this model. Nor
    is a score whose ablation does no harm, as there is nothing to recover then.

    References
    ----------
    Formulas: :mod:`pellucid.measures.dictionaries.downstream`.
    """

    name: ClassVar[str] = "dictionary-downstream"
    needs_training: ClassVar[bool] = True
    config_type = DictionaryDownstreamConfig
    config: DictionaryDownstreamConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """The run whose layer the example is of."""
        from pellucid.testing.example_folds import layer_run

        return {"run": str(layer_run()[0])}

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import layer_fold

        return layer_fold()

    def unfit(self, context: Context) -> str:
        """The data must be activations, and the run must be named."""
        if ACTIVATIONS not in context.spec.inputs:
            return "its data are no collected activations"
        if not self.config.run:
            return (
                f'nobody says whose activations these are: name the run\'s folder, run = "..." in [options.{self.name}]'
            )
        try:
            done = Run(self.config.run)
        except RunError as error:
            return str(error)
        return "" if done.finished else f"{self.config.run} is not finished"

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """The run must have the model that the activations were collected from."""
        try:
            _source_model(self.config.run, _folder(dataset))
        except PellucidError as error:
            return str(error)
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and sample of the source.

        Returns
        -------
        DataFrame
            ``loss:<way>`` for each of :data:`WAYS` (NaN without a label), and ``kl:<way>`` for all but the first.
        """
        import pandas as pd

        folder = _folder(fold.dataset)
        model = _source_model(self.config.run, folder)
        source, frames = folder.source_data(), []
        for part, made in dictionaries(fold).items():
            if not _is_of_the_layer(made):
                raise NotMeasurable(
                    f"“{part}” does not read the input {ACTIVATIONS!r} alone, whole and through the encoder identity, so that nothing "
                    "of it can stand in the place of the layer"
                )
            test = fold.test(part)
            ways = self._ways(fold, made)
            replaced = Replaced(model, folder, source, test, Run(self.config.run).study.target)
            columns = replaced.columns(ways)
            fixed = {"components": ways["components"].count}  # type: ignore[attr-defined]
            frames.append(told_once(rows_of(part, replaced.samples, columns), fixed))
        return pd.concat(frames, ignore_index=True)

    def _ways(self, fold: FittedFold, made: Model) -> dict[str, Edit]:
        count = max(1, min(len(made.head.config.units), round(mean_l0(fold, made))))
        mean, basis = (one.float() for one in components_of(fold, made, count))
        encoder = only_encoder(made)
        centre = torch.zeros_like(mean) if self.config.ablation == "zero" else encoder.undone(mean[None])[0]
        return {
            "dictionary": Reconstruct(made),
            "components": Project(made, mean, basis),
            "ablated": Constant(centre),
        }

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Two results a dictionary, or why one is not there."""
        results: list[Result | NotMeasured] = []
        for part, own in context.own_rows(rows):
            results += _Downstream(own, part, context, self.config.replicates).results(self.config.ablation)
        return results


class _Downstream(AuditedRows):
    protocol = DictionaryDownstream.name

    def results(self, ablation: Ablation) -> Iterator[Result | NotMeasured]:
        count = self.counted("components")
        few = f"{count} principal component{'' if count == '1' else 's'}"
        known = np.isfinite(self.column("loss:clean"))
        if known.any():
            labelled = _Downstream(self.rows[known], self.part, self.context, self.replicates)
            clean, ablated = labelled.tensor("loss:clean"), labelled.tensor("loss:ablated")
            kept, plain = (
                loss_recovered_statistic(clean, labelled.tensor(f"loss:{way}"), ablated)
                for way in ("dictionary", "components")
            )
            yield labelled.share("loss_recovered", kept, plain, few, ablation, "of the loss that this costs")
        else:
            yield self._lacking("loss_recovered", "no sample that was tested has a label", "test samples with labels")
        ablated = self.tensor("kl:ablated")
        kept, plain = (kl_score_statistic(self.tensor(f"kl:{way}"), ablated) for way in ("dictionary", "components"))
        yield self.share("kl_score", kept, plain, few, ablation, "of the change in what it says")

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.column(name).copy())

    def share(self, metric: str, kept: Any, plain: Any, few: str, ablation: Ablation, of: str) -> Result | NotMeasured:
        """What the reconstruction spares; where the ablation does no harm there is nothing to spare."""
        value, baseline = self.value(kept), self.value(plain)
        nothing = "zeros stand" if ablation == "zero" else "the mean of the layer stands"
        if math.isnan(value):
            return self._lacking(
                metric,
                f"when {nothing} in the layer's place, the model does no worse on {len(self.rows)} samples, so that there is nothing "
                "to recover",
                "collect a layer that the model needs"
                + ("" if ablation == "zero" else f', or set it to zeros ([options.{self.protocol}] ablation = "zero")'),
            )
        return self.result(
            metric, self.interval(kept), higher=True, chance=0.0, baseline=baseline, baseline_name=few,
            sentence=(
                f"When {nothing} in the layer's place, the model suffers; the reconstruction by “{self.part}” "
                f"{_spared(value, 'spares it', 'does it more harm still', of)}, as many principal components as a row has codes "
                f"{_spared(baseline, 'spare it', 'do it more harm still', '')}."
            ),
        )  # fmt: skip

    def _lacking(self, metric: str, because: str, helps: str) -> NotMeasured:
        return NotMeasured(protocol=self.protocol, part=self.part, metric=metric, because=because, helps=helps)


def _spared(share: float, spares: str, harms: str, of: str) -> str:
    """A share of the harm of an ablation that is spared, or by which a reconstruction does more harm than the ablation.

    Examples
    --------
    >>> _spared(0.25, "spares it", "does it more harm still", "of the loss")
    'spares it 25.0% of the loss'
    >>> _spared(-0.25, "spares it", "does it more harm still", "of the loss")
    'does it more harm still, by a further 25.0% of the loss'
    """
    return f"{spares} {share:.1%} {of}".strip() if share >= 0 else f"{harms}, by a further {-share:.1%} {of}".strip()


def _is_of_the_layer(model: Model) -> bool:
    encoders = dict(model.named_encoders())
    if len(encoders) > 1 or not all(isinstance(one, Identity) for one in encoders.values()):
        return False
    encoder = only_encoder(model)
    return encoder.input_name == ACTIVATIONS and encoder.config.columns is None and not encoder.config.indicators


def _folder(dataset: Dataset) -> ActivationsFolder:
    root = dataset.ability(ActivationsFolder)
    if root is None:
        raise DataError(f"{dataset.spec.name!r} is no folder of collected activations: there is no layer to replace")
    return root


def _source_model(run: str, folder: ActivationsFolder) -> Model:
    """The model of a run that rows were collected from.

    Raises
    ------
    RunError
        If the run has none of its name, or it is another one; says which.
    """
    said = folder.document.get("model", {})
    told = f"{folder.folder} was collected from {_named(said)}"
    try:
        model = load(run, head=said.get("head"), fold=said.get("fold"))
    except PellucidError as error:
        raise RunError(f"{told}, which {run} does not have: {error}") from None
    whole = hexadecimal([*model.named_encoders(), (HEAD, model.head)])
    layer = layer_fingerprint(model, str(folder.document["layer"]))
    # Folders of earlier versions do not know the head.
    for here, there in ((layer, said.get("fingerprint")), (whole, said.get("whole", whole))):
        if here != there:
            raise RunError(
                f"{told} with fingerprint {str(there)[:8]}, but that of {run} ({Run(run).study.name!r}) has {here[:8]}: it is another "
                "model, or it was fitted again. Name the run that the activations are of"
            )
    if not isinstance(model.head, Predictor):
        raise RunError(f"{told}, which predicts nothing: there is no loss to recover")
    return model.eval()


def _named(said: dict[str, Any]) -> str:
    head = f"head {said['head']!r} of " if said.get("head") else ""
    fold = said.get("fold")
    which = "the model fitted on everybody" if fold is None else f"the model of fold {fold}"
    return f"{which}, {head}run {said.get('run', 'unknown')!r}"
