"""Power in bands: as scipy has it, in the right channel and band, and of what is known alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.signal import welch

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.signals.band_power import BandPower, BandPowerConfig
from pellucid.errors import StudyError

RATE_HZ = 128.0
BANDS = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0))


def made(length: int = 512, **options) -> BandPower:
    spec = Signal(channels=("C3", "Cz", "C4"), length=length, rate_hz=RATE_HZ, units="uV")
    return BandPower(BandPowerConfig(inputs={"eeg": spec}, **{"bands_hz": BANDS, **options}))


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(3, 10, (6, 3, 512)).cumsum(-1).astype(np.float32) / 10)


def batch(x, known=None) -> Batch:
    return Batch({"eeg": x}, {} if known is None else {"eeg": known})


@pytest.mark.parametrize("length", [512, 511])
@pytest.mark.parametrize("stretch_s", [None, 1.0, 0.7])
def test_powers_are_those_of_scipy(x, stretch_s, length):
    encoder = made(length, stretch_s=stretch_s, bands_hz=((2.0, 8.0), (8.0, 13.0), (13.0, 64.0)))
    hz, density = welch(x[..., :length].double().numpy(), RATE_HZ, nperseg=encoder.spectrum.length)
    found, there = encoder.powers(x[..., :length])
    assert there.all()
    for at, (low, high) in enumerate(encoder.bands_hz.values()):
        among = (hz >= low) & (hz < high)
        np.testing.assert_allclose(found[..., at, 0], density[..., among].sum(-1) * (hz[1] - hz[0]), rtol=1e-3)


def test_a_wave_has_the_square_of_its_root_mean_square_in_its_channel_and_band():
    time_s = torch.arange(512) / RATE_HZ
    x = torch.zeros(1, 3, 512)
    x[0, 2] = 5 * torch.sin(2 * torch.pi * 10 * time_s)
    found, _ = made().powers(x)
    assert found[0, 2, 2, 0] == pytest.approx(12.5, rel=1e-3)
    found[0, 2, 2, 0] = 0
    assert found.max() < 1e-3


def test_units_are_logarithms_called_after_channel_and_band_or_its_name(x):
    encoder = made()
    assert encoder.names[:5] == ("C3 1-4 Hz", "C3 4-8 Hz", "C3 8-13 Hz", "C3 13-30 Hz", "Cz 1-4 Hz")
    values = encoder(batch(x)).values.reshape(6, 3, 4)
    np.testing.assert_allclose(values, encoder.powers(x)[0][..., 0].log(), rtol=1e-6)
    named = made(bands_hz={"slow": BANDS[0], "alpha": BANDS[2]})
    assert named.names[:3] == ("C3 slow", "C3 alpha", "Cz slow")
    np.testing.assert_allclose(named(batch(x)).values.reshape(6, 3, 2), values[..., [0, 2]], atol=1e-5)


def test_each_window_has_the_spectrum_of_its_own(x):
    encoder = made(window_s=1.0, bands_hz={"slow": (1.0, 4.0), "alpha": (8.0, 13.0)})
    assert encoder.names[:5] == (
        "C3 slow 0.000 s",
        "C3 slow 1.000 s",
        "C3 slow 2.000 s",
        "C3 slow 3.000 s",
        "C3 alpha 0.000 s",
    )
    found = encoder.powers(x)[0]
    for at in range(4):
        alone = made(length=128, bands_hz=((1.0, 4.0), (8.0, 13.0)))
        np.testing.assert_allclose(
            found[..., at], alone.powers(x[..., 128 * at : 128 * at + 128])[0][..., 0], rtol=1e-4
        )


def test_the_size_of_a_signal_in_other_units_moves_all_logarithms_alike(x):
    volts, microvolts = made()(batch(x * 1e-6)).values, made()(batch(x)).values
    np.testing.assert_allclose(volts, microvolts - 12 * np.log(10), atol=1e-3)


def test_bands_that_nobody_asks_for_are_octaves():
    assert tuple(made(bands_hz=()).bands_hz.values()) == (
        (2.0, 4.0),
        (4.0, 8.0),
        (8.0, 16.0),
        (16.0, 32.0),
        (32.0, 64.0),
    )


def test_shares_do_not_change_with_what_a_channel_or_a_recording_is_multiplied_by(x):
    channel, every, plain = made(relative="channel"), made(relative="all"), made()
    louder = x * torch.tensor([1.0, 3.0, 0.2])[:, None]
    np.testing.assert_allclose(channel(batch(louder)).values, channel(batch(x)).values, atol=1e-4)
    np.testing.assert_allclose(every(batch(4 * x)).values, every(batch(x)).values, atol=1e-4)
    assert (every(batch(louder)).values - every(batch(x)).values).abs().max() > 0.1
    assert (plain(batch(4 * x)).values - plain(batch(x)).values).abs().min() > 1


def test_stretches_with_gaps_are_left_out_and_a_channel_without_any_says_what_is_usual(x):
    encoder = made(stretch_s=1.0)
    encoder.prepare([batch(x)])
    known = torch.ones_like(x, dtype=torch.bool)
    known[0, 0, 100], known[1, 1] = False, False
    spoilt = torch.where(known, x, torch.full_like(x, 1e6))
    values = encoder(batch(spoilt, known)).values.reshape(6, 3, 4)
    np.testing.assert_array_equal(values[1, 1], encoder.usual.reshape(3, 4)[1])
    np.testing.assert_allclose(encoder.usual, encoder(batch(x)).values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(values[2:], encoder(batch(x)).values.reshape(6, 3, 4)[2:], atol=1e-6)
    # What is left of the first are the stretches from 128 on.
    rest = made(length=384, stretch_s=1.0)
    np.testing.assert_allclose(encoder.powers(spoilt, known)[0][0, 0], rest.powers(x[:, :, 128:])[0][0, 0], rtol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bands_hz": ((8.05, 8.1),)}, "nothing lies between 8.05 and 8.1 Hz"),
        ({"bands_hz": ((60.0, 70.0),)}, "between 60 and 70 Hz"),
        ({"stretch_s": 1.0, "window_s": 0.5}, "1 s is no stretch of a window of 0.5 s"),
        ({"stretch_s": 5.0}, "5 s is no stretch of a window of 4 s"),
    ],
)
def test_bands_and_windows_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(StudyError, match=message):
        made(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bands_hz": ((13.0, 8.0),)}, "a band is from a frequency to a higher one"),
        ({"bands_hz": ((8.0, 13.0), (8.0, 13.0))}, "a band is there twice"),
        ({"method": "butterworth", "stretch_s": 1.0}, 'stretch_s is for method = "welch" alone'),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        made(**wrong)
