"""From what single numbers add to the places where they were counted: a substructure's part, laid on its nodes."""

from __future__ import annotations

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.explanation import Explanation
from pellucid.model import Model
from pellucid.regions import Subgraph


def laid_on_nodes(model: Model, samples: Dataset, target: str) -> dict[str, list[np.ndarray]]:
    """What each node of a graph adds to an output by way of numbers that were counted at it.

    A number's part is shared out evenly among the places where it was counted, and a place's among its nodes. What was counted
    nowhere in a graph (a weight, a melting point) has no place and is left out, so nodes need not add up to the output.

    Parameters
    ----------
    model : Model
    samples : Dataset
        Says where numbers were counted; see :meth:`~pellucid.data.dataset.Dataset.places`.
    target : str
        Output.

    Returns
    -------
    dict of str to list of ndarray, shape (node,)
        By graph input, one a sample; empty where the model reads no number that has a place.
    """
    sources = counted_inputs(model, samples)
    if not sources:
        return {}
    found = model.explain(samples, target)
    arrays = samples.read(np.arange(len(samples)))
    nodes = {
        name: arrays.inputs[name].node_counts for name, spec in samples.spec.inputs.items() if spec.kind == "graph"
    }
    laid = {name: [np.zeros(count) for count in counts] for name, counts in nodes.items()}
    for row in range(len(samples)):
        for prefix, input in sources.items():
            places = samples.places(input, row)
            for unit, adds in units_of(found, row, prefix):
                where = [
                    (place.input, list(place.region.nodes))
                    for place in places.get(unit, ())
                    if isinstance(place.region, Subgraph)
                ]
                for name, at in where:
                    laid[name][row][at] += adds / len(where) / len(at)
    return laid


def counted_inputs(model: Model, samples: Dataset) -> dict[str, str]:
    """Inputs with numbers that have places, by the prefix of the encoder that hands them on under their own names."""
    found = {}
    for prefix, encoder in model.named_encoders():
        inputs = [name for name, spec in encoder.config.inputs.items() if spec.kind == "vector"]
        if (
            len(inputs) == 1
            and len(samples)
            and any(samples.places(inputs[0], row) for row in range(min(len(samples), 5)))
        ):
            found[prefix] = inputs[0]
    return found


def units_of(found: Explanation, row: int, prefix: str) -> list[tuple[str, float]]:
    """Names without their prefix, and parts that are not 0, of one sample."""
    parts = found.contributions[row].detach().double().numpy()
    return [
        (name.removeprefix(f"{prefix}:"), float(parts[at]))
        for at, name in enumerate(found.names)
        if parts[at] and name.startswith(f"{prefix}:")
    ]
