"""The almost-linear network: its pass over samples, its regions and cycles, free runs that never leave the numbers."""

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Signal, Trajectory, Vector
from pellucid.encoders.abilities import RunsFree
from pellucid.encoders.alrnn.encoder import AlRnn
from pellucid.encoders.alrnn.pieces import Pieces, pattern_names
from pellucid.encoders.alrnn.settings import AlRnnConfig
from pellucid.encoders.free_running import run_on
from pellucid.encoders.identity import Identity
from pellucid.errors import DataError, StudyError
from pellucid.regions import Steps, TimeSpan
from pellucid.seeds import seed_of

STEPS = 12
PATH = Trajectory(names=("x", "y"), length=STEPS, dt_s=0.5, units=("m", "m/s"))
WAVES = Signal(channels=("x", "y"), length=STEPS, rate_hz=2.0, units="uV")


def made(spec=PATH, seed=0, stirred=0.3, **options):
    torch.manual_seed(seed)
    encoder = AlRnn(AlRnnConfig(inputs={"path": spec}, **{"latent": 5, "rectified": 2, **options}))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(stirred * torch.randn_like(parameter))
    return encoder.eval()


def drawn(samples=6, seed=0):
    torch.manual_seed(seed_of("drawn", seed))
    return torch.randn(samples, 2, STEPS)


def by_hand(encoder, x, every):
    """The pass over one standardised sample, shape (step, channel), written out with numpy."""
    a, w, h, begin = (
        one.detach().double().numpy() for one in (encoder.diagonal, encoder.weight, encoder.bias, encoder.begin)
    )
    x = x.double().numpy()
    z = np.concatenate([x[0], begin @ x[0]])
    forecasts, states = [z], [z]
    for t in range(1, len(x)):
        passed = z.copy()
        passed[-encoder.config.rectified :] = np.maximum(passed[-encoder.config.rectified :], 0)
        z = a * z + w @ passed + h
        forecasts.append(z)
        if t % every == 0:
            z = np.concatenate([x[t], z[2:]])
        states.append(z)
    return np.array(forecasts), np.array(states)


def test_states_are_those_of_the_formula_with_data_at_each_step():
    encoder, x = made(), drawn()
    states = encoder.states(Batch({"path": x})).detach()
    for sample, found in zip(x, states, strict=True):
        assert found.numpy() == pytest.approx(by_hand(encoder, sample.T, 1)[1], rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("every", [1, 4, 50])
def test_the_loss_is_the_error_of_forecasts_between_steps_that_are_shown(every):
    encoder, x = made(forcing_steps=every), drawn()
    errors = [((by_hand(encoder, one.T, every)[0][1:, :2] - one.T.numpy()[1:]) ** 2).mean() for one in x]
    assert encoder.loss(Batch({"path": x})).item() == pytest.approx(np.mean(errors), rel=1e-4)


def test_noise_is_added_while_it_learns_alone():
    encoder, batch = made(noise=0.5), Batch({"path": drawn()})
    quiet = encoder.loss(batch).item()
    assert encoder.loss(batch).item() == quiet
    assert encoder.train().loss(batch).item() != pytest.approx(quiet, rel=1e-3)


def test_values_are_shares_of_regions_and_the_last_state_and_tokens_say_which():
    encoder, batch = made(), Batch({"path": drawn()})
    found = encoder(batch)
    states = encoder.states(batch)
    tokens = found.tokens[""]
    signs = (states[..., 3:] > 0).int()
    assert torch.equal(tokens.codes, 2 * signs[..., 0] + signs[..., 1])
    assert encoder.code_names == ("--", "-+", "+-", "++") == tuple(pattern_names(2))
    assert found.names[:4] == tuple(f"share of steps in {one}" for one in encoder.code_names)
    assert found.names[4:] == ("x at the end", "y at the end", *(f"latent {at} at the end" for at in (1, 2, 3)))
    for code in range(4):
        assert torch.allclose(found.values[:, code], (tokens.codes == code).float().mean(1))
    assert torch.equal(found.values[:, 4:], states[:, -1])
    assert len(torch.unique(tokens.codes)) > 1


def test_a_token_lies_in_its_step():
    assert made().eval()(Batch({"path": drawn()})).tokens[""].regions[3] == Steps(("x", "y"), 3, 4)
    assert made(WAVES)(Batch({"path": drawn()})).tokens[""].regions[3] == TimeSpan(("x", "y"), 1.5, 2.0)


def test_what_is_masked_is_what_the_model_expects_and_has_no_code():
    encoder, x = made(), drawn()
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, :, 4:7] = False
    batch = Batch({"path": torch.where(mask, x, torch.full_like(x, 99.0))}, {"path": mask})
    tokens = encoder(batch).tokens[""]
    assert (tokens.codes[:, 4:7] == -1).all()
    assert (tokens.codes[:, [3, 7]] >= 0).all()
    gone_on = encoder.free_run(tokens.values[:, 3], 3)
    assert torch.allclose(tokens.values[:, 4:7], gone_on.states, atol=1e-5)
    # Errors where nothing is known cost nothing.
    errors = []
    for one in torch.where(mask, x, torch.zeros(())):
        forecasts = by_hand(encoder, one.T, 50)[0][1:, :2]
        errors.append(((forecasts - one.T.numpy()[1:]) ** 2)[mask[0].T[1:]].mean())
    free = made(forcing_steps=50)
    assert free.loss(batch).item() == pytest.approx(np.mean(errors), rel=1e-4)


def test_channels_are_standardised_by_training_samples_and_free_runs_are_in_their_units():
    encoder, x = made(), 10 * drawn(40) + 100
    encoder.prepare([Batch({"path": x[:20]}), Batch({"path": x[20:]})])
    flat = x.transpose(0, 1).flatten(1)
    assert torch.allclose(encoder.mean, flat.mean(1), atol=1e-3)
    assert torch.allclose(encoder.deviation, flat.std(1, correction=0), atol=1e-3)
    run = encoder.free_run(encoder.states(Batch({"path": x[:3]}))[:, -1], 4)
    assert torch.allclose(run.values, run.states[..., :2] * encoder.deviation + encoder.mean)
    dead = torch.zeros_like(x, dtype=torch.bool)
    dead[:, 0] = True
    with pytest.raises(DataError, match="a channel is known in no training sample"):
        made().prepare([Batch({"path": x}, {"path": dead})])


def test_a_free_run_applies_the_map_and_codes_are_of_its_states():
    encoder = made(stirred=0.1)
    start = torch.randn(7, 5)
    run = encoder.free_run(start, 6)
    z = start
    for at in range(6):
        z = encoder.step(z).detach()
        assert torch.allclose(run.states[:, at], z, atol=1e-6)
    assert torch.equal(run.codes, encoder.region_of(run.states))
    assert run.lasted.tolist() == [6] * 7
    assert not run.diverged.any()


def test_a_run_that_leaves_all_bounds_says_when_and_stays_a_number():
    encoder = made(latent=2, rectified=0, stirred=0.0)
    with torch.no_grad():
        encoder.diagonal.fill_(10.0)
        encoder.weight.zero_()
    run = encoder.free_run(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), 2000)
    # 2 * 10^5 is within a million standard deviations, 2 * 10^6 is not.
    assert run.lasted.tolist() == [5, 2000]
    assert run.diverged.tolist() == [True, False]
    assert torch.isfinite(run.values).all()
    assert run.states[0, 5:, 0].unique().tolist() == [2e5]
    # One that has run away does not drag along those beside it, and comes back as what it was.
    states, lasted = run_on(lambda z: z / 0, torch.tensor([[1.0], [2.0]]), 3)
    assert states.flatten().tolist() == [1.0] * 3 + [2.0] * 3
    assert lasted.tolist() == [0, 0]


@torch.no_grad()
def test_regions_hold_jacobians_fixed_points_and_visits():
    encoder = made()
    states = encoder.states(Batch({"path": drawn(30)}))
    table = encoder.regions(states)
    assert list(table.index) == ["--", "-+", "+-", "++"]
    assert table["share"].sum() == pytest.approx(1)
    for signs, row in table.iterrows():
        inside = torch.zeros(5, dtype=torch.float64)
        inside[3:] = torch.tensor([1.0 if one == "+" else -1.0 for one in signs])
        assert encoder.region_of(inside) == row["code"]
        slope = torch.autograd.functional.jacobian(encoder.double().step, inside)
        assert encoder.jacobians(inside) == pytest.approx(slope.numpy(), abs=1e-12)
        expected = np.linalg.eigvals(slope.numpy())
        assert np.sort_complex(row["eigenvalues"]) == pytest.approx(np.sort_complex(expected), abs=1e-9)
        point = torch.from_numpy(row["fixed_point"])
        assert row["real"] == (int(encoder.region_of(point)) == row["code"])
        back = encoder.step(point)
        if row["real"]:
            assert back.numpy() == pytest.approx(point.numpy(), abs=1e-6)
        else:
            assert np.abs(back.numpy() - point.numpy()).max() > 1e-3
    assert table["real"].nunique() == 2, "the drawn weights should have a real and a virtual point"
    assert encoder.regions()["share"].isna().all()


def test_a_tent_has_the_points_and_the_cycle_that_are_known():
    # z' = 1 - 1.5 |z|: slopes 1.5 on the left and -1.5 on the right.
    tent = Pieces(np.array([1.5]), np.array([[-3.0]]), np.array([1.0]), 1)
    assert tent.jacobian(0).tolist() == [[1.5]]
    assert tent.jacobian(1).tolist() == [[-1.5]]
    left, right = tent.fixed_point(0), tent.fixed_point(1)
    assert (left.states.tolist(), left.real) == ([[-2.0]], True)
    assert (right.states[0, 0], right.real) == (pytest.approx(0.4), True)
    # z1 = 1 - 1.5 z0, z0 = 1 + 1.5 z1 with z0 on and z1 off.
    two = tent.cycle([1, 0])
    assert two.states[:, 0] == pytest.approx([2.5 / 3.25, 1 - 1.5 * 2.5 / 3.25])
    assert two.real
    assert not tent.cycle([0, 0, 1, 1, 0, 0]).real
    # Shifted up, what lies on the left is gone.
    assert not Pieces(np.array([0.5]), np.array([[-1.0]]), np.array([1.0]), 1).fixed_point(0).real
    flat = Pieces(np.array([1.0]), np.array([[0.0]]), np.array([1.0]), 0).fixed_point(0)
    assert np.isnan(flat.states).all()
    assert not flat.real


def test_it_can_run_freely_and_others_can_not():
    assert isinstance(made(), RunsFree)
    assert not isinstance(Identity(Identity.config_type(inputs={"x": Vector(names=("a",))})), RunsFree)


def test_states_too_few_are_refused():
    with pytest.raises(StudyError, match=r"latent = 1 is too few for 2 channels.*set latent = 4"):
        made(latent=1)
    with pytest.raises(StudyError, match="reads signal or trajectory"):
        AlRnn(AlRnnConfig(inputs={"x": Vector(names=("a",))}))
    assert made(latent=None).size == 20
    wide = Signal(channels=tuple(map(str, range(64))), length=8, rate_hz=100.0, units="uV")
    assert made(wide, latent=None).size == 128


def test_a_map_that_is_no_number_has_no_pieces_and_cycles_go_through_regions():
    broken = made()
    with torch.no_grad():
        broken.weight[0, 0] = torch.nan
    for asked in (broken.regions, lambda: broken.jacobians(torch.zeros(1, broken.size))):
        with pytest.raises(DataError, match="1 weights of the map are NaN or infinite"):
            asked()
    pieces = made().pieces
    for numbers in ([], [-1], [2**pieces.rectified]):
        with pytest.raises(DataError, match="a cycle goes through regions 0 to"):
            pieces.cycle(numbers)
    # Two steps of it are beyond all numbers.
    steep = Pieces(np.array([1e300]), np.array([[0.0]]), np.array([1.0]), 0)
    assert np.isnan(steep.cycle([0, 0]).states).all()


def test_a_free_run_starts_at_states_that_are_numbers():
    encoder = made()
    good = torch.zeros(1, encoder.size)
    for start, steps, message in (
        (good, -1, "-1 steps"),
        (good[:, 1:], 3, f"states of {encoder.size} units"),
        (good + torch.nan, 3, "1 of 1 free runs start at NaN"),
    ):
        with pytest.raises(DataError, match=message):
            encoder.free_run(start, steps)
    with pytest.raises(DataError, match=f"{encoder.channels} channels"):
        encoder.start(torch.zeros(1, encoder.channels + 1))
