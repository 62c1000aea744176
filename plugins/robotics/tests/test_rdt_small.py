"""The diffusion transformer on the unified space: what it refuses, and what its mask and its places do."""

import pytest
import torch

from pellucid.batch import collate
from pellucid.data.spec import Regression
from pellucid.errors import ContractError, StudyError
from pellucid.representation import Representation
from pellucid_robotics.actions.diffusion_transformer import RdtSmall, RdtSmallConfig

UNITS = ("state:right_arm_joint_0", "mask:right_arm_joint_0", "mask:right_eef_x", "rate:rate_hz", "goal:x", "goal:y")
CHUNK = tuple(f"{slot} at step {at + 1}" for at in range(3) for slot in ("right_arm_joint_0", "right_eef_x"))


def head(units=UNITS, names=CHUNK, **options):
    torch.manual_seed(0)
    target = Regression(names=names, units=("rad",) * len(names))
    return RdtSmall(RdtSmallConfig(units=units, target=target, width=16, depth=1, **options)).eval()


def z(values):
    return Representation(torch.tensor(values, dtype=torch.float32), UNITS)


def test_a_target_or_a_state_outside_the_space_is_refused_with_the_nearest_slot():
    with pytest.raises(StudyError, match="is no slot at a step"):
        head(names=("reward",))
    with pytest.raises(StudyError, match="did you mean 'right_eef_x'"):
        head(names=("right_eefx at step 1",))
    with pytest.raises(ContractError, match="did you mean 'right_arm_joint_0'"):
        head(units=("state:right_arm_joint0", *UNITS[1:]))


def test_an_encoder_that_is_missing_is_named():
    with pytest.raises(StudyError, match="reads units of an encoder 'rate', and there is none"):
        head(units=(*UNITS[:3], *UNITS[4:]))


@torch.no_grad()
def test_masked_slots_are_exactly_0_and_others_are_not():
    model = head()
    said = model(z([[0.3, 1, 0, 10, 0.1, 0.2], [0.3, 1, 1, 10, 0.1, 0.2]])).reshape(2, 3, 2)
    assert said[0, :, 1].abs().max() == 0
    assert said[1, :, 1].abs().min() > 0
    # Untold whether a slot is there, 0 could be a place: the mask is read.
    assert (said[0, :, 0] - said[1, :, 0]).abs().max() > 1e-5


@torch.no_grad()
def test_the_rate_and_the_conditions_are_heard():
    model = head()
    base = [0.3, 1, 1, 10, 0.1, 0.2]
    said = model(z([base, [*base[:3], 50, *base[4:]], [*base[:5], 0.9]]))
    assert (said[0] - said[1]).abs().max() > 1e-5
    assert (said[0] - said[2]).abs().max() > 1e-5


@torch.no_grad()
def test_steps_of_a_chunk_differ_before_anything_is_learnt():
    said = head()(z([[0.3, 1, 1, 10, 0.1, 0.2]])).reshape(3, 2)
    assert said.std(0).min() > 1e-3


def test_the_published_loss_is_over_all_slots_and_the_other_over_those_there_are():
    data = RdtSmall.example_data()
    batch = collate(data, range(len(data)), "chunk")
    names = tuple(f"{name}:{unit}" for name in ("state", "mask", "rate") for unit in data.spec.input(name).names)
    values = torch.cat([batch.inputs[name] for name in ("state", "mask", "rate")], 1)
    shown = Representation(values, names)
    losses = {}
    for mask_loss in (False, True):
        torch.manual_seed(0)
        config = RdtSmallConfig(units=names, target=data.spec.target("chunk"), width=16, depth=1, mask_loss=mask_loss)
        model = RdtSmall(config).eval()
        # A network that says 0 everywhere misses what there is, over all 128 slots or over those of the mask.
        torch.nn.init.zeros_(model.last[-1].weight)
        torch.nn.init.zeros_(model.last[-1].bias)
        losses[mask_loss] = model.loss(shown, batch).item()
    square = batch.targets.square().sum()
    assert losses[False] == pytest.approx(float(square / (len(data) * 3 * 128)), rel=1e-4)
    assert losses[True] == pytest.approx(float(square / (batch.inputs["mask"].sum() * 3)), rel=1e-4)
