"""The bottlenecked transformer: nothing later changes a code, hidden steps change nothing, codes carry what is forecast."""

import numpy as np
import pytest
import torch

from pellucid.batch import Batch, collate
from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import Regression, Trajectory
from pellucid.encoders.abilities import ForecastsLevels
from pellucid.encoders.vq_bottleneck.encoder import VqBottleneck
from pellucid.encoders.vq_bottleneck.network import Forecast
from pellucid.encoders.vq_bottleneck.settings import VqBottleneckConfig
from pellucid.errors import DataError, StudyError
from pellucid.regions import Steps

STEPS = 12
LEVELS = {"colour": ("red", "green", "blue"), "move": ("back", "on")}
SPEC = Trajectory(names=("colour", "move"), actions=("move",), length=STEPS, dt_s=1.0, units=("1", "1"), levels=LEVELS)
SMALL = {"codes": 8, "width": 8, "depth": 2, "heads": 2, "ahead": 3, "restart_share": 0.01}


def made(spec=SPEC, seed=0, **options):
    torch.manual_seed(seed)
    return VqBottleneck(VqBottleneckConfig(inputs={"walk": spec}, **SMALL | options)).eval()


def walks(samples=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randint(0, len(LEVELS[name]), (samples, STEPS), generator=generator) for name in SPEC.names]
    return torch.stack(rows, 1).float()


def codes(encoder, x, mask=None):
    with torch.no_grad():
        found = encoder(Batch({"walk": x}, {} if mask is None else {"walk": mask}))
    return torch.stack([one.codes for one in found.tokens.values()], -1)


def latents(encoder, x, mask=None):
    """What codes are found for: a code may stay the same where this changes."""
    with torch.no_grad():
        return encoder.latents(Batch({"walk": x}, {} if mask is None else {"walk": mask}))


def test_nothing_that_is_seen_or_done_later_changes_a_code():
    encoder, x = made(codes=64), walks()
    other = x.clone()
    other[:, 0, 7:] = (x[:, 0, 7:] + 1) % 3
    # What is done at a step leads to the next: its own code does not know of it, all later ones do.
    other[:, 1, 6:] = 1 - x[:, 1, 6:]
    assert torch.equal(codes(encoder, x)[:, :7], codes(encoder, other)[:, :7])
    change = (latents(encoder, x) - latents(encoder, other)).abs().amax(-1)
    assert change[:, :7].max() < 1e-6
    assert change[:, 7:].min() > 1e-4


def test_every_earlier_step_is_seen():
    encoder, x = made(), walks()
    for at in range(STEPS):
        other = x.clone()
        other[:, 0, at] = (x[:, 0, at] + 1) % 3
        change = (latents(encoder, x) - latents(encoder, other)).abs().amax(-1)
        assert change[:, at:].min() > 1e-6
        assert not change[:, :at].any() or change[:, :at].max() < 1e-6


def test_a_code_knows_what_was_done_before_and_not_only_what_is_seen():
    encoder, x = made(codes=64), walks()
    other = x.clone()
    other[:, 1, 4] = 1 - x[:, 1, 4]
    changed = (codes(encoder, x) != codes(encoder, other)).any(-1)
    assert not changed[:, :5].any()
    assert changed[:, 5].any()


def test_forecasts_rest_on_what_was_done_at_the_step_and_on_nothing_later():
    encoder, x = made(), walks()
    other = x.clone()
    other[:, :, 6:] = torch.tensor([3, 2])[:, None] - 1 - x[:, :, 6:]
    with torch.no_grad():
        first, second = (encoder.forecasts(Batch({"walk": one}))["colour"] for one in (x, other))
        done = x.clone()
        done[:, 1, 5] = 1 - x[:, 1, 5]
        third = encoder.forecasts(Batch({"walk": done}))["colour"]
    assert isinstance(encoder, ForecastsLevels)
    assert torch.allclose(first.exp().sum(-1), torch.ones(6, STEPS), atol=1e-5)
    assert torch.allclose(first[:, :6], second[:, :6], atol=1e-6)
    assert not torch.allclose(first[:, 5], third[:, 5], atol=1e-4)


def test_a_forecast_of_three_steps_reads_the_three_actions_that_lead_there():
    torch.manual_seed(0)
    layer = Forecast(8, [2], 3, 3).eval()
    vectors, done = torch.randn(4, STEPS, 8), torch.randint(0, 2, (4, STEPS, 1))
    with torch.no_grad():
        plain = layer(vectors, done)
        for later in range(5):
            other = done.clone()
            other[:, 4 + later] = 1 - done[:, 4 + later]
            same = torch.allclose(plain[:, 4], layer(vectors, other)[:, 4], atol=1e-6)
            assert same == (later >= 3), later


def test_steps_that_are_not_known_have_no_code_and_are_seen_by_no_other():
    encoder, x = made(), walks()
    mask = torch.ones(6, 2, STEPS, dtype=torch.bool)
    mask[:, :, 9:] = False
    mask[0, :, 3:5] = False
    hidden = torch.where(mask, x, torch.full_like(x, 1e6))
    found, other = codes(encoder, x, mask), codes(encoder, hidden, mask)
    assert torch.equal(found, other)
    # Not even that there is a step of which nothing is known is seen by those behind it.
    vectors = torch.randn(6, STEPS, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = encoder.transformer(vectors, mask[:, 0])
        vectors[~mask[:, 0]] = -2 * vectors[~mask[:, 0]]
        changed = (encoder.transformer(vectors, mask[:, 0]) - plain).abs().amax(-1)
    assert changed[mask[:, 0]].max() < 1e-6 < 1e-3 < changed[~mask[:, 0]].min()
    assert (found[..., 0] == -1).eq(~mask[:, 0]).all()
    # A walk that is shorter has the codes of the same walk in full, up to its end.
    assert torch.equal(found[1:, :9], codes(encoder, x)[1:, :9])


def test_what_is_forecast_behind_the_end_is_that_of_the_last_known_step():
    encoder, x = made(hands_on="forecasts"), walks()
    mask = torch.ones(6, 2, STEPS, dtype=torch.bool)
    mask[:, :, 9:] = False
    mask[5] = False
    with torch.no_grad():
        said = encoder.forecasts(Batch({"walk": x}))["colour"]
        found = encoder(Batch({"walk": x}, {"walk": mask})).values
    assert encoder.names == (
        "colour behind the end: red",
        "colour behind the end: green",
        "colour behind the end: blue",
    )
    assert torch.allclose(found[:5], said[:5, 8], atol=1e-5)
    assert not found[5].any()


def test_shares_of_steps_are_those_of_the_tokens_codes():
    encoder, x = made(bottlenecks=2), walks()
    with torch.no_grad():
        found = encoder(Batch({"walk": x}))
    assert list(found.tokens) == ["1", "2"]
    for at, one in enumerate(found.tokens.values()):
        assert one.regions[4] == Steps(("colour", "move"), 4, 5)
        counted = torch.stack([torch.bincount(row, minlength=8) for row in one.codes]) / STEPS
        assert torch.allclose(found.values[:, 8 * at : 8 * at + 8], counted)
    assert found.names[9] == "share of steps in code 1 of bottleneck 2"


def test_all_that_is_forecast_passes_through_the_codes():
    encoder, x = made(codes=2, restart_steps=0), walks()
    with torch.no_grad():
        found = encoder(Batch({"walk": x})).tokens[""]
        said = encoder.forecasts(Batch({"walk": x}))["colour"]
    done = x[:, 1].long()
    pairs = (2 * found.codes + done).flatten()
    rows = said.flatten(0, 1)
    for pair in pairs.unique():
        own = rows[pairs == pair]
        assert torch.allclose(own, own[:1].expand_as(own), atol=1e-6)


def ring(rooms, looks, samples, length, seed):
    rng = np.random.default_rng(seed)
    moves = rng.integers(0, 2, (samples, length))
    at = (rng.integers(0, rooms, (samples, 1)) + np.cumsum(2 * moves - 1, 1) - (2 * moves - 1)) % rooms
    return torch.from_numpy(np.stack([looks[at], moves], 1)).float(), at


def test_it_learns_where_it_is_on_a_ring_where_rooms_look_alike():
    looks = np.array([0, 1, 0, 0, 1, 2])
    x, at = ring(6, looks, 200, STEPS, 0)
    encoder = made(codes=16, width=32, restart_share=0.005, restart_steps=25)
    encoder.prepare([Batch({"walk": x})])
    encoder.train()
    optimizer = torch.optim.Adam(encoder.parameters(), 3e-3)
    rng = np.random.default_rng(0)
    for _ in range(250):
        optimizer.zero_grad()
        encoder.loss(Batch({"walk": x[rng.integers(0, len(x), 32)]})).backward()
        optimizer.step()
        encoder.settle()
    encoder.eval()
    unseen, at = ring(6, looks, 200, STEPS, 1)
    with torch.no_grad():
        said = encoder.forecasts(Batch({"walk": unseen}))["colour"].argmax(-1).numpy()
    right = (said[:, 6:-1] == unseen[:, 0, 7:].numpy()).mean()
    usual = max((unseen[:, 0, 7:].numpy() == look).mean() for look in range(3))
    found = codes(encoder, unseen)[..., 0].numpy()[:, 6:]
    table = np.zeros((16, 6))
    np.add.at(table, (found.ravel(), at[:, 6:].ravel()), 1)
    pure = table.max(1).sum() / table.sum()
    # Measured 0.976 and 0.957. What is commonest is next in 0.505 of all cases, and of steps with one look half are at one place.
    assert right > 0.9 > usual + 0.3
    assert pure > 0.85


def test_levels_that_do_not_exist_are_refused_where_data_are_opened_and_before_anything_is_learnt():
    import pandas as pd

    from pellucid.data.spec import DataSpec

    x = walks().numpy()
    x[2, 0, 5] = 3
    frame = pd.DataFrame({"walk": list("abcdef"), "length": 1.0}, index=[f"walk {at}" for at in range(6)])
    spec = DataSpec(
        name="walks",
        namespace="walks",
        inputs={"walk": SPEC},
        targets={"length": Regression(names=("length",), units=("1",))},
        groups=("walk",),
    )
    with pytest.raises(DataError, match="'walk 2' has 'colour' = 3 at step 5, which is none of its levels 0 to 2"):
        ArrayDataset(spec, frame, {"walk": x})
    with pytest.raises(DataError, match="'colour' at step 5 that is none of its levels"):
        made().prepare([Batch({"walk": torch.from_numpy(x)})])
    x[2, 0, 5] = 0.5
    with pytest.raises(DataError, match=r"'colour' = 0\.5"):
        ArrayDataset(spec, frame, {"walk": x})
    mask = np.ones(x.shape, bool)
    mask[2, 0, 5] = False
    assert len(collate(ArrayDataset(spec, frame, {"walk": x}, {"walk": mask}), [0, 2])) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": {"move": ("back", "on")}}, "'colour' of input 'walk' have none"),
        ({"actions": ("colour", "move")}, "nothing to forecast"),
    ],
)
def test_a_trajectory_without_symbols_is_refused(change, said):
    with pytest.raises(StudyError, match=said):
        made(SPEC.model_copy(update=change))


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(StudyError, match="give a multiple of both"):
        made(width=9)
    with pytest.raises(StudyError, match="ahead = 12 needs samples of more than 12 steps"):
        made(ahead=STEPS)


def test_samples_begin_later_while_it_learns_so_that_the_last_step_is_learnt_from_too():
    """Nothing comes behind the last step: without this no forecast from its place would ever be learnt."""
    torch.manual_seed(0)
    encoder = made(dropout=0.0)
    layer, vectors = encoder.transformer, torch.zeros(400, STEPS, 8)
    begins = []
    with torch.no_grad():
        layer.train()
        drawn = layer._placed(vectors)
        layer.eval()
        assert torch.equal(layer._placed(vectors), layer.places[:STEPS])
    for one in drawn:
        where = (layer.places == one[0]).all(1).nonzero()[0]
        assert torch.equal(one, layer.places[where : where + STEPS])
        begins.append(int(where))
    # As often by each number of steps, up to that of the steps ahead.
    assert sorted(set(begins)) == [0, 1, 2, 3]
    assert len(layer.places) == STEPS + 3
    assert min(np.bincount(begins)) > 60


def test_waves_are_those_of_the_paper():
    from pellucid.encoders.vq_bottleneck.network import waves

    found = waves(5, 7)
    for step in range(5):
        for at in range(7):
            angle = step / 10_000 ** (2 * (at // 2) / 7)
            assert found[step, at].item() == pytest.approx(np.cos(angle) if at % 2 else np.sin(angle), abs=1e-5)
