"""Whether a model knows links that are hidden from it, and what it would say if it did."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Nodes
from pellucid.data.wrapped import Wrapped
from pellucid.encoders.abilities import KnowsLinks
from pellucid.encoders.base import Encoder
from pellucid.errors import LeakageError
from pellucid.model import Model
from pellucid.protocols.base import FittedFold
from pellucid.protocols.fit_again import fit_again
from pellucid.seeds import seed_of
from pellucid.training.fit import Sides, fit_encoder, prepare_encoder

if TYPE_CHECKING:
    import pandas as pd


class Flipped(Wrapped):
    """Another dataset with the labels of some samples turned round; all else stays as it is.

    Parameters
    ----------
    source : Dataset
    target : str
        Of 0 and 1.
    at : ndarray of int
        Positions of the samples.
    """

    def __init__(self, source: Dataset, target: str, at: np.ndarray) -> None:
        super().__init__(source)
        self.target, self.at = target, at

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """The source's, with the labels turned round."""
        found = self.source.frame.copy()
        for column in self.source.target_columns(self.target):
            labels = found[column].to_numpy(copy=True)
            labels[self.at] = 1 - labels[self.at]
            found[column] = labels
        return found


def refuse_known_links(fold: FittedFold, part: str) -> None:
    """Raise where an encoder of a part knows a link between the two nodes of a test sample.

    Raises
    ------
    LeakageError
        Names the part and the number of links.
    """
    model = fold.models[part]
    for prefix, encoder in model.named_encoders():
        if not isinstance(encoder, KnowsLinks):
            continue
        tested = fold.dataset.read(fold.split.test).inputs[encoder.pair_name]
        both = {(int(a), int(b)) for a, b in tested} & {(int(a), int(b)) for a, b in encoder.known_links()}
        if both:
            raise LeakageError(
                f"{part!r} of fold {fold.split.fold} would be scored on links that its encoder {prefix!r} knows: {len(both)} of "
                f"{len(tested)} test pairs stand in its graph. Build graph and kernels from the training samples of each fold alone"
            )


@torch.no_grad()
def refuse_change_when_flipped(fold: FittedFold, part: str) -> None:
    """Raise unless what encoders remember, and every score, is the same to the last bit with all hidden labels turned round.

    What is remembered (graphs, kernels, degrees) is learnt again from the training samples of both versions; what was learnt by
    steps is taken from the model.

    Raises
    ------
    LeakageError
        Names the part and what changed.
    """
    model = fold.models[part]
    flipped = Flipped(fold.dataset, fold.target, fold.split.test)
    versions = []
    for data in (fold.dataset, flipped):
        side = data.subset(fold.split.train)
        encoders: dict[str, Encoder] = {}
        for prefix, encoder in model.named_encoders():
            made = type(encoder)(encoder.config)  # type: ignore[call-arg]
            made.load_state_dict(encoder.state_dict())
            prepare_encoder(made, Sides(side, side, fold.target))
            encoders[prefix] = made.eval()
        again = Model(encoders, model.head).eval()
        scores = again.logits(data.subset(fold.split.test))
        versions.append((scores, {f"{p}.{k}": v for p, e in encoders.items() for k, v in e.state_dict().items()}))
    (scores, state), (others, other_state) = versions
    changed = [name for name, value in state.items() if not torch.equal(value, other_state[name])]
    if not torch.equal(scores, others):
        changed.append("the scores")
    if changed:
        raise LeakageError(
            f"{part!r} of fold {fold.split.fold} reads hidden links: with their labels turned round, {', '.join(changed[:3])} "
            "changed. Whatever is computed from links may see those of training samples alone"
        )


def leaky_scores(fold: FittedFold, part: str) -> np.ndarray:
    """What a part would say of test samples if its encoders had had their links too; its head has not had them.

    This is what happens where a graph is built before it is split. The part itself stays as it is.

    Returns
    -------
    ndarray, shape (sample,)
        Logits.

    Raises
    ------
    ContractError
        If the training settings are not at hand.
    """
    model, seed = fold.models[part], f"{fold.seed}/links left in"
    train, validation = fold.train, fold.validation
    everything = fold.dataset.subset(np.concatenate([fold.split.train, fold.split.test]))
    encoders: dict[str, Encoder] = {}
    for prefix, encoder in model.named_encoders():
        torch.manual_seed(seed_of(seed, prefix))
        encoders[prefix] = type(encoder)(encoder.config)  # type: ignore[call-arg]
        settings = fold.training[f"encoder {prefix}"]
        fit_encoder(encoders[prefix], Sides(everything, validation, fold.target), settings, name=f"encoder {prefix}")
        encoders[prefix].eval()
    leaky = fit_again(
        Model(encoders, model.head),
        part,
        Sides(train, validation, fold.target),
        fold.training,
        seed=seed,
        same_encoders=True,
    )
    return np.asarray(leaky.logits(fold.dataset.subset(fold.split.test))[:, 0].double().numpy())


def pair_input(spec: DataSpec) -> str | None:
    """Name of the input of pairs of nodes; None where there is none."""
    return next((n for n, one in spec.inputs.items() if isinstance(one, Nodes) and len(one.roles) == 2), None)
