"""NodePaths: states and actions over steps, read by what reads channels over time."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pellucid.batch import collate
from pellucid.data.spec import Signal, Trajectory, Vector
from pellucid.encoders.cnn import Cnn, CnnConfig
from pellucid.encoders.signals.band_power import BandPower, BandPowerConfig
from pellucid.encoders.signals.resnet1d import ResNet1d, ResNet1dConfig
from pellucid.encoders.signals.window_means import WindowMeans, WindowMeansConfig
from pellucid.encoders.signals.xresnet1d import XResNet1d, XResNet1dConfig
from pellucid.errors import StudyError
from pellucid.regions import Steps, TimeSpan
from pellucid.testing.planted import planted

ARM = {"names": ("elbow", "torque"), "actions": ("torque",), "length": 64, "dt_s": 1 / 32, "units": ("rad", "N m")}
PATH = Trajectory(**ARM)
WAVES = Signal(channels=("elbow", "torque"), length=64, rate_hz=32.0, units="1")
SMALL = {
    BandPower: (BandPowerConfig, {"bands_hz": {"slow": (1.0, 4.0)}, "stretch_s": 1.0}),
    WindowMeans: (WindowMeansConfig, {"window_s": 0.25}),
    Cnn: (CnnConfig, {"tokens": True}),
    ResNet1d: (ResNet1dConfig, {"widths": (4, 4, 8, 8), "augment": "none"}),
    XResNet1d: (XResNet1dConfig, {"crop_s": 1.0, "stride_s": 0.5}),
}


def test_names_that_are_no_actions_are_states():
    assert PATH.states == ("elbow",)
    assert (PATH.channels, PATH.shape, PATH.channel_units) == (("elbow", "torque"), (2, 64), ("rad", "N m"))
    assert PATH.rate_hz == 32.0
    assert Trajectory.model_validate_json(PATH.model_dump_json()) == PATH


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"actions": ("push",)}, "'push' are not among the names: elbow, torque"),
        ({"actions": ("torque", "torque")}, "actions must differ"),
        ({"units": ("rad",)}, "2 names but 1 units"),
        ({"names": ("elbow", "elbow"), "actions": ()}, "names must differ"),
        ({"names": ("elbow", " "), "actions": ()}, "name 2 of 2 is empty"),
        ({"dt_s": 0.0}, "greater than 0"),
        ({"dt_s": float("inf")}, "finite number"),
        ({"levels": {"push": ("left", "right")}}, "'push', which is not among the names"),
        ({"levels": {"torque": ("on",)}}, "two or more that differ"),
        ({"levels": {"torque": ("on", "on")}}, "two or more that differ"),
    ],
)
def test_what_cannot_be_a_trajectory_is_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        Trajectory(**ARM | change)


@pytest.mark.parametrize("made", SMALL, ids=lambda one: one.__name__)
def test_an_encoder_reads_a_trajectory_as_it_reads_a_signal_and_points_at_steps(made):
    from pellucid.batch import Batch

    config, options = SMALL[made]
    x = torch.randn(6, 2, 64, generator=torch.Generator().manual_seed(0))
    found = []
    for spec in (PATH, WAVES):
        torch.manual_seed(0)
        encoder = made(config(inputs={"x": spec}, **options))
        encoder.prepare([Batch({"x": x})])
        with torch.no_grad():
            found.append(encoder.eval()(Batch({"x": x})))
    path, waves = found
    assert path.names == waves.names
    torch.testing.assert_close(path.values, waves.values)
    assert set(path.tokens) == set(waves.tokens)
    for name, tokens in path.tokens.items():
        for steps, span in zip(tokens.regions, waves.tokens[name].regions, strict=True):
            assert isinstance(steps, Steps)
            assert isinstance(span, TimeSpan)
            assert steps.variables == span.channels == ("elbow", "torque")
            # Whole steps, outwards.
            assert (steps.start, steps.stop) == (np.floor(span.start_s * 32), np.ceil(span.stop_s * 32))


@pytest.mark.parametrize("made", [BandPower, WindowMeans, ResNet1d, XResNet1d], ids=lambda one: one.__name__)
def test_an_encoder_over_time_refuses_numbers_by_name(made):
    config, _ = SMALL[made]
    with pytest.raises(StudyError, match="input 'x' is of kind 'vector'; this encoder reads signal or trajectory"):
        made(config(inputs={"x": Vector(names=("a",))}))


def test_a_network_moves_signals_and_not_trajectories_while_it_learns_unless_it_is_told_to():
    config = ResNet1dConfig(inputs={"x": WAVES}, widths=(4, 4, 8, 8))
    assert ResNet1d(config).augment == "signals"
    assert ResNet1d(config.model_copy(update={"inputs": {"x": PATH}})).augment == "none"
    with pytest.raises(StudyError, match="changes signals; this input is of kind 'trajectory'"):
        ResNet1d(config.model_copy(update={"inputs": {"x": PATH}, "augment": "signals"}))


def test_planted_trajectories_follow_from_each_other():
    data = planted(("trajectory",), samples=40)
    spec = data.spec.inputs["trajectory"]
    x = collate(data, range(40)).inputs["trajectory"].numpy()
    assert x.shape == (40, 3, spec.length)
    position, speed, push = x.transpose(1, 0, 2)
    # Speed is how the position changes; what pushes is against the position.
    change = np.diff(position, axis=1) / spec.dt_s
    middle = (speed[:, 1:] + speed[:, :-1]) / 2
    assert np.corrcoef(change.ravel(), middle.ravel())[0, 1] > 0.95
    assert np.corrcoef(position.ravel(), push.ravel())[0, 1] < -0.6
