"""Places of an input that a case's output rests on: found by filling them, kept as JSON, said in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from pellucid.explanation import Evidence
from pellucid.regions import Atoms, Box, FrequencyBand, Region, Steps, TimeSpan, Voxels, Words
from pellucid.report.names import listed, number, plural

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.data.dataset import Dataset
    from pellucid.model import Model

WHOLE = 0.9
"""Share of an input's length from which a region counts as the whole of it."""

TOP = 3
"""Strongest places kept of each input."""

ROUNDING = 1e-6
"""Changes of an output below this share of it are those of sums in another order: nothing."""

MOST_NAMED = 6
"""Channels that are named one by one."""

_KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in get_args(Region)}


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
    from pellucid.attribution import PLACED, place_map
    from pellucid.batch import collate

    evidence: list[list[tuple[Evidence, float]]] = [[] for _ in range(len(samples))]
    maps: dict[str, np.ndarray] = {}
    read = {name: spec for _, encoder in model.named_encoders() for name, spec in encoder.config.inputs.items()}
    for name in sorted(name for name, spec in read.items() if spec.kind in PLACED):
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
    encoder = dict(model.named_encoders())[model.head.tokens_name.partition(":")[0]]
    (name,) = encoder.config.inputs
    if encoder.config.inputs[name].kind != "graph":
        return {}
    z = model.representation(samples)
    said = {target: model.head.at_tokens(z, target).numpy() for target in dict.fromkeys(targets)}
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
    return f"{place(region, spec)}: {done}, the output {way} by {number(abs(fall), 2)}"


def place(region: Region, spec: Any = None) -> str:
    """Where a region is, in words; rows, columns, slices, steps and nodes are counted from 1.

    Parameters
    ----------
    region : Region
    spec : InputSpec, optional
        Of the input that it lies in, where that knows words of its own.

    Examples
    --------
    >>> place(Box((8, 12), (12, 16))), place(TimeSpan(("II",), 0.5, 0.75))
    ('rows 9 to 12, columns 13 to 16', 'II from 0.5 s to 0.75 s')
    >>> place(FrequencyBand(("O1", "O2"), 8.0, 13.0))
    'O1 and O2 between 8 Hz and 13 Hz'
    >>> place(Atoms((0, 4))), place(Atoms((0, 4), ((0, 4),)))
    ('atoms 1 and 5', 'bond between atoms 1 and 5')
    """
    if isinstance(region, Box):
        axes = ("slices", "rows", "columns")[-len(region.start) :]
        return ", ".join(_span(axis, *ends) for axis, *ends in zip(axes, region.start, region.stop, strict=True))
    if isinstance(region, TimeSpan | FrequencyBand):
        whose = (
            listed(region.channels) if len(region.channels) <= MOST_NAMED else plural(len(region.channels), "channel")
        )
        if isinstance(region, FrequencyBand):
            return f"{whose} between {region.low_hz:.3g} Hz and {region.high_hz:.3g} Hz"
        return f"{whose} from {region.start_s:.3g} s to {region.stop_s:.3g} s"
    if isinstance(region, Steps):
        return f"{listed(region.variables)}, {_span('steps', region.start, region.stop)}"
    if isinstance(region, Words):
        return _span("tokens", region.start, region.stop)
    if isinstance(region, Voxels):
        return plural(len(region.indices), "voxel")
    return _nodes(region, getattr(spec, "node_word", ("atom", "atoms")))


def _nodes(region: Atoms, word: tuple[str, str]) -> str:
    one, several = word
    if len(region.atoms) > MOST_NAMED:
        return f"{len(region.atoms)} {several}"
    named = f"{one if len(region.atoms) == 1 else several} {listed(str(at + 1) for at in region.atoms)}"
    joined = len(region.bonds) == 1 and set(region.bonds[0]) == set(region.atoms)
    return f"bond between {named}" if joined else named


def covers(region: Region, spec: Any) -> bool:
    """Whether a region is an input as a whole, or nearly so: what is said of it is said of all of it.

    Examples
    --------
    >>> from pellucid.data.spec import Signal
    >>> spec = Signal(channels=("I", "II"), length=1000, rate_hz=100.0, units="mV")
    >>> covers(TimeSpan(("I", "II"), 0.0, 9.92), spec), covers(TimeSpan(("II",), 0.0, 10.0), spec)
    (True, False)
    """
    if isinstance(region, TimeSpan):
        lasts_s = region.stop_s - region.start_s
        return set(spec.channels) <= set(region.channels) and lasts_s >= WHOLE * spec.length / spec.rate_hz
    if isinstance(region, FrequencyBand):
        wide_hz = region.high_hz - region.low_hz
        return set(spec.channels) <= set(region.channels) and wide_hz >= WHOLE * spec.rate_hz / 2
    if isinstance(region, Box):
        sides = zip(region.start, region.stop, spec.size, strict=True)
        return all(stop - start >= WHOLE * length for start, stop, length in sides)
    return False


def _span(several: str, start: int, stop: int) -> str:
    return f"{several} {start + 1} to {stop}" if stop - start > 1 else f"{several.removesuffix('s')} {stop}"


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


def region_to_json(region: Region | None) -> dict[str, Any] | None:
    """Plain values of a region."""
    return None if region is None else {"kind": type(region).__name__, **asdict(region)}


def region_from_json(data: Mapping[str, Any] | None) -> Region | None:
    """Inverse of :func:`region_to_json`."""
    from pydantic import TypeAdapter

    if data is None:
        return None
    plain = {name: value for name, value in data.items() if name != "kind"}
    region: Region = TypeAdapter(_KINDS[data["kind"]]).validate_python(plain)
    return region
