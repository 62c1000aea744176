"""Rows of activations with planted features of labels, and what assessments of dictionaries by labels say of them."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import torch

from pellucid.data import ArrayDataset, Binary, DataSpec, Split, Vector
from pellucid.encoders.identity import Identity
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.by_labels.perturbation import TargetedPerturbation
from pellucid.protocols.dictionaries.by_labels.probing import SparseProbing
from pellucid.protocols.dictionaries.by_labels.ravel import Ravel
from pellucid.protocols.dictionaries.by_labels.removal import SpuriousRemoval
from pellucid.protocols.dictionaries.by_labels.shared import ByLabels
from pellucid.protocols.dictionaries.by_labels.unlearning import Unlearned

PEOPLE, POSITIONS, UNITS, ATOMS = 360, 4, 24, 12


BASIS = torch.linalg.qr(torch.randn(UNITS, UNITS, generator=torch.Generator().manual_seed(0)))[0]


TRUE = BASIS[:ATOMS]


LOUD, QUIET, COIN = "is yes (loud)", "is yes (quiet)", "is yes (coin)"


def rows(flipped: float = 0.0, seed: int = 0, others: float = 0.3, both: bool = False) -> ArrayDataset:
    """People with four positions each: atom 0 goes with ``loud``, atom 1, half as strong, with ``quiet``, nothing with ``coin``.

    With ``both``, atoms 2 and 3 go with not being so.
    """
    random = np.random.default_rng(seed)
    loud, quiet, coin = (random.permutation(np.arange(PEOPLE) % 2).astype(float) for _ in range(3))
    # Of a person, not of a position, so that means over positions leave it: single units are full of it.
    other = (random.random((PEOPLE, 1, ATOMS)) < 0.4) * others * random.uniform(1, 3, (PEOPLE, 1, ATOMS))
    codes = other * random.uniform(0.8, 1.2, (PEOPLE, POSITIONS, ATOMS))
    strength = random.uniform(1, 1.5, (PEOPLE, POSITIONS))
    # Each at half of the positions, so that a sample's mean is not what a position says.
    here = np.arange(POSITIONS) % 2 == 0
    codes[:, :, 0] = 2 * strength * here * loud[:, None]
    codes[:, :, 1] = strength * ~here * quiet[:, None]
    if both:
        codes[:, :, 2] = 2 * strength * here * (1 - loud[:, None])
        codes[:, :, 3] = strength * ~here * (1 - quiet[:, None])
    said = np.where(random.random(PEOPLE) < flipped, 1 - loud, loud)
    values = (codes.reshape(-1, ATOMS) @ TRUE.numpy() + 0.05 * random.normal(size=(PEOPLE * POSITIONS, UNITS))).astype(
        np.float32
    )
    source, position = np.divmod(np.arange(PEOPLE * POSITIONS), POSITIONS)
    order = random.permutation(len(source))
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in source], "loud": said[source], "quiet": quiet[source], "coin": coin[source],
         "source": [f"s{at}" for at in source], "position": position},
        index=[f"s{a}@{b}" for a, b in zip(source, position, strict=True)],
    ).iloc[order]  # fmt: skip
    no_yes = Binary(names=("no", "yes"))
    spec = DataSpec(
        name="rows", namespace="r", inputs={"activations": Vector(names=tuple(f"u{at}" for at in range(UNITS)))},
        targets={"loud": no_yes, "quiet": no_yes, "coin": no_yes},
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"activations": values[order]})


def model(data: ArrayDataset, atoms: torch.Tensor = TRUE, weight: torch.Tensor | None = None) -> Model:
    """A dictionary made by hand: atoms, and weights that read codes."""
    encoder = Identity(Identity.config_type(inputs={"activations": data.spec.input("activations")}))
    head = TopK(TopKConfig(units=tuple(f"activations:{n}" for n in encoder.names), features=len(atoms), k=len(atoms)))
    with torch.no_grad():
        head.directions.copy_(atoms)
        head.weight.copy_(atoms if weight is None else weight)
        # Four standard deviations of the noise, or the sum of many numbers rounded: off is off.
        head.bias.fill_(-0.2 if weight is None else -1e-3)
    return Model({"activations": encoder}, head).eval()


def mixed() -> torch.Tensor:
    """The same atoms turned among themselves: each is a bit of all labels."""
    return torch.linalg.qr(torch.randn(ATOMS, ATOMS, generator=torch.Generator().manual_seed(4)))[0] @ TRUE


def at_random() -> torch.Tensor:
    """Directions that have nothing to do with the data."""
    found = torch.randn(ATOMS, UNITS, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.normalize(found, dim=1)


def fold_of(data: ArrayDataset, made: Model, test: np.ndarray | None = None) -> FittedFold:
    if test is None:
        test = np.flatnonzero([int(one[1:]) % 3 == 0 for one in data.frame["subject"]])
    return FittedFold(
        data, "", Split(0, np.setdiff1d(np.arange(len(data)), test), test[:0], test), {"topk": made}, None, 0
    )


def context(data: ArrayDataset) -> Context:
    return Context(data.spec, "", {"topk": TopK.tags}, "", 0)


def assessed(protocol: ByLabels, data: ArrayDataset, made: Model, **more):
    """Rows of a fold, through parquet and back, and results by metric."""
    assert protocol.unfit(context(data)) == ""
    buffer = io.BytesIO()
    protocol.examine(fold_of(data, made, **more)).assign(fold=0).to_parquet(buffer, index=False)
    found = pd.read_parquet(buffer)
    return found, {result.metric: result for result in protocol.conclude(found, context(data))}


def probing(**options):
    return SparseProbing(SparseProbing.config_type(**options))


def tpp(**options):
    return TargetedPerturbation(TargetedPerturbation.config_type(**{"ns": (1, 2), "steps": 1000, **options}))


def scr(**options):
    given = {"wanted": "quiet", "spurious": "loud", "ns": (1,), "steps": 1000, **options}
    return SpuriousRemoval(SpuriousRemoval.config_type(**given))


def unlearned(**options):
    given = {"forget": "loud", "keep": ("quiet",), "steps": 1000, **options}
    return Unlearned(Unlearned.config_type(**given))


def ravel(**options):
    given = {"first": "loud", "second": "quiet", "steps": 1000, **options}
    return Ravel(Ravel.config_type(**given))
