"""What a model loses when it reads a dictionary's reconstruction of a layer in place of the layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.activations.collecting import input_of_layer, kept_positions
from pellucid.activations.dataset import ActivationsFolder
from pellucid.activations.layers import ACTIVATIONS, Layout, channels_of, watching
from pellucid.batch import Batch, collate
from pellucid.data.dataset import Dataset, Subset
from pellucid.data.targets import Target
from pellucid.edits.activations import Edit, applied
from pellucid.encoders.identity import Identity
from pellucid.errors import DataError, PellucidError, RunError
from pellucid.fingerprint import hexadecimal
from pellucid.heads.base import Predictor, target_loss
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.downstream import (
    kl_divergence,
    kl_score_statistic,
    loss_recovered_statistic,
)
from pellucid.model import BATCH, Model
from pellucid.part import Config
from pellucid.protocols.audited import ONCE_A_FOLD, AuditedRows
from pellucid.protocols.base import Context, FittedFold, rows_of
from pellucid.protocols.dictionaries.codes import OfDictionaries, dictionaries, dictionary_parts
from pellucid.protocols.dictionaries.metrics import components_of, mean_codes
from pellucid.result import Result
from pellucid.run import Run, load
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd

Ablation = Literal["mean", "zero"]

WAYS = ("clean", "dictionary", "components", "ablated")
"""What the model reads: the layer, its reconstruction, as many principal components as a row has codes, or nothing of it."""

ALIKE = 1e-2
"""How far, beside the size of a row, what a layer says may be from what was collected; half precision keeps three digits."""


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

    Dictionaries of other inputs than the activations (an untrained layer) are left out: they are of no layer of this model.

    References
    ----------
    Formulas: :mod:`pellucid.measures.dictionaries.downstream`.
    """

    name: ClassVar[str] = "dictionary-downstream"
    needs_training: ClassVar[bool] = True
    config_type = DictionaryDownstreamConfig
    config: DictionaryDownstreamConfig

    def unfit(self, context: Context) -> str:
        """There must be a dictionary of activations, and the run must be named."""
        if reason := super().unfit(context):
            return reason
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
        read = {part: made for part, made in dictionaries(fold).items() if _is_of_the_layer(made)}
        if not read:
            raise DataError(
                f"no dictionary of this study reads the input {ACTIVATIONS!r} alone, whole and through the encoder identity, so "
                "nothing can stand in the place of the layer"
            )
        for part, made in read.items():
            test = fold.test(part)
            ways = self._ways(fold, made)
            replaced = Replaced(model, folder, source, test, Run(self.config.run).study.target)
            columns = replaced.columns(ways)
            fixed = {f"{ONCE_A_FOLD}components": ways["components"].count}  # type: ignore[attr-defined]
            frames.append(rows_of(part, replaced.samples, columns).assign(**fixed))
        return pd.concat(frames, ignore_index=True)

    def _ways(self, fold: FittedFold, made: Model) -> dict[str, Edit]:
        count = max(1, min(len(made.head.config.units), round(mean_codes(fold, made))))
        mean, basis = (one.float() for one in components_of(fold, made, count))
        encoder = _encoder(made)
        centre = torch.zeros_like(mean) if self.config.ablation == "zero" else encoder.undone(mean[None])[0]
        return {
            "dictionary": Reconstruct(made),
            "components": Project(made, mean, basis),
            "ablated": Constant(centre),
        }

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Two results a dictionary; the loss only where samples are labelled."""
        results: list[Result] = []
        for part in dictionary_parts(context):
            own = rows[rows["part"] == part]
            if len(own):
                results += _Downstream(own, part, context, self.config.replicates).results(self.config.ablation)
        return results


@dataclass(frozen=True, eq=False)
class Reconstruct(Edit):
    """Put what a dictionary keeps of rows in their place.

    Parameters
    ----------
    model : Model
        A dictionary behind an ``identity``.
    """

    model: Model

    def __call__(self, x: Tensor) -> Tensor:
        """The reconstruction, in the layer's own units."""
        encoder, head = _encoder(self.model), self.model.head
        assert isinstance(head, Dictionary)
        z = encoder(Batch({encoder.input_name: x})).values
        return encoder.undone(head.reconstruct(z))

    @property
    def units(self) -> int:
        """Of the dictionary."""
        return len(self.model.head.config.units)

    def describe(self) -> dict[str, Any]:
        """Which dictionary."""
        return {"edit": "reconstruct", "features": self.model.head.config.features}  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Project(Reconstruct):
    """Put what principal components keep of rows in their place.

    Parameters
    ----------
    model : Model
        Whose encoder the components are of.
    mean, basis : Tensor, shape (unit,) and (unit, component)
    """

    mean: Tensor
    basis: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The projection, in the layer's own units."""
        encoder = _encoder(self.model)
        z = encoder(Batch({encoder.input_name: x})).values
        return encoder.undone(self.mean + (z - self.mean) @ self.basis @ self.basis.T)

    @property
    def count(self) -> int:
        """Components."""
        return self.basis.shape[1]

    def describe(self) -> dict[str, Any]:
        """How many."""
        return {"edit": "project", "components": self.count}


@dataclass(frozen=True, eq=False)
class Constant(Edit):
    """Put one row in the place of all.

    Parameters
    ----------
    row : Tensor, shape (unit,)
    """

    row: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """As many of it as there are rows."""
        return self.row.to(x).expand_as(x)

    @property
    def units(self) -> int:
        """Of the row."""
        return len(self.row)

    def describe(self) -> dict[str, Any]:
        """How long it is."""
        return {"edit": "constant", "length": float(torch.linalg.vector_norm(self.row))}


class Replaced:
    """A model on the test samples of collected rows, with its layer as it is and replaced.

    Parameters
    ----------
    model : Model
        The source of the activations.
    folder : ActivationsFolder
    source : Dataset
        What the rows are of.
    test : Subset
        Rows of the folder.
    target : str
        What the model predicts.
    """

    def __init__(self, model: Model, folder: ActivationsFolder, source: Dataset, test: Subset, target: str) -> None:
        self.model, self.folder, self.test = model, folder, test
        self.at = np.unique(folder.sources[test.indices])
        """Samples that the rows are of, by their place in the source."""
        self.samples = source.subset(self.at)
        self.layer: str = folder.document["layer"]
        self._input = input_of_layer(model, self.layer, self.samples)
        module = dict(model.named_modules())[self.layer]
        self._channels = folder.document.get("channels") or channels_of(module)
        self._target = target

    @torch.no_grad()
    def columns(self, ways: dict[str, Edit]) -> dict[str, np.ndarray]:
        """Losses and divergences, shape (sample,) each."""
        found: dict[str, list[Tensor]] = {}
        target = self.model.predictor.config.target
        for start in range(0, len(self.at), BATCH):
            at = np.arange(start, min(start + BATCH, len(self.at)))
            batch = collate(self.samples, at, self._target)
            clean = self._clean(batch, at)
            for way, edit in ({"clean": None} | ways).items():
                logits = clean if edit is None else self._edited(batch, edit)
                found.setdefault(f"loss:{way}", []).append(losses(target, logits, batch.targets))
                if edit is not None:
                    found.setdefault(f"kl:{way}", []).append(divergence(target, clean, logits))
        return {name: torch.cat(parts).double().numpy() for name, parts in found.items()}

    def _edited(self, batch: Batch, edit: Edit) -> Tensor:
        def where(shape: tuple[int, ...]) -> Tensor | None:
            return kept_positions(batch, self._input, self.samples, shape)

        with applied(self.model, self.layer, edit, channels=self._channels, where=where):
            logits: Tensor = self.model(batch)
        return logits

    def _clean(self, batch: Batch, at: np.ndarray) -> Tensor:
        """Logits of the model as it is, if its layer says what was collected."""
        with watching(self.model, self.layer) as said:
            logits: Tensor = self.model(batch)
            values, _ = Layout(self._channels).positions(said())
        rows = self._rows_of(self.at[at])
        sample = np.searchsorted(self.at[at], self.folder.sources[rows])
        here = values[torch.from_numpy(sample), torch.from_numpy(self.folder.positions[rows])].float()
        kept = torch.from_numpy(self.folder.read(rows).inputs[ACTIVATIONS])
        away = (here - kept).norm(dim=1) / kept.norm(dim=1).clamp(min=1e-6)
        if float(away.max()) > ALIKE:
            name = self.samples.frame.index[at[sample[int(away.argmax())]]]
            raise RunError(
                f"layer {self.layer} of the model says another thing of sample {str(name)!r} than what was collected in "
                f"{self.folder.folder}: the data or the model have changed; collect the activations again"
            )
        return logits

    def _rows_of(self, samples: np.ndarray) -> np.ndarray:
        """Test rows of some samples, a few of them: enough to notice another model."""
        rows = self.test.indices[np.isin(self.folder.sources[self.test.indices], samples)]
        return rows[:BATCH]


class _Downstream(AuditedRows):
    protocol = DictionaryDownstream.name

    def results(self, ablation: Ablation) -> Iterator[Result]:
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
            yield from labelled.share("loss_recovered", kept, plain, few, ablation, "of the loss")
        ablated = self.tensor("kl:ablated")
        kept, plain = (kl_score_statistic(self.tensor(f"kl:{way}"), ablated) for way in ("dictionary", "components"))
        yield from self.share("kl_score", kept, plain, few, ablation, "of the change in what the model says")

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.column(name).copy())

    def share(self, metric: str, kept: Any, plain: Any, few: str, ablation: str, of: str) -> Iterator[Result]:
        """Nothing where the ablation does no harm: then there is nothing to recover."""
        value, baseline = self.value(kept), self.value(plain)
        if math.isnan(value):
            return
        nothing = "zeros stand" if ablation == "zero" else "the mean of the layer stands"
        yield self.result(
            metric, self.interval(kept), higher=True, chance=0.0, baseline=baseline, baseline_name=few,
            sentence=(
                f"When {nothing} in the layer's place, the model suffers; the reconstruction by “{self.part}” spares {value:.1%} "
                f"{of}, as many principal components as a row has codes {baseline:.1%}."
            ),
        )  # fmt: skip


def losses(target: Target, logits: Tensor, labels: Tensor | None) -> Tensor:
    """The loss of each sample, shape (sample,); NaN where it has no label."""
    found = torch.full((len(logits),), torch.nan)
    if labels is None:
        return found
    for at in torch.nonzero(torch.isfinite(labels).all(1))[:, 0].tolist():
        one = slice(at, at + 1)
        found[at] = target_loss(target, logits[one], Batch({}, targets=labels[one]))
    return found


def divergence(target: Target, clean: Tensor, new: Tensor) -> Tensor:
    """Divergence of what logits say from what clean ones say, shape (sample,)."""
    if target.kind == "multiclass":
        return kl_divergence(clean, new)
    if target.kind == "regression":
        return 0.5 * (clean.double() - new.double()).square().sum(1)
    # A yes or no has one logit; the other class has zero.
    pairs = (torch.stack([torch.zeros_like(one), one], -1).flatten(0, 1) for one in (clean, new))
    return kl_divergence(*pairs).unflatten(0, clean.shape).sum(1)


def _encoder(model: Model) -> Identity:
    ((_, encoder),) = model.named_encoders()
    assert isinstance(encoder, Identity)
    return encoder


def _is_of_the_layer(model: Model) -> bool:
    encoders = dict(model.named_encoders())
    if len(encoders) > 1 or not all(isinstance(one, Identity) for one in encoders.values()):
        return False
    encoder = _encoder(model)
    return encoder.input_name == ACTIVATIONS and encoder.config.columns is None and not encoder.config.indicators


def _folder(dataset: Dataset) -> ActivationsFolder:
    root = dataset.source if isinstance(dataset, Subset) else dataset
    if not isinstance(root, ActivationsFolder):
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
    if hexadecimal(model.named_encoders()) != said.get("fingerprint"):
        raise RunError(
            f"{told} with fingerprint {str(said.get('fingerprint'))[:8]}, but that of {run} ({Run(run).study.name!r}) has "
            f"{hexadecimal(model.named_encoders())[:8]}: it is another model, or it was fitted again. Name "
            "the run that the activations are of"
        )
    if not isinstance(model.head, Predictor):
        raise RunError(f"{told}, which predicts nothing: there is no loss to recover")
    return model.eval()


def _named(said: dict[str, Any]) -> str:
    head = f"head {said['head']!r} of " if said.get("head") else ""
    fold = said.get("fold")
    which = "the model fitted on everybody" if fold is None else f"the model of fold {fold}"
    return f"{which}, {head}run {said.get('run', 'unknown')!r}"
