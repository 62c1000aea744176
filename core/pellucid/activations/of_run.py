"""Collect what a layer of a finished run says of its data, into a folder."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pellucid.activations.collecting import LayerRows, input_of_layer, rows_of
from pellucid.activations.dataset import SIDE
from pellucid.activations.layers import ACTIVATIONS, Channels, channels_of, find_layer, watching
from pellucid.activations.sides import sides_of, training_samples
from pellucid.activations.writer import Precision, Writer, check_place
from pellucid.batch import collate
from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Finding
from pellucid.encoders.base import Encoder
from pellucid.errors import RunError
from pellucid.fingerprint import HEAD, hexadecimal, in_head, layer_fingerprint
from pellucid.model import Model
from pellucid.run import Run, load
from pellucid.seeds import seed_of
from pellucid.training.reading import as_they_are, pairs

__all__ = ["Collected", "collect_run", "layers_of"]

UNTRAINED = "untrained"
"""Name of the input of rows that weights say which have learnt nothing."""

BUFFER_MB = 512


@dataclass(frozen=True)
class Collected:
    """What was collected.

    Parameters
    ----------
    folder : Path
    layer : str
        Full path of the module.
    rows, units, samples : int
    seconds : float
    findings : tuple of Finding
        What was found in the data, and what was done to make them like those that the run has learnt from.
    """

    folder: Path
    layer: str
    rows: int
    units: int
    samples: int
    seconds: float
    findings: tuple[Finding, ...] = ()


def collect_run(
    run: str | Path,
    layer: str,
    out: str | Path,
    *,
    head: str | None = None,
    fold: int | None = 0,
    data: str | Path | None = None,
    untrained: bool = False,
    channels: Channels | None = None,
    precision: Precision = "float32",
    buffer_mb: int = BUFFER_MB,
    seed: int = 0,
) -> Collected:
    """Collect a layer's rows over the data of a run.

    Parameters
    ----------
    run : path
        A finished run folder.
    layer : str
        Path of a module of the model, or the end of it; see :func:`layers_of`.
    out : path
        The folder to make.
    head : str, optional
        Which of the run's models; may be left out where there is one.
    fold : int, optional
        The model of this fold, which has not seen the fold's test subjects: a dictionary of its activations can be judged on
        them. None: the model that has learnt from everybody, for other data.
    data : path, optional
        Where the data are, if not where the run had them. Whom the model has not learnt from stands on the side ``test``.
    untrained : bool
        Collect beside them what the same layer says with weights that have learnt nothing. Its statistics (means, scales)
        are those of samples on the side ``train``; where there are none, of the run's own training samples.
    channels : {"first", "last"}, optional
        Where units stand in outputs of three axes, if the layer does not tell.
    precision : {"float32", "float16"}
    buffer_mb : int
        Memory for the shuffle.
    seed : int
        Of the shuffle, and of the untrained weights.

    Raises
    ------
    RunError
        If the run is not finished, the folder is there already, or an untrained copy would have to take its statistics from
        people on the side ``test``.
    ContractError
        If there is no such layer (nearest name given), or it does not say one tensor a batch.
    DataError
        If a value is NaN, infinite or too large for the precision.
    """
    begun, done, folder = time.monotonic(), Run(run), Path(out)
    check_place(folder)
    done.refuse_unfinished()
    model = load(run, head=head, fold=fold)
    layer = find_layer(model, layer)
    channels = channels or channels_of(dict(model.named_modules())[layer])
    dataset = _opened(done, data)
    models: dict[str, Model] = {ACTIVATIONS: model}
    side = sides_of(done, model, dataset, fold)
    if untrained:
        labelled = done.study.target if in_head(layer) else None
        models[UNTRAINED] = untrained_copy(model, training_samples(done, model, dataset, side, fold), seed, labelled)
    rows = {name: rows_of(one, layer, dataset, channels=channels) for name, one in models.items()}

    def into(widths: dict[str, int], shape: tuple[int, ...]) -> Writer:
        expected = len(dataset) * int(np.prod(shape, dtype=np.int64))
        return Writer(folder, widths, expected, precision, buffer_mb << 20, seed)

    with _written(rows, into, layer) as (writer, shape):
        if writer is None or not writer.count:
            raise RunError(f"the data of {run} gave no activations: everything is masked")
        facts = {
            "layer": layer,
            "channels": channels,
            "shape": list(shape),
            "model": {
                "run": done.study.name,
                "head": head,
                "fold": fold,
                "fingerprint": layer_fingerprint(model, layer),
                # Of the whole model: another head on the same encoders says the same at this layer, and predicts something else.
                "whole": hexadecimal([*model.named_encoders(), (HEAD, model.head)]),
            },
            "made_by": (model.learned_from | dataset.made_by).to_json(),
            "source": _source(done, dataset, data, input_of_layer(model, layer, dataset)),
            "seed": seed,
        }
        samples = dataset.frame[list(dataset.spec.columns)].assign(**{SIDE: side})
        samples.index = samples.index.astype(str)
        writer.finish(samples, facts)
    units = writer.widths[ACTIVATIONS]
    took = time.monotonic() - begun
    return Collected(folder, layer, writer.count, units, len(dataset), took, tuple(dataset.findings))


@contextmanager
def _written(
    rows: Mapping[str, Iterable[LayerRows]], into: Callable[[dict[str, int], tuple[int, ...]], Writer], layer: str
) -> Iterator[tuple[Writer | None, tuple[int, ...]]]:
    """Rows of several models side by side in a writer, and the shape of their positions; nothing is left if a block fails.

    Parameters
    ----------
    rows : mapping of str to iterable of LayerRows
        By the name of the writer's input; all of the same samples and positions.
    into : callable
        Makes the writer, of the units of each input and the shape of positions; it is not called where there are no rows.
    layer : str
        For messages.
    """
    writer: Writer | None = None
    shape: tuple[int, ...] = ()
    try:
        for together in zip(*rows.values(), strict=True):
            first = together[0]
            values = {name: one.values for name, one in zip(rows, together, strict=True)}
            if writer is None:
                shape = first.shape
                writer = into({name: one.shape[1] for name, one in values.items()}, shape)
            if first.shape != shape:
                raise RunError(
                    f"layer {layer!r} has positions of shape {first.shape} after {shape}: collect one of a fixed shape"
                )
            writer.add(values, first.sources, first.positions)
        yield writer, shape
    finally:
        if writer is not None:
            writer.close()


def layers_of(
    run: str | Path, head: str | None = None, fold: int | None = 0, data: str | Path | None = None
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Layers that can be collected: path, class, and the shape of what they say of one sample."""
    done = Run(run)
    model = load(run, head=head, fold=fold)
    dataset = _opened(done, data)
    batch = collate(dataset, np.arange(1))
    for name, module in model.named_modules():
        if not name or isinstance(module, torch.nn.ModuleDict | torch.nn.ModuleList):
            continue
        try:
            with watching(model, name) as said:
                model(batch)
                output = said()
        except Exception:  # noqa: BLE001 - a layer that is not called once or says no tensor is no layer to collect
            continue
        yield name, type(module).__name__, tuple(output.shape[1:])


def _opened(done: Run, data: str | Path | None) -> Dataset:
    """The run's own data as they are; others brought to what it has learnt from, where the dataset can."""
    return done.study.open_dataset(data, None if data is None else done.learnt)


def untrained_copy(model: Model, training: Dataset, seed: int, target: str | None = None) -> Model:
    """The same model with new weights that have learnt nothing, and statistics (means, scales) taken anew.

    Parameters
    ----------
    model : Model
    training : Dataset
        Training samples, from which closed-form statistics are learnt; weights are not.
    seed : int
    target : str, optional
        What the model predicts, empty where nothing: then the head is new too. None: it stays as it is, which is enough where a
        layer of an encoder is asked.
    """
    fresh: dict[str, Encoder] = {}
    for name, encoder in model.named_encoders():
        torch.manual_seed(seed_of(seed, "untrained", name))
        made: Any = type(encoder)
        fresh[name] = made(encoder.config)
        fresh[name].prepare(collate(training, at) for at in index_blocks(len(training), 256))
    if target is None:
        return Model(fresh, copy.deepcopy(model.head)).eval()
    torch.manual_seed(seed_of(seed, "untrained", HEAD))
    made = type(model.head)
    found = Model(fresh, made(model.head.config))
    found.head.prepare(pairs(found, as_they_are(training, target)))
    return found.eval()


def _source(done: Run, dataset: Dataset, data: str | Path | None, input_name: str | None) -> dict[str, Any]:
    """Where the samples came from, so that they can be opened again and shown."""
    where = data or done.study.data
    return {
        "dataset": done.study.dataset,
        "study": done.study.settings(),
        "data": str(Path(where).resolve()) if where else None,
        "brought": data is not None,
        "digest": dataset.digest(),
        "spec": dataset.spec.model_dump(mode="json"),
        "input": input_name,
    }
