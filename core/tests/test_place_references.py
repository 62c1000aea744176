"""Post-hoc methods that are judged by the truth beside what models say of themselves."""

import numpy as np
import pytest
from test_place_truth import Made, fold_of

from pellucid.attribution.references import Placed, Reference
from pellucid.errors import UnknownComponent
from pellucid.part import Config
from pellucid.protocols.explanations import truth
from pellucid.protocols.explanations.truth import PlaceTruth, PlaceTruthConfig
from pellucid.regions import Subgraph


class Pointing(Reference):
    """Says the truth of the third kind of node, or its opposite; does not fit what is told not to."""

    config_type = Config
    sign, fits, asked = 1.0, True, 0

    def unfit(self, model):
        return "" if type(self).fits else "not this one"

    def places(self, model, batch, *, target):
        graphs = batch.inputs["graph"]
        type(self).asked = len(batch)
        rows = [graphs.nodes[graphs.graph_of_node == at, 2].numpy() for at in range(len(graphs))]
        return [Placed(tuple(Subgraph((at,)) for at in range(len(one))), self.sign * one.astype(float)) for one in rows]

    @classmethod
    def example(cls):
        raise NotImplementedError


@pytest.mark.parametrize(("sign", "area"), [(1.0, 1.0), (-1.0, 0.0)])
def test_a_reference_is_judged_by_the_same_truth_on_some_samples_and_passes_nothing(monkeypatch, sign, area):
    monkeypatch.setattr(truth, "reference", lambda name: Pointing(Config()))
    monkeypatch.setattr(Pointing, "sign", sign)
    fold, context = fold_of(Made())
    protocol = PlaceTruth(PlaceTruthConfig(samples=20, shuffles=1, references=("by-pointing",), reference_samples=7))
    rows = protocol.examine(fold).assign(fold=0)
    assert Pointing.asked == 7
    assert np.isfinite(rows["by-pointing"]).sum() == 7
    (found,) = (one for one in protocol.conclude(rows, context) if one.metric == "place_auroc_by_pointing")
    assert found.value == area
    assert found.n_samples == 7
    # It is the same of whatever model, so a model that learnt nothing does as well by it.
    assert found.baseline == max(area, 0.5)
    assert found.passed is None
    assert "“by-pointing”" in found.sentence


def test_of_a_model_that_a_reference_does_not_fit_nothing_is_said(monkeypatch):
    monkeypatch.setattr(truth, "reference", lambda name: Pointing(Config()))
    monkeypatch.setattr(Pointing, "fits", False)
    fold, context = fold_of(Made())
    protocol = PlaceTruth(PlaceTruthConfig(samples=5, shuffles=1, references=("by-pointing",)))
    rows = protocol.examine(fold).assign(fold=0)
    assert "place_auroc" in {one.metric for one in protocol.conclude(rows, context)}
    assert "place_auroc_by_pointing" not in {one.metric for one in protocol.conclude(rows, context)}


def test_a_reference_that_nobody_offers_is_refused_before_anything_is_learnt():
    fold, context = fold_of(Made())
    protocol = PlaceTruth(PlaceTruthConfig(references=("no-such-explainer",)))
    with pytest.raises(UnknownComponent, match="no attribution named 'no-such-explainer'"):
        protocol.unfit_for(fold.dataset, {}, context)
