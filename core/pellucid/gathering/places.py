"""Places of an input that a case's output rests on: found by filling them, kept as JSON, said in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.explanation import Evidence
from pellucid.regions import Region, region_from_json, region_to_json
from pellucid.wording import number

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.data.dataset import Dataset
    from pellucid.model import Model

TOP = 3
"""Strongest places kept of each input."""

ROUNDING = 1e-6
"""Changes of an output below this share of it are those of sums in another order: nothing."""


def strongest_places(
    model: Model, samples: Dataset, targets: Sequence[str], usual: Callable[[str], Tensor]
) -> tuple[list[list[tuple[Evidence, float]]], dict[str, np.ndarray]]:
    """Fill one place of an input after the other with what is usual there, and watch an output.

    Parameters
    ----------
    model : Model
    samples : Dataset
    targets : sequence of str, one a sample
        Which output is watched.
    usual : callable
        From an input's name to its mean over training samples, of the input's shape.

    Returns
    -------
    evidence : list of list of (Evidence, float)
        For each sample the strongest places of each input and how much the output falls without them, strongest first;
        places that change nothing are left out.
    maps : dict of str to ndarray of float32, shape (sample, *input shape)
        By input, how much the output falls without each place.
    """
    from pellucid.attribution import place_map
    from pellucid.batch import collate

    evidence: list[list[tuple[Evidence, float]]] = [[] for _ in range(len(samples))]
    maps: dict[str, np.ndarray] = {}
    read = {name: spec for _, encoder in model.named_encoders() for name, spec in encoder.config.inputs.items()}
    for name in sorted(name for name, spec in read.items() if spec.has_places):
        kind = read[name].kind
        shape = tuple(read[name].shape)
        if kind == "graph":
            shape = (int(samples.read(np.arange(len(samples))).inputs[name].node_counts.max(initial=0)),)
        maps[name] = np.zeros((len(samples), *shape), np.float32)
        for target in dict.fromkeys(targets):
            at = np.flatnonzero(np.asarray(targets) == target)
            found = place_map(
                model, collate(samples, at), input=name, target=target, usual=None if kind == "graph" else usual(name)
            )
            least = ROUNDING * float(model.logits(samples.subset(at)).abs().max())
            values = found.values.numpy()
            values = np.where(np.abs(values) > least, values, 0.0)
            maps[name][at, : values.shape[1]] = values
            for row, sample in enumerate(at):
                evidence[sample] += [
                    (Evidence(name, region, text=_sentence(region, fall, read[name]), input=name), fall)
                    for region, fall in found.strongest(row, TOP)
                    if abs(fall) > least
                ]
    return evidence, maps


def own_places(model: Model, samples: Dataset, targets: Sequence[str]) -> dict[str, np.ndarray]:
    """What each node adds to an output by the model's own account: a sum over nodes, or over what was counted at them.

    Returns
    -------
    dict of str to ndarray of float32, shape (sample, most nodes)
        By input; empty where a model says nothing of nodes.
    """
    from pellucid.heads.abilities import ByPlaces

    if not isinstance(model.head, ByPlaces):
        return _laid(model, samples, targets)
    z = model.representation(samples)
    name = z.of(model.head.tokens_name).input
    if name not in samples.spec.inputs or samples.spec.inputs[name].kind != "graph":
        return {}
    said = {target: model.head.place_contributions(z, target).cpu().numpy() for target in dict.fromkeys(targets)}
    return {name: np.array([said[target][row] for row, target in enumerate(targets)], np.float32)}


def _laid(model: Model, samples: Dataset, targets: Sequence[str]) -> dict[str, np.ndarray]:
    from pellucid.attribution.counted import laid_on_nodes

    found: dict[str, np.ndarray] = {}
    for target in dict.fromkeys(targets):
        at = np.flatnonzero(np.asarray(targets) == target)
        for name, laid in laid_on_nodes(model, samples.subset(at), target).items():
            most = int(samples.read(np.arange(len(samples))).inputs[name].node_counts.max(initial=0))
            dense = found.setdefault(name, np.zeros((len(samples), most), np.float32))
            for row, values in zip(at, laid, strict=True):
                dense[row, : len(values)] = values
    return found


def _sentence(region: Region, fall: float, spec: Any) -> str:
    way = "falls" if fall > 0 else "rises"
    done = "left out" if spec.kind == "graph" else "filled with the training mean"
    return f"{region.in_words(spec)}: {done}, the output {way} by {number(abs(fall), 2)}"


def input_of(region: Region, named: str, inputs: Mapping[str, Any]) -> str | None:
    """The input that a region lies in: the one named, else the only one of a fitting kind.

    Parameters
    ----------
    region : Region
    named : str
        What the evidence says; may be empty.
    inputs : mapping of str to InputSpec
    """
    fitting = [name for name, spec in inputs.items() if spec.kind in region.kinds]
    if named in fitting:
        return named
    return fitting[0] if len(fitting) == 1 else None


def in_words(region: Region, named: str, inputs: Mapping[str, Any]) -> str:
    """Where a region is, in the words of the input that it lies in; parameters as for :func:`input_of`."""
    name = input_of(region, named, inputs)
    return region.in_words(None if name is None else inputs[name])


def to_json(evidence: Evidence) -> dict[str, Any]:
    """Plain values of one piece of evidence."""
    return {
        "unit": evidence.unit,
        "input": evidence.input,
        "region": region_to_json(evidence.region),
        "source": evidence.source,
        "source_region": region_to_json(evidence.source_region),
        "text": evidence.text,
    }


def from_json(data: Mapping[str, Any]) -> Evidence:
    """Inverse of :func:`to_json`; folders of earlier versions know no input and no region of a source."""
    region, source_region = (region_from_json(data.get(name)) for name in ("region", "source_region"))
    return Evidence(data["unit"], region, data["source"], data["text"], source_region, data.get("input", ""))
