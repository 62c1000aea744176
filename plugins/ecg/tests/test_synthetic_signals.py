"""The made-up signal itself: physics of the leads, beats, and signs that are where they are said to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pellucid_datasets.electrocardiograms.beats import SHORTEST_RR_S, Wave, beats, dipole
from pellucid_datasets.electrocardiograms.hearts import drawn_heart
from pellucid_datasets.electrocardiograms.leads import ELECTRODES, LEADS, VECTORS, leads_of
from pellucid_datasets.electrocardiograms.measured import mean_rr_s, r_peaks
from pellucid_datasets.electrocardiograms.noise import noise_of
from pellucid_datasets.electrocardiograms.recordings import Made, made
from pellucid_datasets.electrocardiograms.signs import LABELS, Signs, signs_of

RATE = 100.0


def a_heart(seed: int = 0):
    return drawn_heart(np.random.default_rng(seed))


def with_and_without(name: str, seed: int, noise: float = 0.0, **changes) -> tuple[Made, Made]:
    """The same recording with one label and with none."""
    (kind,) = [kind for kind, names in LABELS.items() if name in names]
    shown = np.array([one == name for one in LABELS[kind]])
    signs = replace(signs_of(kind, shown, np.random.default_rng(seed)), **changes)
    heart, where = a_heart(seed), (seed, 1)
    return made(heart, signs, (name,), where, noise=noise), made(heart, Signs(), (), where, noise=noise)


def inside(places, shape: tuple[int, int], rate_hz: float = RATE) -> np.ndarray:
    """Which samples lie in any of some regions, bool, shape (lead, time)."""
    seconds, found = np.arange(shape[1]) / rate_hz, np.zeros(shape, bool)
    for place in places:
        leads = [LEADS.index(lead) for lead in place.channels]
        found[leads] |= (seconds >= place.start_s) & (seconds <= place.stop_s)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_einthoven_and_goldberger_hold_with_all_noise(seed):
    lead = dict(zip(LEADS, made(a_heart(seed), Signs(q_mv=0.7, st_mv=0.3), (), (seed,)).signals, strict=True))
    assert np.abs(lead["II"]).max() > 0.3
    np.testing.assert_allclose(lead["I"] + lead["III"], lead["II"], atol=1e-6)
    np.testing.assert_allclose(lead["aVR"], -(lead["I"] + lead["II"]) / 2, atol=1e-6)
    np.testing.assert_allclose(lead["aVL"], (lead["I"] - lead["III"]) / 2, atol=1e-6)
    np.testing.assert_allclose(lead["aVF"], (lead["II"] + lead["III"]) / 2, atol=1e-6)


def test_a_dipole_is_projected_on_the_published_lead_vectors():
    # Lead II of a dipole that points to the left, to the feet and to the back; V2 sees the back with 1.387 the other way.
    leads = leads_of(VECTORS @ np.eye(3))
    np.testing.assert_allclose(leads[LEADS.index("II")], [0.235, 1.066, -0.132], atol=1e-6)
    np.testing.assert_allclose(leads[LEADS.index("V2")], [0.044, 0.164, -1.387], atol=1e-6)
    np.testing.assert_allclose(leads[LEADS.index("aVF")], [-0.081, 1.1835, -0.1615], atol=1e-6)


def test_a_chest_lead_is_its_electrode_less_the_mean_of_the_limbs():
    potentials = np.arange(9.0)[:, None]
    assert leads_of(potentials)[LEADS.index("V3"), 0] == ELECTRODES.index("V3") - 1.0


def test_a_normal_heart_has_upright_waves_where_they_belong():
    upright = {"QRS": [], "T": [], "P": []}
    for seed in range(30):
        one = made(a_heart(seed), Signs(rate_bpm=60, irregularity=0.0), (), (seed,), noise=0)
        r = one.beats.r_s[2]
        for wave, after in (("P", -0.165), ("QRS", 0.0), ("T", 0.28)):
            at = round((r + after) * RATE)
            upright[wave].append(one.signals[[LEADS.index(lead) for lead in ("I", "II", "V5", "V6")], at] > 0)
    for wave, found in upright.items():
        assert np.mean(found) > 0.9, wave


@pytest.mark.parametrize("rate", [50, 75, 140])
def test_beats_come_as_often_and_as_irregularly_as_asked(rate):
    for irregularity in (0.02, 0.2):
        found = [beats(rate, irregularity, 60.0, np.random.default_rng(seed)) for seed in range(20)]
        rr = np.concatenate([one.rr_s for one in found])
        assert 60 / rr.mean() == pytest.approx(rate, rel=0.03)
        assert rr.std() / rr.mean() == pytest.approx(irregularity, rel=0.25)
        assert rr.min() >= SHORTEST_RR_S
        for one in found:
            np.testing.assert_allclose(np.diff(one.r_s), one.rr_s[1:], atol=1e-9)
            assert one.r_s[0] < 0
            assert one.r_s[-1] > 60 - 60 / rate * 2.5


def test_recordings_begin_anywhere_in_a_beat():
    heart = a_heart()
    first = [made(heart, Signs(rate_bpm=60, irregularity=0.0), (), (seed,)).beats.r_s for seed in range(200)]
    phase = np.array([r[r >= 0][0] for r in first])
    assert np.histogram(phase, bins=4, range=(0, 1))[0].min() > 30


def test_a_wave_is_a_gaussian_of_the_given_height_place_and_width():
    time_s = np.arange(2000) / 1000
    found = beats(60, 0.0, 2.0, np.random.default_rng(0))
    r = found.r_s[found.r_s > 0.3][0]
    moment = dipole(time_s, found, [Wave(np.array([1.0, 0.0, -2.0]), 0.1, 0.02)])
    assert moment[0].max() == pytest.approx(1, abs=1e-3)
    assert moment[2].min() == pytest.approx(-2, abs=2e-3)
    near = np.abs(time_s - r - 0.1) < 0.1
    assert (moment[0, near] * time_s[near]).sum() / moment[0, near].sum() == pytest.approx(r + 0.1, abs=1e-3)
    assert moment[0, near].sum() / 1000 == pytest.approx(0.02 * np.sqrt(2 * np.pi), rel=1e-3)


def test_the_heart_rate_that_a_monitor_counts_is_the_true_one():
    apart = []
    for seed in range(60):
        kind = ("signs", "diagnoses")[seed % 2]
        rng = np.random.default_rng(seed)
        signs = signs_of(kind, rng.random(5) < 0.3, rng)
        one = made(a_heart(seed), signs, (), (seed,))
        r = one.beats.r_s[(one.beats.r_s > 0) & (one.beats.r_s < 10)]
        apart.append(abs(mean_rr_s(one.signals, RATE) / np.diff(r).mean() - 1))
    assert np.mean(np.array(apart) < 0.03) > 0.9


def test_found_peaks_are_where_the_heart_beat():
    one = made(a_heart(), Signs(), (), (5,))
    true = one.beats.r_s[(one.beats.r_s > 0.1) & (one.beats.r_s < 9.9)]
    found = r_peaks(one.signals, RATE) / RATE
    assert all(np.abs(found - r).min() < 0.06 for r in true)
    assert len(found) - len(true) in (0, 1, 2)


# --- signs lie where they are said to lie -----------------------------------------------------------------------------

OF_FORM = ["wide-qrs", "st-shift-v1-v3", "digitalis-like", "lbbb-like", "anterior-mi-like", "lvh-like"]


@pytest.mark.parametrize("name", OF_FORM)
@pytest.mark.parametrize("seed", range(4))
def test_what_a_sign_changes_lies_in_its_planted_places(name, seed):
    # Same beats in both, as rhythm and noise do not depend on the form.
    sick, well = with_and_without(name, seed, noise=1.0)
    change = np.square(sick.signals - well.signals, dtype=np.float64)
    planted = inside(sick.places[name], change.shape)
    share = change[planted].sum() / change.sum()
    assert change.sum() > 0.5
    # A Gaussian ends nowhere; a local injury is exact but for rounding.
    assert share > (1 - 1e-9 if name in ("st-shift-v1-v3", "anterior-mi-like") else 0.97)
    assert planted.mean() < 0.75


@pytest.mark.parametrize("name", OF_FORM)
def test_every_beat_has_its_place(name):
    sick, well = with_and_without(name, 0)
    whole = [r for r in sick.beats.r_s if 0.2 < r < 9.4]
    changed = np.square(sick.signals - well.signals).sum(0)
    for r in whole:
        places = [p for p in sick.places[name] if p.start_s < r + 0.15 and p.stop_s > r - 0.08]
        assert len(places) == 1
        span = slice(round(places[0].start_s * RATE), round(places[0].stop_s * RATE))
        assert changed[span].sum() > 0.02
    assert all(0 <= p.start_s < p.stop_s <= 10 for p in sick.places[name])


@pytest.mark.parametrize("seed", range(8))
def test_a_shift_of_one_beat_is_in_one_beat_and_no_other_lead(seed):
    sick, well = with_and_without("st-shift-v1-v3", seed, noise=1.0, st_beats="one", st_mv=0.3)
    change = sick.signals - well.signals
    (place,) = sick.places["st-shift-v1-v3"]
    assert place.channels == ("V1", "V2", "V3")
    planted = inside([place], change.shape)
    assert change[planted].max() == pytest.approx(0.3, abs=0.02)
    assert np.abs(change[~planted]).max() < 1e-6
    assert 0.06 <= place.stop_s - place.start_s < 0.3
    after = place.start_s - sick.beats.r_s
    assert 0.03 < after[after > 0].min() < 0.1


def test_the_beat_with_the_shift_is_any_beat():
    heart = a_heart()
    signs = Signs(st_mv=0.3, st_beats="one")
    at = [made(heart, signs, ("st-shift-v1-v3",), (seed,)).places["st-shift-v1-v3"][0].start_s for seed in range(120)]
    assert np.histogram(at, bins=5, range=(0, 10))[0].min() > 10


def test_a_wide_qrs_is_as_wide_as_its_place():
    for stretch in (1.0, 2.0):
        one = made(
            replace(a_heart(), t=0.0),
            Signs(qrs_stretch=stretch, p_waves=False),
            ("wide-qrs",),
            (0,),
            rate_hz=1000,
            noise=0,
        )
        place = one.places["wide-qrs"][3]
        from_ms, to_ms = round(place.start_s * 1000), round(place.stop_s * 1000)
        steep = np.abs(np.gradient(one.signals.astype(float), axis=1)).sum(0)
        window = steep[from_ms - 60 : to_ms + 60]
        moving = np.flatnonzero(window > 0.04 * window.max())
        assert moving[-1] - moving[0] == pytest.approx(to_ms - from_ms, rel=0.2)
        assert to_ms - from_ms == pytest.approx(107 * stretch, rel=0.15)


def test_rhythms_are_seen_in_the_whole_recording():
    for name in ("tachycardia", "irregular-rr", "af-like"):
        sick, _ = with_and_without(name, 0)
        (place,) = sick.places[name]
        assert (place.channels, place.start_s, place.stop_s) == (LEADS, 0, 10)


def test_fibrillating_atria_have_waves_of_their_own_and_no_p():
    quiet = made(a_heart(), Signs(p_waves=False, rate_bpm=40, irregularity=0.0), (), (0,), noise=0)
    moving = made(
        a_heart(), Signs(p_waves=False, fibrillation_mv=0.1, rate_bpm=40, irregularity=0.0), (), (0,), noise=0
    )
    wave = (moving.signals - quiet.signals)[LEADS.index("V1")]
    power = np.abs(np.fft.rfft(wave)) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    assert power[(hz > 3) & (hz < 9)].sum() / power.sum() > 0.98
    assert 0.03 < wave.std() < 0.15
    with_p = made(a_heart(), Signs(rate_bpm=40, irregularity=0.0), (), (0,), noise=0)
    r = with_p.beats.r_s[2]
    p = slice(round((r - 0.3) * RATE), round((r - 0.1) * RATE))
    assert np.abs(with_p.signals[1, p]).max() > 5 * np.abs(quiet.signals[1, p]).max()


# --- noise ------------------------------------------------------------------------------------------------------------


def test_noise_is_slow_waves_and_white_noise_and_mains_only_where_the_rate_carries_it():
    for rate, mains in ((100.0, False), (500.0, True)):
        time_s = np.arange(round(20 * rate)) / rate
        power = 0.0
        for seed in range(10):
            noise = noise_of(9, time_s, rate, np.random.default_rng(seed))
            power = power + (np.abs(np.fft.rfft(noise - noise.mean(1, keepdims=True))) ** 2).mean(0)
        hz = np.fft.rfftfreq(len(time_s), 1 / rate)
        slow, white = power[(hz > 0) & (hz < 0.5)].mean(), power[(hz > 5) & (hz < 45)].mean()
        assert slow > 50 * white
        fifty = power[np.argmin(np.abs(hz - 50))]
        assert (fifty > 10 * white) == mains


def test_without_noise_the_signal_rests_between_beats():
    quiet = made(a_heart(), Signs(rate_bpm=45, irregularity=0.0), (), (0,), noise=0).signals
    noisy = made(a_heart(), Signs(rate_bpm=45, irregularity=0.0), (), (0,), noise=1).signals
    assert np.median(np.abs(quiet)) < 0.02
    assert np.median(np.abs(noisy)) > 0.05


# --- what signs look like ---------------------------------------------------------------------------------------------


def slow(seed: int, **signs) -> Made:
    """A recording at one beat a second without noise."""
    return made(a_heart(seed), Signs(rate_bpm=60, irregularity=0.0, **signs), (), (seed,), noise=0)


def at(one: Made, lead: str, after_s: float) -> np.ndarray:
    """Values at a time after each R peak that lies well inside."""
    r = one.beats.r_s[(one.beats.r_s > 0.5) & (one.beats.r_s < 9)]
    return one.signals[LEADS.index(lead), np.round((r + after_s) * RATE).astype(int)]


@pytest.mark.parametrize("seed", range(6))
def test_digitalis_draws_st_down_where_qrs_is_upright_and_brings_t_forward(seed):
    plain, sick = slow(seed), slow(seed, sagging_mv=0.2)
    for lead in ("II", "V5"):
        assert at(plain, lead, 0.0).mean() > 0.2
        assert (at(sick, lead, 0.15) - at(plain, lead, 0.15)).mean() < -0.04
    after = np.arange(0.2, 0.5, 0.01)
    t_peak = [after[np.argmax([np.abs(at(one, "II", t)).mean() for t in after])] for one in (plain, sick)]
    assert t_peak[1] / t_peak[0] == pytest.approx(0.85, abs=0.06)


@pytest.mark.parametrize("seed", range(6))
def test_left_bundle_branch_block_is_negative_in_v1_with_t_against_qrs(seed):
    sick = slow(seed, qrs_stretch=1.8, turned_back=True)
    assert at(sick, "V1", 0.02).mean() < -0.3
    for lead in ("V1", "V2", "I"):
        assert np.sign(at(sick, lead, 0.02).mean()) == -np.sign(at(sick, lead, 0.3).mean())


@pytest.mark.parametrize("seed", range(6))
def test_a_large_left_ventricle_is_large_in_chest_leads(seed):
    plain, sick = slow(seed), slow(seed, hypertrophy=2.0)
    height = {
        lead: np.ptp(sick.signals[LEADS.index(lead)]) / np.ptp(plain.signals[LEADS.index(lead)])
        for lead in ("V2", "V5")
    }
    assert min(height.values()) > 1.6
    np.testing.assert_allclose(at(sick, "V5", 0.3), at(plain, "V5", 0.3), atol=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_an_old_infarction_is_a_q_wave_before_and_a_raised_st_after_r(seed):
    change = slow(seed, q_mv=0.6).signals - slow(seed).signals
    sick = slow(seed, q_mv=0.6)
    r = sick.beats.r_s[2]
    around = change[LEADS.index("V2"), round((r - 0.1) * RATE) : round((r + 0.25) * RATE)]
    assert around.min() == pytest.approx(-0.6, abs=0.06)
    assert around.max() == pytest.approx(0.2, abs=0.02)
    assert around.argmin() < 12 < around.argmax()
    assert np.abs(change[LEADS.index("V5")]).max() == 0


def test_st_lies_between_qrs_and_t_and_is_longer_in_slow_beats():
    lengths = []
    for rate in (50, 100):
        signs = Signs(rate_bpm=rate, irregularity=0.0, st_mv=0.3)
        place = made(a_heart(), signs, ("st-shift-v1-v3",), (0,)).places["st-shift-v1-v3"][1]
        lengths.append(place.stop_s - place.start_s)
    qrs_end = 0.056 * a_heart().qrs_width
    assert lengths == pytest.approx([0.21 * np.sqrt(rr) - qrs_end for rr in (1.2, 0.6)], abs=1e-6)


def test_breathing_moves_the_heart_and_its_rate():
    strengths = np.concatenate([at(slow(seed), "II", 0.0) / at(slow(seed), "II", 0.0).mean() for seed in range(12)])
    # Three in a hundred from beat to beat, beside what sampling a peak at 100 Hz adds.
    assert 0.02 < strengths.std() < 0.08
    power = 0.0
    hz = np.linspace(0.05, 0.45, 81)
    for seed in range(20):
        found = beats(80, 0.05, 60.0, np.random.default_rng(seed))
        rr = found.rr_s[1:] - found.rr_s[1:].mean()
        power = power + np.abs((rr * np.exp(-2j * np.pi * hz[:, None] * found.r_s[1:])).sum(1)) ** 2
    assert hz[np.argmax(power)] == pytest.approx(0.25, abs=0.02)
