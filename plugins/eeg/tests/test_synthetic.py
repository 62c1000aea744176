"""The made-up electroencephalograms: sources that are where they are said to be, and a dataset that says so."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.signal import welch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pellucid.errors import DataError
from pellucid.regions import TimeSpan
from pellucid_datasets.electroencephalograms import imagery
from pellucid_datasets.electroencephalograms.noise import band_noise, pink_noise
from pellucid_datasets.electroencephalograms.scalp import DISCHARGES, IMAGERY, dipole_potential, neighbours, positions
from pellucid_eeg.synthetic import EegSynthetic, EegSyntheticConfig


def opened(**options) -> EegSynthetic:
    return EegSynthetic(EegSyntheticConfig(**options))


def signals(data) -> np.ndarray:
    return data.read(np.arange(len(data))).inputs["eeg"]


# --- physics ----------------------------------------------------------------------------------------------------------


def test_electrodes_are_where_the_10_05_system_has_them():
    names = sorted({*IMAGERY, *DISCHARGES, "T7", "T8", "Oz"})
    found = positions(names)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    # What older versions of mne call standard_1005.
    name = "colin27_1005" if "colin27_1005" in mne.channels.get_builtin_montages() else "standard_1005"
    known = mne.channels.make_standard_montage(name).get_positions()["ch_pos"]
    theirs = np.array([known[name] for name in names])
    # Their head is no sphere, and its middle is not where their origin is.
    theirs = theirs - np.array([0, theirs[:, 1].mean(), known["T7"][2]])
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    mine = found - [0, found[:, 1].mean(), 0]
    mine /= np.linalg.norm(mine, axis=1, keepdims=True)
    degrees = np.rad2deg(np.arccos((mine * theirs).sum(1).clip(-1, 1)))
    assert degrees.max() < 25, dict(zip(names, degrees.round(), strict=True))
    # Who is next to whom is what tests go by.
    assert neighbours("C4", IMAGERY) == ("FC4", "C2", "C4", "C6", "CP4")


def test_a_dipole_is_seen_as_coulomb_has_it():
    electrodes, place, moment = positions(IMAGERY), np.array([0.1, 0.2, 0.6]), np.array([0.0, 0.6, 0.8])
    # Two charges a little apart.
    apart = 1e-4
    charges = [1 / np.linalg.norm(electrodes - place - side * apart * moment / 2, axis=1) for side in (1, -1)]
    expected = (charges[0] - charges[1]) / np.abs(charges[0] - charges[1]).max()
    assert np.allclose(dipole_potential(electrodes, place, moment), expected, atol=1e-4)


def test_noise_falls_as_one_over_frequency_and_bands_end_where_they_end():
    rng = np.random.default_rng(0)
    x = pink_noise((200, 1024), 128.0, rng)
    hz, power = welch(x, 128.0, nperseg=512)
    power, among = power.mean(0), (hz >= 2) & (hz <= 50)
    slope = np.polyfit(np.log(hz[among]), np.log(power[among]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)
    assert x.var() == pytest.approx(1, rel=0.05)
    mu = band_noise((200, 1024), 128.0, 8.0, 13.0, rng)
    assert mu.var() == pytest.approx(1, rel=0.05)
    # Its strength comes and goes between trials, as that of so narrow a band does.
    assert 0.1 < mu.var(1).std() < 0.5


# --- imagined movements -----------------------------------------------------------------------------------------------


def power_in(x: np.ndarray, rate_hz: float, low: float, high: float) -> np.ndarray:
    hz, power = welch(x, rate_hz, nperseg=256)
    return power[..., (hz >= low) & (hz <= high)].sum(-1)


@pytest.mark.parametrize(("strength", "kept"), [(1.0, 0.65**2), (2.0, 0.3**2), (0.0, 1.0)])
def test_a_rhythm_is_weaker_by_what_was_asked_at_its_electrode_and_in_its_bands(strength, kept):
    data = opened(subjects=1, subject=0, train_trials=400, test_trials=0, strength=strength, noise=0.0)
    x, y = signals(data), data.target_values("imagery")[:, 0]
    for number, (_, places) in enumerate(imagery.PLACES.items()):
        for place in places:
            at = IMAGERY.index(place)
            for low, high in ((9, 12), (19, 25)):
                power = power_in(x[:, at], 128.0, low, high)
                # Others are seen here too, so that not all of the power goes.
                ratio = power[y == number].mean() / power[y == 3].mean()
                assert ratio == pytest.approx(kept, abs=0.12)
    assert power_in(x, 128.0, 30, 60).max() < 0.02 * power_in(x, 128.0, 8, 13).max()
    assert power_in(x, 128.0, 14.5, 16.5).max() < 0.02 * power_in(x, 128.0, 8, 13).max()


def test_the_regions_and_bands_of_a_class_are_those_that_were_changed():
    data = opened(subjects=2, train_trials=8, test_trials=4)
    y = data.target_values("imagery")[:, 0]
    for at, place in enumerate(("C3", "C4", "Cz")):
        regions = data.planted(list(imagery.PLACES)[at])
        assert [len(one) for one in regions] == (y == at).astype(int).tolist()
        assert {region for one in regions for region in one} == {TimeSpan((place,), 0.0, 4.0)}
    assert data.planted("rest") == [()] * len(data)
    assert data.planted_bands_hz("left hand") == ((8.0, 13.0), (18.0, 26.0))
    assert data.planted_bands_hz("rest") == ()
    assert data.planted("left") is None
    with pytest.raises(DataError, match=r"no class 'left'; did you mean 'left hand'\?"):
        data.planted_bands_hz("left")


def test_gains_drift_between_sessions_by_at_most_what_is_said_and_not_within_them():
    brain = imagery.drawn_brain(np.random.default_rng(0))
    classes = np.arange(40) % 4
    still = imagery.session(brain, classes, np.random.default_rng(1))
    moved = imagery.session(brain, classes, np.random.default_rng(1), drifted=True)
    gains = moved / still
    assert np.allclose(gains, gains[:1, :, :1], rtol=1e-4)
    one = gains[0, :, 0]
    assert np.abs(one - 1).max() <= 0.15 + 1e-5
    assert one.std() > 0.05


def one_source_an_electrode(*, rhythms: bool) -> imagery.Brain:
    """Electrodes 0 to 2 see one source each, of 10 uV: a rhythm, or a background."""
    own, none = 10 * np.eye(3, len(IMAGERY)), np.zeros((3, len(IMAGERY)))
    return imagery.Brain(own, none) if rhythms else imagery.Brain(none, own)


def test_a_rhythm_is_as_high_as_its_source_and_beta_is_lower_than_mu_by_what_is_said():
    brain, classes = one_source_an_electrode(rhythms=True), np.full(200, 3)
    x = imagery.session(brain, classes, np.random.default_rng(0), noise=0.0)[:, :3]
    # Heights of trials are 1 on a scale of logarithms, and vary by 8 %.
    assert np.square(x).mean() == pytest.approx(100 * np.exp(2 * 0.08**2), rel=0.04)
    mu, beta = (power_in(x, 250.0, low, high).mean() for low, high in ((6, 15), (16, 28)))
    assert np.sqrt(beta / mu) == pytest.approx(imagery.BETA, rel=0.04)
    still = imagery.session(brain, classes, np.random.default_rng(0), noise=0.0, depth=0.9)[:, :3]
    np.testing.assert_array_equal(still, x)
    for at in range(3):
        moved = imagery.session(brain, np.full(200, at), np.random.default_rng(0), noise=0.0, depth=0.5)[:, :3]
        # The classes weaken C3, C4 and Cz, in the order of their places.
        np.testing.assert_allclose(moved, x * np.where(np.arange(3) == at, 0.5, 1)[:, None], rtol=1e-5, atol=1e-5)


def test_trials_differ_in_height_by_eight_percent():
    classes = np.full(200, 3)
    brain, long = one_source_an_electrode(rhythms=True), {"rate_hz": 64.0, "length_s": 60.0, "noise": 0.0}
    x = imagery.session(brain, classes, np.random.default_rng(0), **long)[:, :3]
    # In a minute a band's own coming and going averages out to 3 %.
    assert np.log(x.std(2)).std() == pytest.approx(np.hypot(0.08, 0.03), abs=0.012)


def test_only_the_first_background_has_alpha_and_all_of_it_goes_with_the_noise():
    brain, classes = one_source_an_electrode(rhythms=False), np.full(1500, 3)
    x = imagery.session(brain, classes, np.random.default_rng(0))
    alone = imagery.ELECTRODE_UV**2
    # Nobody but an electrode itself is at the fourth.
    assert np.square(x[:, 3:]).mean() == pytest.approx(alone, rel=0.05)
    assert np.square(x[:, 1:3]).mean() == pytest.approx(100 + alone, rel=0.05)
    height = 10 * imagery.ALPHA_UV / imagery.BACKGROUND_UV
    assert np.square(x[:, 0]).mean() == pytest.approx(100 + alone + height**2 * np.exp(2 * 0.4**2), rel=0.07)
    extra = power_in(x[:, 0], 250.0, 7, 13).mean() - power_in(x[:, 1], 250.0, 7, 13).mean()
    whole = power_in(x[:, 0], 250.0, 0, 125).mean() - power_in(x[:, 1], 250.0, 0, 125).mean()
    assert extra / whole == pytest.approx(1, abs=0.05)
    louder = imagery.session(brain, classes[:20], np.random.default_rng(1), noise=2.0)
    np.testing.assert_allclose(
        louder, 2 * imagery.session(brain, classes[:20], np.random.default_rng(1)), rtol=1e-5, atol=1e-5
    )


def test_brains_have_their_sources_where_they_are_in_everybody():
    brains = [imagery.drawn_brain(np.random.default_rng(seed)) for seed in range(200)]
    heights = np.log(np.abs(np.stack([one.rhythms for one in brains])).max(2))
    assert heights.mean() == pytest.approx(np.log(imagery.RHYTHM_UV), abs=0.03)
    assert heights.std() == pytest.approx(0.15, abs=0.02)
    background = np.abs(np.stack([one.background for one in brains]))
    np.testing.assert_allclose(background.max(2), imagery.BACKGROUND_UV)
    electrodes = positions(IMAGERY)
    for at, place in enumerate(imagery.SOURCES):
        peaks = [IMAGERY[int(np.abs(one.rhythms[at]).argmax())] for one in brains]
        assert np.mean([peak in neighbours(place, IMAGERY) for peak in peaks]) > 0.97
        # Near the scalp: half of the height is gone two electrodes further on.
        shapes = np.mean([np.abs(one.rhythms[at]) / np.abs(one.rhythms[at]).max() for one in brains], axis=0)
        near = electrodes @ positions([place])[0]
        assert shapes[near < np.cos(np.deg2rad(35))].max() < 0.3
        assert shapes[near > 0.999].min() > 0.9
    # The source of alpha lies at the back, the two others at the front of the head, on either side.
    middle = [(background[:, at] ** 2 @ electrodes) / (background[:, at] ** 2).sum(1)[:, None] for at in range(3)]
    assert (middle[0][:, 1] < 0).mean() > 0.9
    for one in middle[1:]:
        assert (one[:, 1] > 0).mean() > 0.6
        assert 0.35 < (one[:, 0] > 0).mean() < 0.65


def test_people_differ_and_more_of_them_change_nobody():
    few, many = opened(subjects=2, train_trials=8), opened(subjects=3, train_trials=8)
    assert np.array_equal(signals(few), signals(many)[: len(few)])
    one = opened(subjects=3, train_trials=8, subject=1)
    assert np.array_equal(signals(one), signals(many)[28:56])
    first, second = (imagery.drawn_brain(np.random.default_rng([0, at, 0])).rhythms for at in (0, 1))
    assert 0.05 < np.abs(first - second).max() / np.abs(first).max() < 0.9


def test_one_person_alone_is_kept_apart_by_runs_and_several_by_person():
    alone = opened(subject=0, train_trials=80, test_trials=40)
    assert alone.spec.groups == ("run",)
    assert alone.frame.groupby("run")["session"].nunique().tolist() == [1, 1, 1]
    assert "nothing is said about other people" in alone.spec.about
    assert opened(train_trials=4).spec.groups == ("subject",)
    assert alone.frame["subject"].nunique() == 1


def test_a_band_that_is_asked_for_is_all_that_is_left():
    whole, kept = opened(subjects=1, train_trials=8), opened(subjects=1, train_trials=8, band_hz=(4.0, 38.0))
    for low, high, share in ((0.5, 2, 0.05), (8, 30, 1.0), (50, 60, 0.05)):
        ratio = power_in(signals(kept), 128.0, low, high).mean() / power_in(signals(whole), 128.0, low, high).mean()
        assert ratio == pytest.approx(share, abs=0.051)


# --- discharges -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def windows() -> EegSynthetic:
    return opened(task="spike-wave", subjects=40, train_trials=20, test_trials=0)


def test_there_are_as_many_windows_of_each_class_and_person_as_asked(windows):
    assert len(windows) == 800
    assert windows.frame.groupby(["subject", "spike-wave"]).size().tolist() == [10] * 80
    assert windows.spec.input("eeg").shape == (8, 512)


def test_discharges_and_alpha_stand_in_their_channels_and_frequencies_alone(windows):
    x, y = signals(windows), windows.target_values("spike-wave")[:, 0]
    spectrum = np.abs(np.fft.rfft(x))[..., 1:-1] ** 2
    hz = np.fft.rfftfreq(512, 1 / 128)[1:-1]
    ratio = spectrum[y == 1].mean(0) / spectrum[y == 0].mean(0)
    for at, channel in enumerate(DISCHARGES):
        high = set(hz[ratio[at] > 2].tolist())
        low = set(hz[ratio[at] < 0.5].tolist())
        assert high == ({3.0, 6.0, 9.0} if channel in ("F3", "F4", "C3") else set()), channel
        assert low == ({10.0} if channel in ("O1", "O2") else set()), channel
    assert {r.channels for one in windows.planted("spike-wave") for r in one} == {("F3", "F4", "C3")}
    assert {r.channels for one in windows.planted("alpha") for r in one} == {("O1", "O2")}
    assert windows.planted_bands_hz("spike-wave") == ((2.75, 3.25), (5.75, 6.25), (8.75, 9.25))


def test_both_classes_have_the_same_power_so_that_size_tells_little(windows):
    size, y = windows.frame[["rms_uv"]].to_numpy(), windows.target_values("spike-wave")[:, 0]
    assert np.square(size[y == 1]).mean() == pytest.approx(np.square(size[y == 0]).mean(), rel=0.05)
    score = roc_auc_score(y, LogisticRegression().fit(np.log(size), y).predict_proba(np.log(size))[:, 1])
    assert score < 0.6


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subject": 9}, "from 0"),
        ({"subject": 0, "task": "spike-wave"}, "is for task 'imagery'"),
        ({"band_hz": (4.0, 64.0)}, "below half the rate, 64 Hz"),
        ({"strength": 3.0}, "less than or equal to 2.8"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        opened(**wrong)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="reads no file"):
        EegSynthetic(data=tmp_path)
