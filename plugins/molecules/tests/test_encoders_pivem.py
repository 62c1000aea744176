"""PiVeM learns from what it may see alone, in stages, and says what its likelihood means."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from pellucid.batch import Batch, collate
from pellucid.data.inputs import Nodes
from pellucid.encoders.abilities import KnowsRates
from pellucid.errors import DataError, StudyError
from pellucid.training.fit import Sides, fit_encoder
from pellucid.training.settings import TrainingSettings
from pellucid_molecules.encoders.pivem import Pivem, PivemConfig
from pellucid_molecules.encoders.pivem_degrees import DegreeRate, DegreeRateConfig
from pellucid_molecules.events.synthetic import EventsSynthetic, EventsSyntheticConfig

DATA = EventsSynthetic(EventsSyntheticConfig(events=1500, bins=10, hidden=0.2, seed=4))
PAIRS = torch.from_numpy(DATA.pairs)


def made(data=DATA, seed=0, **options):
    torch.manual_seed(seed)
    return Pivem(PivemConfig(inputs=data.spec.inputs, **options))


def learnt(encoder, data=DATA, steps=30):
    at = np.arange(0, len(data), 2)
    settings = TrainingSettings(epochs=steps, batch_size=999, learning_rate=0.1, schedule="constant", keep="last")
    fit_encoder(encoder, Sides(data.subset(at), data.subset(at + 1)), settings)
    return encoder


class Altered(EventsSynthetic):
    """The same pairs with absurd events where nothing may be learnt from."""

    def read(self, indices):
        arrays = super().read(indices)
        arrays.inputs["events"][..., self.hidden_bins] = 99
        arrays.inputs["events"][np.asarray(indices) % 2 == 1] = 77
        return arrays


def test_events_of_hidden_bins_and_of_held_out_pairs_change_no_bit_of_it():
    one = learnt(made(stages=(5, 10)))
    other = learnt(made(stages=(5, 10)), Altered(DATA.config))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    batch, changed = collate(DATA, [1, 3, 4]), collate(Altered(DATA.config), [1, 3, 4])
    assert not torch.equal(batch.inputs["events"], changed.inputs["events"])
    assert torch.equal(one(batch).values, one(changed).values)
    rates = [DegreeRate(DegreeRateConfig(inputs=DATA.spec.inputs)) for _ in range(2)]
    for encoder, data in zip(rates, (DATA, Altered(DATA.config)), strict=True):
        learnt(encoder, data)
    assert torch.equal(rates[0].activity, rates[1].activity)


def test_velocities_and_then_the_prior_learn_when_it_is_their_turn():
    encoder, begun = made(stages=(10, 20)), made(stages=(10, 20))
    learnt(encoder, steps=10)
    assert not encoder.velocity.any()
    assert (encoder.start != begun.start).any()
    learnt(encoder, steps=10)
    assert int(encoder.steps) == 20
    assert encoder.velocity.any()
    assert torch.equal(encoder.kinds, begun.kinds)
    assert torch.equal(encoder.log_scale, begun.log_scale)
    learnt(encoder, steps=5)
    for name in ("kinds", "log_scale", "log_start"):
        assert (getattr(encoder, name) != getattr(begun, name)).any(), name


def test_its_loss_is_the_poisson_likelihood_of_single_events():
    encoder = learnt(made(stages=(3, 999), prior=False), steps=20)
    # Two nodes that stay together.
    pair = 2
    found = float(encoder.loss(collate(DATA, [pair])).detach())
    paths, (one, other) = encoder.paths(), DATA.pairs[pair]

    def rate(time):
        return np.exp(sum(part for part in paths.log_rate(one, other, np.array(time)).values()))

    edges = np.arange(9) / 10
    expected = sum(quad(rate, a, b, epsabs=1e-10)[0] for a, b in pairwise(edges))
    mine = (DATA.drawn.ends == DATA.pairs[pair]).all(1) & (DATA.drawn.times < 0.8)
    assert mine.sum() > 3
    assert found == pytest.approx(expected - np.log(rate(DATA.drawn.times[mine])).sum(), rel=1e-5)
    # Beyond what was learnt from, too.
    assert float(encoder.expected(PAIRS[pair : pair + 1])[0, 9]) == pytest.approx(quad(rate, 0.9, 1.0)[0], rel=1e-6)


def test_the_prior_counts_once_over_all_training_pairs():
    encoder = learnt(made(stages=(3, 6)), steps=10)
    bare = made(stages=(3, 6), prior=False)
    bare.load_state_dict(encoder.state_dict(), strict=False)
    at = np.arange(0, len(DATA), 2)
    batches = [collate(DATA, at[:20]), collate(DATA, at[20:])]
    with torch.no_grad():
        more = sum(float(encoder.loss(one) - bare.loss(one)) * len(one) for one in batches)
        assert more == pytest.approx(-float(encoder._log_prior()), rel=1e-6)
    assert int(encoder.learnt_pairs) == len(at)


def test_after_the_last_learnt_bin_nodes_go_on_or_stay():
    encoder = learnt(made(stages=(3, 999)), steps=20)
    places = encoder.paths().places
    assert np.diff(places, axis=0)[8:] == pytest.approx(np.diff(places, axis=0)[[7, 7]])
    still = made(stages=(3, 999), beyond="still")
    still.load_state_dict(encoder.state_dict())
    places = still.paths().places
    assert np.diff(places, axis=0)[8:] == pytest.approx(0)
    assert np.abs(np.diff(places, axis=0)[7]).max() > 0


def test_parts_add_up_to_the_log_rate_at_the_middle_of_each_bin():
    encoder = learnt(made(stages=(3, 999)), steps=20)
    parts = made(stages=(3, 999), says="parts")
    parts.load_state_dict(encoder.state_dict())
    batch = collate(DATA, range(20))
    whole, apart = encoder(batch), parts(batch)
    assert torch.allclose(whole.values, apart.values[:, :1] + apart.values[:, 1:], atol=1e-5)
    assert apart.names[:2] == ("levels", "-distance^2 at 0.050")
    one, other = DATA.pairs[7]
    told = encoder.paths().log_rate(one, other, np.array(0.35))
    assert float(whole.values[7, 3].detach()) == pytest.approx(float(sum(told.values())), abs=1e-5)
    assert whole.names[3] == "log rate at 0.350"


def test_the_rate_of_degrees_is_exact_where_rates_are_products():
    data = EventsSynthetic(EventsSyntheticConfig(apart=0, members=20, events=200_000, bins=4, hidden=0.25))
    encoder = learnt(DegreeRate(DegreeRateConfig(inputs=data.spec.inputs)), data)
    assert isinstance(encoder, KnowsRates)
    counts = data.read(np.arange(len(data))).inputs["events"][:, 0]
    held = np.arange(1, len(data), 2)
    expected = encoder.expected(torch.from_numpy(data.pairs[held])).numpy()
    # Nodes without groups still stand apart by their spread, so that a product is not the whole truth.
    assert expected.sum() == pytest.approx(counts[held].sum(), rel=0.05)
    assert np.corrcoef(expected[:, 0], counts[held].mean(1))[0, 1] > 0.9


def test_a_node_with_fewer_training_pairs_is_not_taken_for_a_quiet_one():
    data = DATA
    node = 0
    mine = np.flatnonzero((data.pairs == node).any(1))
    others = np.setdiff1d(np.arange(len(data)), mine)
    encoders = [DegreeRate(DegreeRateConfig(inputs=data.spec.inputs)) for _ in range(2)]
    encoders[0].prepare([collate(data, np.arange(len(data)))])
    encoders[1].prepare([collate(data, np.concatenate([mine[:5], others]))])
    counts = data.read(mine).inputs["events"][:, 0][:, :8].sum(1)
    assert float(encoders[0].activity[node]) == pytest.approx((counts.sum() + 0.5) / (len(mine) * 0.8), rel=1e-5)
    assert float(encoders[1].activity[node]) == pytest.approx((counts[:5].sum() + 0.5) / (5 * 0.8), rel=1e-5)


@pytest.mark.parametrize("cls", [Pivem, DegreeRate])
def test_wrong_inputs_and_data_without_events_are_refused(cls):
    inputs = dict(DATA.spec.inputs)
    with pytest.raises(StudyError, match='inputs = \\["pair", "events"\\]'):
        cls(cls.config_type(inputs={"pair": inputs["pair"]}))
    two = Nodes(roles=("a", "b"), types=("x", "y"), names={"x": ("1", "2"), "y": ("3", "4")})
    with pytest.raises(StudyError, match="of one type"):
        cls(cls.config_type(inputs={**inputs, "pair": two}))
    other = inputs["events"].model_copy(update={"channels": ("a", "b", "c")})
    with pytest.raises(StudyError, match="reads channels"):
        cls(cls.config_type(inputs={**inputs, "events": other}))
    batch = collate(DATA, [0, 1])
    nothing = Batch({**batch.inputs, "events": torch.zeros_like(batch.inputs["events"])}, batch.masks)
    with pytest.raises(DataError, match="none in any bin"):
        cls(cls.config_type(inputs=inputs)).prepare([nothing])


def test_stages_that_do_not_follow_each_other_are_refused():
    with pytest.raises(ValueError, match="the second not below the first"):
        PivemConfig(inputs=DATA.spec.inputs, stages=(10, 5))
