"""What a model knows of the network around the nodes that a sample is about, and what its output owes to each known link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pellucid.batch import Batch, collate
from pellucid.data.dataset import Dataset
from pellucid.encoders.abilities import KnowsLinks, KnowsRates
from pellucid.encoders.rates import NodePaths
from pellucid.model import Model

if TYPE_CHECKING:
    import pandas as pd

MOST_LINKS = 400
"""Known links of a pair that are left out one by one for a picture; with more there is no telling them apart either."""

OTHERS = 40
"""Nodes whose paths are kept beside those of a pair: those that come nearest to it."""


def network_around(model: Model, samples: Dataset, targets: Sequence[str]) -> list[dict[str, dict[str, np.ndarray]]]:
    """What a model knows around the nodes of each sample, for views of inputs of the kind ``nodes``.

    Parameters
    ----------
    model : Model
    samples : Dataset
    targets : sequence of str, one a sample
        Which output is explained.

    Returns
    -------
    list of dict of str to dict of str to ndarray
        For each sample, by input: ``links``, numbers of the nodes of each known link of the pair, int64, shape (link, 2), the strongest
        first, with ``changes``, by how much the output falls where none of the model's encoders knows that link, shape (link,);
        and of nodes that move ``nodes``, the pair's own and those that come nearest to them, int64, shape (node,), with ``times``,
        ``places`` and ``levels`` of these (:class:`~pellucid.encoders.rates.NodePaths`). Empty where the model knows neither.
    """
    found: list[dict[str, dict[str, np.ndarray]]] = [{} for _ in range(len(samples))]
    encoders = [encoder for _, encoder in model.named_encoders()]
    knowing = {one.pair_name for one in encoders if isinstance(one, KnowsLinks)}
    moving = {one.pair_name: one.paths() for one in encoders if isinstance(one, KnowsRates)}
    for at in range(len(samples) if knowing or moving else 0):
        batch = collate(samples, np.array([at]))
        output = model.head.output_index(targets[at])
        for name in sorted(knowing):
            found[at].setdefault(name, {}).update(_links(model, batch, name, output))
        for name, paths in moving.items():
            if paths is not None:
                found[at].setdefault(name, {}).update(_paths(paths, batch.inputs[name][0].tolist()))
    return found


@torch.no_grad()
def neighbour_attribution(model: Model, dataset: Dataset, sample: int, *, output: int = 0) -> pd.DataFrame:
    """What each known link of the two nodes of a pair adds to its logit: how much it falls when that link is not known.

    Each link is taken out of what the encoders remember, one at a time, with all that follows from it (degrees, kernels); what was
    learnt by steps stays. These are differences, not parts of a sum: two links that say the same count little each.

    Parameters
    ----------
    model : Model
        With an encoder that knows links (:class:`~pellucid.encoders.abilities.KnowsLinks`).
    dataset : Dataset
    sample : int
        Position of the pair.
    output : int

    Returns
    -------
    DataFrame
        One row a link, the strongest first: ``encoder``, ``first`` and ``second`` (numbers of its nodes), the names of both in
        columns named after their roles, ``of`` (which role it shares with the pair) and ``change``.
    """
    import pandas as pd

    model.eval()
    batch = collate(dataset, np.array([sample]))
    before = float(model(batch)[0, output])
    rows = []
    for prefix, encoder in model.named_encoders():
        if not isinstance(encoder, KnowsLinks):
            continue
        spec: Any = dataset.spec.inputs[encoder.pair_name]
        pair = batch.inputs[encoder.pair_name][0].tolist()
        for link in _own(encoder, pair):
            shared = [spec.roles[at] for at in range(2) if link[at] == pair[at]]
            names = {role: spec.names[of][at] for role, of, at in zip(spec.roles, spec.types, link, strict=True)}
            change = before - _without(model, batch, link, [prefix], output)
            ends = {"first": int(link[0]), "second": int(link[1])}
            rows.append({"encoder": prefix, **ends, **names, "of": shared[0], "change": change})
    columns = ["encoder", "first", "second", "of", "change"]
    found = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    order = found["change"].abs().to_numpy(float).argsort(kind="stable")[::-1]
    return found.iloc[order].reset_index(drop=True)


def _own(encoder: KnowsLinks, pair: Sequence[int]) -> np.ndarray:
    """Known links of the two nodes of a pair, shape (link, 2)."""
    known = encoder.known_links()
    return np.asarray(known[(known == pair).any(1)])


def _without(model: Model, batch: Batch, link: np.ndarray, prefixes: Sequence[str], output: int) -> float:
    """An output of one sample, where some encoders do not know a link."""
    others = dict(model.named_encoders())
    others |= {prefix: others[prefix].without_links(link[None]).eval() for prefix in prefixes}  # type: ignore[operator]
    return float(Model(others, model.head).eval()(batch)[0, output])


@torch.no_grad()
def _links(model: Model, batch: Batch, name: str, output: int) -> dict[str, np.ndarray]:
    model.eval()
    pair = batch.inputs[name][0].tolist()
    by_link: dict[tuple[int, int], list[str]] = {}
    for prefix, encoder in model.named_encoders():
        if isinstance(encoder, KnowsLinks) and encoder.pair_name == name:
            for first, second in _own(encoder, pair):
                by_link.setdefault((int(first), int(second)), []).append(prefix)
    links = np.array(list(by_link), np.int64).reshape(-1, 2)
    if len(links) > MOST_LINKS:
        return {"links": links, "changes": np.full(len(links), np.nan)}
    before = float(model(batch)[0, output])
    changes = [
        before - _without(model, batch, link, prefixes, output)
        for link, prefixes in zip(links, by_link.values(), strict=True)
    ]
    order = np.argsort(-np.abs(changes), kind="stable")
    return {"links": links[order], "changes": np.array(changes, np.float64)[order]}


def _paths(paths: NodePaths, pair: Sequence[int]) -> dict[str, np.ndarray]:
    away = np.linalg.norm(paths.places[:, :, None] - paths.places[:, None, list(pair)], axis=-1).min((0, 2))
    others = [int(at) for at in np.argsort(away, kind="stable") if at not in pair][:OTHERS]
    nodes = np.array([*pair, *others], np.int64)
    return {
        "nodes": nodes,
        "times": paths.times,
        "places": paths.places[:, nodes].astype(np.float32),
        "levels": paths.levels[nodes],
    }
