"""A sum over places beside the same sum place by place, and beside what is left when a place is taken away."""

from __future__ import annotations

import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import MultiLabel, Regression
from pellucid.errors import ContractError, StudyError
from pellucid.heads.additive_tokens import TOP, AdditiveTokens, AdditiveTokensConfig
from pellucid.regions import Subgraph
from pellucid.representation import Representation, Tokens, TokenShape

UNITS = ("x:own", "y:a", "y:b")
SHAPES = {"x": TokenShape(count=0, width=3, varying=True, word=("atom", "atoms"))}
COUNTS = (4, 1, 7, 0)
"""Places of each sample."""


def z_of(counts=COUNTS, seed=0, most=7):
    rng = torch.Generator().manual_seed(seed)
    values = torch.randn(len(counts), most, 3, generator=rng)
    known = torch.arange(most) < torch.tensor(counts)[:, None]
    regions = tuple(Subgraph((at,)) for at in range(most))
    return Representation(
        torch.randn(len(counts), 3, generator=rng), UNITS, {"x": Tokens(values, regions, known=known, input="x")}
    )


def without(z, sample, place):
    tokens = z.tokens["x"]
    known = tokens.known.clone()
    known[sample, place] = False
    return Representation(z.values, z.names, {"x": Tokens(tokens.values, tokens.regions, known=known, input="x")})


def made(target=None, **options):
    torch.manual_seed(0)
    target = target or Regression(names=("y",), units=("mm",))
    head = AdditiveTokens(AdditiveTokensConfig(units=UNITS, target=target, tokens=SHAPES, hidden=5, **options))
    with torch.no_grad():
        head.weight.copy_(torch.randn_like(head.weight) / 10)
    if target.kind == "regression":
        z = z_of(seed=3)
        labels = torch.tensor([[10.0], [20.0], [60.0], [30.0]])
        head.prepare([(z, Batch({}, targets=labels))])
    return head.eval()


@pytest.mark.parametrize("pool", ["mean", "sum"])
@pytest.mark.parametrize("beside", [True, False])
def test_the_output_is_the_sum_place_by_place(pool, beside):
    head, z = made(pool=pool, beside=beside), z_of()
    said = head(z)[:, 0]
    deviations = torch.tensor([10.0, 20.0, 60.0, 30.0]).std(correction=0)
    for at, count in enumerate(COUNTS):
        places = [head.places(head.norm(z.tokens["x"].values[at, place])) for place in range(count)]
        total = float(sum(places, torch.zeros(1)).detach()) / (max(count, 1) if pool == "mean" else 1)
        # Units of the encoder that places come from are none beside them.
        if beside:
            units = (z.values[at] - z_of(seed=3).values.mean(0)) / z_of(seed=3).values.std(0, correction=0)
            total += float((units[1:] @ head.weight[0]).detach()) * 10
        assert float(said[at].detach()) == pytest.approx(30 + float(deviations) * total, rel=1e-4)


def test_in_a_sum_a_place_adds_what_is_gone_without_it():
    target = MultiLabel(names=("p", "q"))
    head, z = made(target, pool="sum"), z_of()
    head.find_centre([(z, None)])
    assert not head.centre.any()
    for output, name in enumerate(target.names):
        found = head.explain(z, name)
        assert found.baseline.tolist() == pytest.approx([float(head.prior[output])] * 4)
        for sample, count in enumerate(COUNTS):
            for place in range(count):
                gone = float(head(z)[sample, output] - head(without(z, sample, place))[sample, output])
                assert float(found.contributions[sample, place]) == pytest.approx(gone, abs=1e-5)
        assert torch.equal(head.place_contributions(z, name), found.contributions[:, :7])


def test_in_a_mean_places_that_are_as_all_are_add_nothing():
    head, z = made(), z_of()
    head.find_centre([(z, None), (z_of(seed=1), None)])
    every = torch.cat([one.tokens["x"].values[one.tokens["x"].known] for one in (z, z_of(seed=1))])
    usual = float(head.places(head.norm(every)).mean())
    found, scale = head.explain(z, "y"), float(head.scale)
    assert found.baseline[:3].tolist() == pytest.approx([30 + scale * usual] * 3, rel=1e-5)
    assert float(found.baseline[3]) == pytest.approx(30)
    alone = float(head.places(head.norm(z.tokens["x"].values[1, 0])))
    assert float(found.contributions[1, 0]) == pytest.approx(scale * (alone - usual), rel=1e-4)
    assert found.gap.abs().max() < 1e-4
    # Over all places of the samples that the zero is learnt from, in the weights that they have, nothing is left.
    weights = torch.tensor(COUNTS)[:, None]
    again = head.explain(z_of(seed=1), "y")
    left = sum((one.contributions[:, :7] * weights).sum() for one in (found, again))
    assert float(left.detach()) == pytest.approx(0, abs=1e-3)


def test_the_zero_of_one_place_is_that_place_and_of_none_is_nothing():
    head = made()
    z = z_of((1,))
    head.find_centre([(z, None)])
    assert float(head.explain(z, "y").contributions[0, 0].detach()) == pytest.approx(0, abs=1e-5)
    head.find_centre([(z_of((0,)), None)])
    assert float(head.centre) == 0


def test_the_strongest_places_that_are_there_are_evidence():
    head, z = made(pool="sum"), z_of()
    found = head.explain(z, "y")
    assert [len(some) for some in found.evidence] == [4, 1, TOP, 0]
    order = found.contributions[2, :7].abs().argsort(descending=True)[:TOP].tolist()
    assert [one.region for one in found.evidence[2]] == [Subgraph((at,)) for at in order]
    assert [one.unit for one in found.evidence[2]] == [f"x:atom {at + 1}" for at in order]
    assert {one.input for one in found.evidence[2]} == {"x"}
    assert found.known.tolist() == [[at < count for at in range(7)] + [True, True] for count in COUNTS]
    assert found.names[-2:] == ("y:a", "y:b")


def test_weights_beside_are_penalised_by_half_their_squares():
    z, batch = z_of(), Batch({}, targets=torch.tensor([[10.0], [20.0], [60.0], [30.0]]))
    free, held = (made(l2=l2).loss(z, batch) for l2 in (0.0, 0.5))
    per_deviation = 10 * made().weight.detach()
    assert float(held - free) == pytest.approx(0.5 * 0.5 * float((per_deviation**2).sum()), rel=1e-4)


def test_places_that_are_not_there_and_a_choice_of_two_are_refused():
    with pytest.raises(ContractError, match="asked for tokens 'x', which this representation does not have"):
        made()(Representation(torch.zeros(1, 3), UNITS))
    two = {"x": SHAPES["x"], "y": SHAPES["x"]}
    target = Regression(names=("y",), units=("mm",))
    with pytest.raises(StudyError, match=r"is told ''.*tokens here: x, y"):
        AdditiveTokens(AdditiveTokensConfig(units=UNITS, target=target, tokens=two))
    with pytest.raises(StudyError, match="tokens here: none"):
        AdditiveTokens(AdditiveTokensConfig(units=UNITS, target=target))
    chosen = AdditiveTokens(AdditiveTokensConfig(units=UNITS, target=target, tokens=two, tokens_name="y"))
    assert [UNITS[at] for at in chosen.beside] == ["x:own"]
