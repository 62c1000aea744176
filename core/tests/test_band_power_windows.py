"""Power in bands over windows: that of scipy, named, blind to phase and to what is masked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.signal import butter, sosfiltfilt

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.signals.band_power import BandPower, BandPowerConfig
from pellucid.encoders.signals.window_means import WindowMeans, WindowMeansConfig
from pellucid.errors import StudyError
from pellucid.signals.bands import Bands

BANDS = {"alpha": (8.0, 13.0), "beta": (13.0, 30.0)}
SPEC = Signal(channels=("a", "b"), length=128, rate_hz=128, units="uV")


def made(spec: Signal = SPEC, **options) -> BandPower:
    asked = {"bands_hz": BANDS, "window_s": 0.25, "method": "butterworth", **options}
    return BandPower(BandPowerConfig(inputs={"x": spec}, **asked))


def noise(samples: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 5, (samples, 2, 128)).astype(np.float32))


def test_a_band_is_what_scipy_lets_through_forwards_and_backwards():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 2, 512)).astype(np.float32))
    found = Bands(tuple(BANDS.values()), 512, 128)(x).numpy()
    for mine, band in zip(found, BANDS.values(), strict=True):
        expected = sosfiltfilt(butter(4, band, "bandpass", fs=128, output="sos"), x.numpy(), padtype="odd", padlen=127)
        # The one has infinitely long responses that wrap around, the other initial states: both touch the ends alone.
        assert np.abs(mine - expected)[..., 128:-128].max() < 1e-3 * expected.std()
        assert np.abs(mine - expected).max() < 0.3 * expected.std()


def test_each_unit_is_the_log_power_of_its_channel_in_its_band_over_its_window():
    x = noise() + 40
    encoder = made()
    found = dict(zip(encoder.names, encoder(Batch({"x": x})).values.T.numpy(), strict=True))
    assert len(found) == 16
    for at, channel in enumerate("ab"):
        for name, band in BANDS.items():
            passed = sosfiltfilt(butter(4, band, "bandpass", fs=128, output="sos"), x.numpy()[:, at], padlen=127)
            for window in (1, 2):
                expected = np.log(np.mean(passed[:, 32 * window : 32 * window + 32] ** 2, axis=1))
                np.testing.assert_allclose(found[f"{channel} {name} {window / 4:.3f} s"], expected, atol=0.01)


def test_a_burst_of_any_phase_is_seen_in_its_channel_band_and_window_and_by_no_mean():
    rng = np.random.default_rng(1)
    time_s = np.arange(128) / 128
    burst = np.exp(-(((time_s - 0.625) / 0.08) ** 2))
    there = np.arange(400) % 2 == 0
    x = rng.normal(0, 1, (400, 2, 128))
    x[there, 1] += 2 * burst * np.sin(2 * np.pi * 10 * time_s + rng.uniform(0, 2 * np.pi, (200, 1)))
    batch = Batch({"x": torch.from_numpy(x).float()})

    def effect(encoder) -> np.ndarray:
        values = encoder(batch).values.numpy()
        return (values[there].mean(0) - values[~there].mean(0)) / values.std(0)

    powers = made()
    seen = effect(powers)
    assert powers.names[int(seen.argmax())] == "b alpha 0.500 s"
    assert seen.max() > 1
    means = WindowMeans(WindowMeansConfig(inputs={"x": SPEC}, window_s=1 / 32))
    assert np.abs(effect(means)).max() < 0.4


@pytest.mark.parametrize("level", [0.0, 3.3, -1e4])
def test_a_flat_channel_says_what_is_usual_of_it(level):
    encoder = made()
    encoder.prepare([Batch({"x": noise(6, 1)}), Batch({"x": noise(3, 2)})])
    both = encoder(Batch({"x": torch.cat([noise(6, 1), noise(3, 2)])})).values
    np.testing.assert_allclose(encoder.usual, both.mean(0), rtol=1e-5)
    x = noise(1, 3)
    x[:, 1] = level
    found = encoder(Batch({"x": x})).values[0]
    assert torch.equal(found[8:], encoder.usual[8:])
    assert not torch.isclose(found[:8], encoder.usual[:8]).any()


def test_a_flat_channel_of_a_training_sample_does_not_move_what_is_usual():
    x = noise(4, 1)
    alone, beside = made(), made()
    alone.prepare([Batch({"x": x})])
    beside.prepare([Batch({"x": torch.cat([x, torch.zeros(3, 2, 128)])})])
    assert torch.equal(alone.usual, beside.usual)


def test_what_is_masked_is_neither_a_step_nor_a_part_of_a_window():
    x = noise(5, 4) + 500
    known = torch.ones_like(x, dtype=torch.bool)
    known[:, 0, 96:] = False
    encoder = made()
    encoder.prepare([Batch({"x": noise(9, 5)})])
    whole = encoder(Batch({"x": x})).values
    hidden = encoder(Batch({"x": torch.where(known, x, 1e6)}, {"x": known})).values
    # Two windows away from the edge the filters have forgotten it; the hidden one says what is usual.
    names = [encoder.names.index(f"a {band} 0.250 s") for band in BANDS]
    np.testing.assert_allclose(hidden[:, names], whole[:, names], atol=0.1)
    gone = [encoder.names.index(f"a {band} 0.750 s") for band in BANDS]
    assert torch.equal(hidden[:, gone], encoder.usual[gone].expand(5, -1))
    assert torch.equal(hidden[:, 8:], whole[:, 8:])


def test_bands_and_windows_that_a_signal_cannot_hold_are_refused():
    with pytest.raises(StudyError, match=r"20 to 64 Hz \(fast\), but signals of 128 samples a second end at 64 Hz"):
        made(bands_hz={"fast": (20.0, 64.0)})
    with pytest.raises(StudyError, match="'band-power': windows of 2 s are longer than the signal of 1 s"):
        made(window_s=2.0)
    with pytest.raises(ValidationError, match=r"bands_hz: alpha = "):
        made(bands_hz={"alpha": (13.0, 8.0)})
