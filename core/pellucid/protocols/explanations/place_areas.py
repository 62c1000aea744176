"""How well places are put in order: areas under the ROC curve of what is said of them, by each way of saying it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from pellucid import plugins
from pellucid.attribution.counted import laid_on_nodes
from pellucid.attribution.places import place_map
from pellucid.attribution.references import Reference
from pellucid.batch import collate
from pellucid.data.dataset import Dataset
from pellucid.heads.abilities import ByPlaces
from pellucid.model import Model
from pellucid.protocols.explanations.kinds import PlaceKinds
from pellucid.regions import Region, Subgraph, overlap
from pellucid.statistics.ranking import auroc

WAYS: Mapping[str, str] = {
    "own": "what the model itself says each place adds",
    "counted": "what the model says that substructures, or whatever was counted, add, laid on their places,",
    "removal": "how much the output changes without each place",
}
"""Ways of scoring places, and what a score is."""

TOLD = "what “{}”, which looks at the model from outside, makes of each place"
"""What a score by a post-hoc reference is."""


def reference(name: str) -> Reference:
    """A post-hoc method by its name, with the settings that it has by itself.

    Raises
    ------
    UnknownComponent
        If no plugin offers it; the nearest name is given.
    """
    kind = plugins.load("attribution", name)
    found: Reference = kind(kind.config_type())
    return found


def place_areas(
    model: Model,
    samples: Dataset,
    output: str,
    truth: Sequence[tuple[Region, ...]],
    *,
    kinds: PlaceKinds | None = None,
    references: Mapping[str, Reference] | None = None,
    most: int = 0,
) -> dict[str, np.ndarray]:
    """Area under the ROC curve over the places of each sample, by each way; NaN where all places are true, or none.

    Parameters
    ----------
    model : Model
    samples : Dataset
    output : str
    truth : sequence of tuple of Region, one a sample
        The true places.
    kinds : PlaceKinds, optional
        With it also ``<way>_kind``, that of the same places in the order of their kinds.
    references : mapping of str to Reference, optional
        Post-hoc methods that are asked too, of a model that they fit.
    most : int
        Of the samples, so many that references are asked about; NaN for the others.

    Returns
    -------
    mapping of str to ndarray, shape (sample,)
    """
    model.eval()
    # Of a class, true places speak for it; of a number, they may speak either way.
    strength = np.abs if model.predictor.config.target.numeric else np.asarray
    found = {}
    every = [*_scored(model, samples, output), *_by_references(references or {}, model, samples, output, most)]
    for way, regions, values in every:
        found[way] = np.array([_area(*one) for one in zip(regions, map(strength, values), truth, strict=True)])
        if kinds is not None:
            by_kind = kinds.scores(samples, regions)
            found[f"{way}_kind"] = np.array([_area(*one) for one in zip(regions, by_kind, truth, strict=True)])
    return found


def _scored(
    model: Model, samples: Dataset, output: str
) -> Iterator[tuple[str, list[Sequence[Region]], list[np.ndarray]]]:
    """By each way the places of each sample, and what is said of them."""
    head = model.head
    if isinstance(head, ByPlaces):
        z = model.representation(samples)
        tokens = z.tokens[head.tokens_name]
        # Tokens that are no places have nothing to be compared with.
        if tokens.placed:
            said = head.place_contributions(z, output).detach().cpu().numpy()
            there = tokens.there.cpu().numpy()
            regions: list[Sequence[Region]] = [
                [r for r, k in zip(tokens.regions_of(row), known, strict=True) if k] for row, known in enumerate(there)
            ]
            yield "own", regions, [values[known] for values, known in zip(said, there, strict=True)]
    for laid in list(laid_on_nodes(model, samples, output).values())[:1]:
        yield "counted", [tuple(Subgraph((at,)) for at in range(len(values))) for values in laid], laid
    read = {name: spec for _, encoder in model.named_encoders() for name, spec in encoder.config.inputs.items()}
    placed = [name for name, spec in read.items() if spec.has_places]
    if placed:
        with torch.no_grad():
            places = place_map(model, collate(samples, range(len(samples))), input=placed[0], target=output)
        of = [places.of(row) for row in range(len(samples))]
        yield "removal", [regions for regions, _ in of], [falls.detach().numpy() for _, falls in of]


def _by_references(
    references: Mapping[str, Reference], model: Model, samples: Dataset, output: str, most: int
) -> Iterator[tuple[str, list[Sequence[Region]], list[np.ndarray]]]:
    """The same by methods that look at the model from outside; of samples they are not asked about, no places."""
    some = np.arange(min(most, len(samples)))
    for name, method in references.items():
        if method.unfit(model):
            continue
        said = method.places(model, collate(samples, some), target=output)
        rest = len(samples) - len(said)
        yield (
            name,
            [*(one.regions for one in said), *[()] * rest],
            [*(one.scores for one in said), *[np.empty(0)] * rest],
        )


def _area(regions: Sequence[Region], scores: np.ndarray, truth: tuple[Region, ...]) -> float:
    true = np.array([any(overlap(region, one) for one in truth) for region in regions], float)
    if not len(true) or true.min() == true.max():
        return float("nan")
    return float(auroc(true, scores, np.ones(len(true))))
