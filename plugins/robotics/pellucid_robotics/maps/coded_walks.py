"""Walks as an encoder writes them down: a code for each step, beside what was seen, what was done, and where it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from pellucid.data.dataset import Dataset
from pellucid.data.spec import Trajectory
from pellucid.encoders.abilities import ForecastsLevels
from pellucid.encoders.base import Encoder
from pellucid.errors import NotMeasurable
from pellucid.model import Model, batches
from pellucid_robotics.maps.mazes import KnowsMaze, Whole


@dataclass(frozen=True, eq=False)
class CodedWalks:
    """Samples of one side.

    Parameters
    ----------
    codes, seen, done, places : ndarray of int64, shape (walk, step)
        -1 where a step has no code, or what was seen or done is not known.
    forecast : ndarray of int64, optional, shape (walk, step)
        What the encoder takes for likeliest to be seen next; None where it says nothing of it.
    """

    codes: Whole
    seen: Whole
    done: Whole
    places: Whole
    forecast: Whole | None


def codes_of(model: Model) -> Iterator[tuple[str, Encoder]]:
    """Encoders of a model that give a code for each step of a trajectory of one state and one action, both of levels; by prefix."""
    for prefix, encoder in model.named_encoders():
        if len(encoder.config.inputs) != 1:
            continue
        spec = encoder.config.inputs[encoder.input_name]
        if not isinstance(spec, Trajectory) or not _sets(encoder, spec):
            continue
        if len(spec.states) == len(spec.actions) == 1 and set(spec.names) == set(spec.levels):
            yield prefix, encoder


def _sets(encoder: Encoder, spec: Trajectory) -> list[str]:
    return [name for name, one in encoder.token_shapes.items() if one.codebook and one.count == spec.length]


def coded_walks(encoder: Encoder, train: Dataset, test: Dataset) -> tuple[CodedWalks, CodedWalks]:
    """Both sides; codes are numbered by what occurs on the training side, and one that does not occur there is none.

    Raises
    ------
    NotMeasurable
        If the dataset does not know its maze.
    """
    knows = train.ability(KnowsMaze)  # type: ignore[type-abstract]
    if knows is None:
        raise NotMeasurable(
            "the dataset does not know in which maze walks were made", "ask of aliased-room or minigrid-walks"
        )
    read = [_read(encoder, side) for side in (train, test)]
    rows = [one.codes.reshape(-1, one.codes.shape[-1]) for one in read]
    every, number = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    number = number.ravel()
    met = np.zeros(len(every), bool)
    met[number[: len(rows[0])]] = True
    met &= (every >= 0).all(1)
    name = np.where(met, np.cumsum(met) - 1, -1)[number]
    found = []
    for side, one, codes in zip((train, test), read, np.split(name, [len(rows[0])]), strict=True):
        places = np.stack([knows.walked(str(sample)) for sample in side.frame.index])
        found.append(CodedWalks(codes.reshape(one.seen.shape), one.seen, one.done, places, one.forecast))
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class _Read:
    codes: Whole
    seen: Whole
    done: Whole
    forecast: Whole | None


@torch.no_grad()
def _read(encoder: Encoder, side: Dataset) -> _Read:
    spec = encoder.config.inputs[encoder.input_name]
    assert isinstance(spec, Trajectory)
    sets = _sets(encoder, spec)
    encoder.eval()
    codes, levels, said = [], [], []
    for batch, _ in batches(side):
        tokens = encoder(batch).tokens
        codes.append(torch.stack([one for name in sets if (one := tokens[name].codes) is not None], dim=-1))
        known = encoder.known(batch)
        values = encoder.read(batch).round().long()
        levels.append(values if known is None else values.masked_fill(~known, -1))
        if isinstance(encoder, ForecastsLevels):
            said.append(encoder.forecasts(batch)[spec.states[0]].argmax(-1))
    whole = torch.cat(levels).numpy()
    seen, done = (whole[:, spec.names.index(name)] for name in (spec.states[0], spec.actions[0]))
    return _Read(torch.cat(codes).numpy(), seen, done, torch.cat(said).numpy() if said else None)
