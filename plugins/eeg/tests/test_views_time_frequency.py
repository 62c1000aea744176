"""Power over time and frequency: beside mne's, planted bursts, decibels that are known, axes with units."""

from __future__ import annotations

import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest
import torch

from pellucid import plugins
from pellucid.batch import collate
from pellucid.data.spec import Signal
from pellucid.ngrams import NGrams
from pellucid.protocols.codes.selected import Coded, Vocabulary
from pellucid.protocols.codes.stretches import mean_stretches
from pellucid.regions import FrequencyBand, TimeSpan
from pellucid.views import Marked, Shown
from pellucid.views.stretches import MeanStretch, stretches_of
from pellucid_eeg.encoders.eegformer import EegFormer, EegFormerConfig
from pellucid_eeg.synthetic import EegSynthetic, EegSyntheticConfig
from pellucid_eeg.views.butterfly import butterfly
from pellucid_eeg.views.time_frequency import COLUMNS, draw_stretches, power, slice_samples, time_frequency

RATE_HZ, LENGTH = 128.0, 512
SPEC = Signal(channels=("O1", "O2"), length=LENGTH, rate_hz=RATE_HZ, units="uV")


@pytest.fixture
def axes():
    figure, found = plt.subplots(1, 2)
    yield list(found)
    plt.close(figure)


def noise(seed: int = 0) -> np.ndarray:
    return 5 + np.random.default_rng(seed).normal(size=(2, LENGTH))


def burst(hz: float = 10.0, begin_s: float = 1.5, end_s: float = 2.5) -> np.ndarray:
    """Noise, and in the first channel a wave for a while."""
    time_s = np.arange(LENGTH) / RATE_HZ
    found = noise()
    found[0] += 10 * np.cos(2 * np.pi * hz * time_s) * ((time_s >= begin_s) & (time_s < end_s))
    return found


def test_power_is_that_of_mne_in_the_square_of_the_signals_units_per_hz():
    size = slice_samples(SPEC)
    found = power(noise(), SPEC)
    expected, hz = mne.time_frequency.psd_array_welch(
        noise(), RATE_HZ, fmin=1.0, n_fft=2 * size, n_per_seg=size, n_overlap=size - size // COLUMNS, window="hann",
        average=None, verbose="error",
    )  # fmt: skip
    np.testing.assert_allclose(found.levels, hz)
    # At half the sampling rate a one-sided density is not doubled; there the two write it differently.
    np.testing.assert_allclose(found.values[:, :-1], expected[:, :-1], rtol=1e-6)
    np.testing.assert_allclose(found.times_s[[0, -1]], (0.5, 3.5))


@pytest.mark.parametrize(("hz", "middle_s"), [(6.0, 1.25), (20.0, 2.75)])
def test_a_burst_is_found_at_its_time_and_frequency(hz, middle_s):
    found = power(burst(hz, middle_s - 0.25, middle_s + 0.25), SPEC)
    level, column = np.unravel_index(found.values[0].argmax(), found.values[0].shape)
    assert found.levels[level] == pytest.approx(hz, abs=0.5)
    assert found.times_s[column] == pytest.approx(middle_s, abs=0.13)


def test_what_is_not_known_makes_no_power():
    values = noise()
    values[0, 256] = np.nan
    values[1] = np.nan
    found = power(values, SPEC)
    unknown = np.isnan(found.values[0]).all(0)
    np.testing.assert_array_equal(unknown, (found.times_s > 1.5) & (found.times_s <= 2.5))
    assert np.isnan(found.values[1]).all()
    assert np.isfinite(found.values[0][:, ~unknown]).all()


def stretch(gain: float, low_hz: float = 8.0, high_hz: float = 12.0) -> MeanStretch:
    levels, times_s = np.arange(1.0, 64.5, 0.5), np.arange(0.5, 3.6, 0.125)
    usual = 7.0 / levels
    mean = np.tile(usual[:, None], (1, len(times_s)))
    mean[(levels >= low_hz) & (levels <= high_hz), 4:8] *= gain
    return MeanStretch(mean, usual, levels, times_s, FrequencyBand((), low_hz, high_hz), f"times {gain:g}")


def test_means_are_drawn_in_decibels_against_what_is_usual_on_one_scale(axes):
    draw_stretches(axes, [stretch(100.0), stretch(0.1)])
    for ax, expected in zip(axes, (20.0, -10.0), strict=True):
        drawn = np.asarray(ax.images[0].get_array())
        inside = drawn[14:23, 4:8]
        np.testing.assert_allclose(inside, expected)
        drawn[14:23, 4:8] = 0
        np.testing.assert_allclose(drawn, 0, atol=1e-9)
    assert axes[0].images[0].get_clim() == axes[1].images[0].get_clim()
    low, high = axes[0].images[0].get_clim()
    assert low == -high
    # Red is more.
    red, _, blue, _ = axes[0].images[0].cmap(1.0)
    assert red > blue


def test_axes_are_seconds_and_hertz_with_a_bar_of_decibels_and_lines_at_the_band(axes):
    draw_stretches(axes[:1], [stretch(10.0)])
    (ax, _), image = axes, axes[0].images[0]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("time (s)", "frequency (Hz)", "times 10")
    assert image.colorbar.ax.get_ylabel() == "dB"
    assert [line.get_ydata()[0] for line in ax.lines] == [8.0, 12.0]
    np.testing.assert_allclose(image.get_extent(), (0.4375, 3.5625, 0.75, 64.25))
    assert ax.get_ylim()[1] == 40
    draw_stretches(axes[1:], [stretch(10.0, 44.0, 56.0)])
    assert axes[1].get_ylim()[1] == 64


def test_a_stretch_of_time_has_lines_where_it_begins_and_ends(axes):
    one = stretch(2.0)
    moved = MeanStretch(one.mean, one.usual, one.levels, one.times_s - 1.5, TimeSpan((), 0.0, 1.0))
    draw_stretches(axes[:1], [moved])
    assert [line.get_xdata()[0] for line in axes[0].lines] == [0.0, 1.0]


def test_noise_alone_is_pale(axes):
    draw_stretches(axes[:1], [stretch(1.01)])
    assert axes[0].images[0].get_clim() == (-3.0, 3.0)


def test_one_window_is_drawn_as_power_of_the_channels_that_are_marked(axes):
    time_frequency(axes[0], burst(), SPEC, Shown(regions=(Marked(TimeSpan(("O1",), 1.5, 2.5), 1.0),)))
    image = axes[0].images[0]
    found = power(burst()[:1], SPEC)
    np.testing.assert_allclose(np.asarray(image.get_array()), 10 * np.log10(found.values[0]))
    assert axes[0].get_title() == "O1"
    assert image.colorbar.ax.get_ylabel() == "dB, 0 is 1 uV²/Hz"
    time_frequency(axes[1], burst(), SPEC, Shown(caption="window"))
    assert axes[1].get_title() == "window (mean of 2 channels)"


def test_a_window_of_which_nothing_is_known_is_drawn_without_an_error(axes):
    time_frequency(axes[0], np.full((2, LENGTH), np.nan), SPEC, Shown())
    axes[0].figure.canvas.draw()


def test_the_registered_view_and_that_of_the_scalp_draw_stretches_alike():
    registered = plugins.load("view", "eeg/time-frequency")
    assert stretches_of(registered) is stretches_of(butterfly) is not None
    assert "1 s of signal" in stretches_of(registered).about(SPEC)


def test_behind_codes_of_discharges_is_what_was_planted():
    data = EegSynthetic(
        EegSyntheticConfig(task="spike-wave", subjects=12, train_trials=12, test_trials=0, strength=2.0)
    )
    batch = collate(data, np.arange(len(data)), "spike-wave")
    torch.manual_seed(0)
    settings = {"width": 32, "depth": 1, "heads": 2, "feed_forward": 32, "codes": 32, "patch": 16, "stride": 16}
    encoder = EegFormer(EegFormerConfig(inputs={"eeg": data.spec.input("eeg")}, **settings)).eval()
    encoder.prepare([batch])
    with torch.no_grad():
        codes = encoder(batch).tokens[""].codes
    coded = Coded(NGrams(encoder.token_shapes[""], 2).keys(codes), NGrams(encoder.token_shapes[""], 2))
    yes = batch.targets[:, 0].bool().numpy()
    vocabulary = Vocabulary.of(coded, 10, 1000)
    chosen = {"alpha": vocabulary.chosen(~yes, 1, 1), "spike-wave": vocabulary.chosen(yes, 1, 1)}
    kept = mean_stretches(data.spec, encoder, "", data, coded, chosen, "eeg/time-frequency")
    hz, usual = np.array(kept["levels"]), np.array(kept["usual"])
    for row, planted in zip(kept["rows"], ((10.0,), (3.0, 6.0, 9.0)), strict=True):
        found = 10 * np.log10(np.array(row["mean"], float).mean(1) / usual)
        loud = [found[hz == one][0] for one in planted]
        # The other class's rhythm is among what is usual, so it is less here.
        quiet = found[(hz > 14) & (hz < 40)]
        assert min(loud) > quiet.max() + 1.5, (row["class"], loud, quiet.max())
        assert row["stretches"] >= 10
        assert 1 < row["subjects"] <= 12
    alpha, discharges = (10 * np.log10(np.array(row["mean"], float).mean(1) / usual) for row in kept["rows"])
    assert alpha[hz == 3.0] < 0 < discharges[hz == 3.0]
    assert discharges[hz == 10.0] < 0 < alpha[hz == 10.0]
