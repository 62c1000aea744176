"""GNNExplainer: a mask over the nodes of a graph, learnt afterwards so that the rest still gives the model's answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.attribution.memory import still
from pellucid.attribution.references import Placed, Reference
from pellucid.batch import Batch
from pellucid.graph_batch import GraphBatch
from pellucid.model import Model
from pellucid.part import Config
from pellucid.regions import Subgraph
from pellucid_molecules.encoders.network import GraphEncoder


class GnnExplainerConfig(Config):
    """Settings of :class:`GnnExplainer`.

    Parameters
    ----------
    epochs : int
        Steps in which a mask is learnt; no more than 1000, as each is a pass through the model and back.
    learning_rate : float
    seed : int
        Of the masks to begin with.
    """

    epochs: int = Field(60, ge=1, le=1000)
    learning_rate: float = Field(0.01, gt=0)
    seed: int = Field(0, ge=0)


class GnnExplainer(Reference):
    """One number between 0 and 1 a node: with every node's vector multiplied by its own, the model should say what it says.

    What it finds are nodes that speak for the model's answer, whichever that is. It fits models that read one graph by a network of this
    plugin, and answer yes or no, or with a number.

    References
    ----------
    Ying et al. (2019), arXiv 1903.03894, as torch_geometric has it, with its weights of size and entropy. Deviations: one number a node
    and none a feature or edge; graphs of a batch learn their masks side by side, each from its own answer (their losses are
    summed over graphs, and Adam does not see the common factor), so that a large graph's mask is pulled to small a little more.
    """

    config_type: ClassVar[type[Config]] = GnnExplainerConfig
    config: GnnExplainerConfig

    def unfit(self, model: Model) -> str:
        """Why it says nothing of this model."""
        encoders = [one for _, one in model.named_encoders()]
        if len(encoders) != 1 or not isinstance(encoders[0], GraphEncoder):
            return "gnn-explainer looks into models that read a graph by one network (gin, gat, dmpnn, attentivefp ...) and nothing else"
        kind = model.predictor.config.target.kind
        if kind not in ("binary", "multilabel", "regression"):
            return f"gnn-explainer is about answers of yes or no, and numbers; the target is of kind {kind}"
        return ""

    def places(self, model: Model, batch: Batch, *, target: str) -> list[Placed]:
        """What is left of each node's vector in the end, from 0 to 1."""
        from torch_geometric.explain import Explainer
        from torch_geometric.explain import GNNExplainer as Learner

        ((name, encoder),) = ((next(iter(e.config.inputs)), e) for _, e in model.named_encoders())
        assert isinstance(encoder, GraphEncoder)
        graphs, at = batch.inputs[name], model.head.output_index(target)
        kind = "regression" if model.predictor.config.target.kind == "regression" else "binary_classification"
        with still(model), torch.random.fork_rng(devices=[]), torch.enable_grad():
            vectors = (encoder.features.nodes(graphs).detach(), encoder.features.edges(graphs).detach())
            with _of_vectors(model, encoder, batch, name, at) as asked:
                torch.manual_seed(self.config.seed)
                explainer = Explainer(
                    asked,
                    Learner(epochs=self.config.epochs, lr=self.config.learning_rate),
                    explanation_type="model",
                    node_mask_type="object",
                    model_config={"mode": kind, "task_level": "graph", "return_type": "raw"},
                )
                found: Any = explainer(vectors[0], graphs.edge_index, e=vectors[1])
        kept = found.node_mask[:, 0].detach().double().numpy()
        each = np.split(kept, np.cumsum(graphs.node_counts.numpy())[:-1])
        return [Placed(tuple(Subgraph((node,)) for node in range(len(one))), one) for one in each]

    @classmethod
    def example(cls) -> tuple[Model, Batch]:
        """A network over a few made-up molecules."""
        from pellucid.assembly import facts_of
        from pellucid.batch import collate
        from pellucid.heads.mlp import Mlp, MlpConfig
        from pellucid_molecules.encoders.gin import Gin, GinConfig
        from pellucid_molecules.synthetic import MoleculesSynthetic, MoleculesSyntheticConfig

        data = MoleculesSynthetic(MoleculesSyntheticConfig(molecules=40))
        torch.manual_seed(0)
        encoders = {"molecule": Gin(GinConfig(inputs={"molecule": data.spec.input("molecule")}, hidden=8, layers=2))}
        model = Model(encoders, Mlp(MlpConfig(target=data.spec.target("acid"), **facts_of(encoders))))
        return model, collate(data, np.arange(3))


class _OfVectors(nn.Module):
    """A model as torch_geometric's explainers want it: vectors of nodes and edges in, one output out."""

    def __init__(self, model: Model, batch: Batch, name: str, at: int) -> None:
        super().__init__()
        self.model, self.batch, self.name, self.at = model, batch, name, at
        self.given: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, edge_index: Tensor, e: Tensor) -> Tensor:
        self.given = (x, e)
        said: Tensor = self.model(self.batch)[:, self.at, None]
        return said


class _Given(nn.Module):
    """Stands where an encoder makes vectors of a graph, and hands on those that are given."""

    def __init__(self, asked: _OfVectors) -> None:
        super().__init__()
        # In a tuple, as a module would become a part of this one, and the model a part of itself.
        self.asked = (asked,)

    def nodes(self, graphs: GraphBatch) -> Tensor:
        assert self.asked[0].given is not None
        return self.asked[0].given[0]

    def edges(self, graphs: GraphBatch) -> Tensor:
        assert self.asked[0].given is not None
        return self.asked[0].given[1]


@contextmanager
def _of_vectors(model: Model, encoder: GraphEncoder, batch: Batch, name: str, at: int) -> Iterator[_OfVectors]:
    """A model that is asked by vectors, for as long as it takes."""
    asked = _OfVectors(model, batch, name, at)
    features = encoder.features
    encoder._modules["features"] = _Given(asked)
    try:
        yield asked
    finally:
        encoder._modules["features"] = features
