"""Features over places: their mean codes at each, and who is whose neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pellucid.activations.dataset import ActivationsFolder
from pellucid.activations.places import position_neighbours
from pellucid.data.dataset import Dataset
from pellucid.errors import DataError, NotMeasurable
from pellucid.measures.neighbours import nearest_neighbours, row_standardised
from pellucid.model import Model
from pellucid.protocols.dictionaries.codes import coded
from pellucid.protocols.dictionaries.pooled import POSITION, SOURCE
from pellucid.statistics.drawing import one_a_subject


@dataclass(frozen=True)
class Placed:
    """Means over subjects at each place: every subject at a place counts alike, however many rows it has there.

    Parameters
    ----------
    codes : ndarray, shape (place, feature)
    units : ndarray, shape (place, unit)
        The representation's own units.
    neighbours : csr_array, shape (place, place)
    where : ndarray, shape (place, axis)
        Coordinates, or the number of the position.
    samples, subjects : ndarray of str, shape (sample,)
        That stand somewhere.
    at : ndarray of int, shape (sample,)
        Place of each sample; -1 where samples have places in them.
    without : int
        Samples that have no place.
    """

    codes: np.ndarray
    units: np.ndarray
    neighbours: sparse.csr_array
    where: np.ndarray
    samples: np.ndarray
    subjects: np.ndarray
    at: np.ndarray
    without: int


def layer_of(dataset: Dataset) -> ActivationsFolder | None:
    """The folder of collected rows that data are, or are a part of."""
    return dataset.ability(ActivationsFolder)


def over_positions(
    model: Model, data: Dataset, links: Sequence[tuple[str, str]] = (), *, diagonal: bool = False
) -> Placed:
    """Places are the positions of a layer, the same in every sample.

    Positions that no row has are no places, as those that are masked in all samples.

    Raises
    ------
    DataError
        If the data are no collected rows, or nobody knows which positions are neighbours.
    NotMeasurable
        If of the positions that rows are of none is beside another.
    """
    neighbours = neighbours_in_layer(data, links, diagonal=diagonal)
    positions = data.frame[POSITION].to_numpy(np.int64)
    seen, place = np.unique(positions, return_inverse=True)
    source, subjects = _samples(data)
    names, first = np.unique(source, return_index=True)
    inside = neighbours[seen][:, seen]
    if not inside.nnz:
        raise NotMeasurable(
            f"rows are of {len(seen)} positions of the layer, of which none is beside another",
            "read more rows (most), or say which positions are neighbours (links)",
        )
    inside = row_standardised(inside)
    codes, units = _means(model, data, place, subjects, len(seen))
    nowhere = np.full(len(names), -1)
    return Placed(codes, units, inside, seen[:, None].astype(float), names, subjects[first], nowhere, 0)


def neighbours_in_layer(
    data: Dataset, links: Sequence[tuple[str, str]] = (), *, diagonal: bool = False
) -> sparse.csr_array:
    """Which positions of the layer that rows were collected from are neighbours; shape (position, position).

    Raises
    ------
    DataError
        If the data are no collected rows, or nobody knows which positions are neighbours.
    """
    folder = layer_of(data)
    if folder is None or not folder.shape:
        raise DataError(
            "the rows have no positions in a layer: name the covariates that say where samples lie (coordinates)"
        )
    name = folder.document["source"]["input"]
    spec = None if name is None else folder.source_spec.inputs[name]
    return position_neighbours(spec, folder.shape, links, diagonal=diagonal)


def over_coordinates(
    model: Model, data: Dataset, columns: Sequence[str], neighbours: int, *, degrees: bool, draw: int | None
) -> Placed:
    """Places are where samples lie; those at the very same coordinates are averaged into one place.

    Parameters
    ----------
    model : Model
    data : Dataset
    columns : sequence of str
        Of the frame.
    neighbours : int
        Nearest others of each place.
    degrees : bool
        Whether the two columns are latitude and longitude: what is near is asked on the globe then.
    draw : int, optional
        Seed by which one sample of each subject is drawn; all samples without it.

    Raises
    ------
    NotMeasurable
        If there are too few places.
    """
    source, subjects = _samples(data)
    names, first, of = np.unique(source, return_index=True, return_inverse=True)
    coordinates = data.frame[list(columns)].to_numpy(np.float64)[first]
    known = np.isfinite(coordinates).all(1)
    taken = np.flatnonzero(known)
    if draw is not None:
        taken = one_a_subject(subjects[first], draw, taken)
    where, place = np.unique(coordinates[taken], axis=0, return_inverse=True)
    if len(where) <= neighbours:
        raise NotMeasurable(
            f"{len(where)} places with {', '.join(columns)} among the test samples are too few for {neighbours} nearest neighbours",
            "ask for fewer (neighbours), or test more samples",
        )
    at = np.full(len(names), -1)
    at[taken] = place.ravel()
    codes, units = _means(model, data, at[of], subjects, len(where))
    near = nearest_neighbours(on_globe(where) if degrees else where, neighbours)
    return Placed(codes, units, near, where, names[taken], subjects[first][taken], at[taken], int((~known).sum()))


def on_globe(degrees: np.ndarray) -> np.ndarray:
    """Latitude and longitude as points of a ball of radius one: the nearer on the globe, the nearer through it.

    Parameters
    ----------
    degrees : ndarray, shape (place, 2)

    Returns
    -------
    ndarray, shape (place, 3)

    Examples
    --------
    >>> on_globe(np.array([[0.0, 180.0], [90.0, 7.0]])).round(6).tolist()
    [[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    latitude, longitude = np.radians(np.asarray(degrees, np.float64)).T
    across = np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=1)


def _samples(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Sample and subject of each row."""
    frame = data.frame
    source = frame[SOURCE].astype(str).to_numpy() if SOURCE in frame else frame.index.astype(str).to_numpy()
    return source.astype(str), data.subjects


def _means(
    model: Model, data: Dataset, place: np.ndarray, subjects: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and units at each place: the mean of a subject's rows there, then the mean over subjects; -1 is nowhere."""
    there = place >= 0
    who = np.unique(subjects, return_inverse=True)[1]
    pair = place * (int(who.max()) + 1) + who
    _, index, rows = np.unique(pair[there], return_inverse=True, return_counts=True)
    heard = np.bincount(place[there][np.unique(pair[there], return_index=True)[1]], minlength=count)
    weight = np.zeros(len(place))
    weight[there] = 1.0 / (rows[index] * heard[place[there]])
    codes = units = np.zeros(())
    for at, x, found in coded(model, data):
        here = there[at]
        gather = sparse.csr_array((weight[at][here], (place[at][here], np.flatnonzero(here))), shape=(count, len(at)))
        # Zeros of no shape take the shape of what is added first.
        codes = codes + gather @ found.double().numpy()
        units = units + gather @ x.double().numpy()
    return codes, units
