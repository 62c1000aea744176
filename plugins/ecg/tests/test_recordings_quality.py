"""Planted faults are found in the leads and seconds where they were planted; real recordings have those they are known to have."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pellucid.testing.real_data import real_data
from pellucid_ecg.recordings.duplicates import near_duplicates, signature
from pellucid_ecg.recordings.leads import TWELVE_LEADS, in_order
from pellucid_ecg.recordings.quality import quality
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.recordings.resampling import resampled
from pellucid_ecg.wfdb_files.reading import read_record

RATE = 200
KINDS = {
    "flat lead", "lead off or saturated", "clipped lead", "missing samples", "two leads with the same signal",
    "limb leads do not fit each other", "electrodes may be exchanged", "amplitudes cannot be millivolts", "unexpected rate",
    "leads in another order or missing",
}  # fmt: skip


def healthy(seed: int = 0, beats: int = 10) -> EcgRecording:
    """Twelve leads of one moving dipole, with noise of 5 microvolts: R waves of about 1 mV, once a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(beats * RATE) / RATE
    beat = np.exp(-(((t % 1) - 0.4) ** 2) / (2 * 0.015**2)) + 0.25 * np.exp(-(((t % 1) - 0.7) ** 2) / (2 * 0.05**2))
    across = 0.6 * np.exp(-(((t % 1) - 0.42) ** 2) / (2 * 0.02**2))
    one, two = 0.7 * beat + 0.1 * across, 1.1 * beat - 0.3 * across
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = [a * beat + b * across for a, b in ((-0.4, 1), (-0.2, 1.2), (0.3, 0.9), (0.9, 0.4), (1.1, 0.1), (0.9, 0.0))]
    signals = np.stack([*limbs, *chest]) + rng.normal(0, 0.005, (12, len(t)))
    return EcgRecording(signals.round(3).astype(np.float32), TWELVE_LEADS, RATE)


def found(recording: EcgRecording, **expected: object) -> dict[str, str]:
    findings = quality(recording, **expected)
    assert all(one.sample == recording.name and one.done == "kept" for one in findings)
    assert {one.what for one in findings} <= KINDS
    return {one.what: one.where for one in findings}


def changed(recording: EcgRecording, **leads: object) -> EcgRecording:
    """The recording with some leads replaced: ``V1=array``, or a function of the lead."""
    signals = recording.signals.copy()
    for name, value in leads.items():
        row = recording.leads.index(name)
        signals[row] = value(signals[row]) if callable(value) else value
    return replace(recording, signals=signals)


def test_a_healthy_recording_has_nothing():
    for seed in range(5):
        assert found(healthy(seed), rate_hz=RATE, leads=TWELVE_LEADS) == {}


def test_flat_leads_are_named():
    noise = np.random.default_rng(1).integers(0, 5, 10 * RATE) / 1000
    assert found(changed(healthy(), V2=0.0, V4=1.5, V6=noise)) == {"flat lead": "V2, V4, V6"}
    scaled = replace(changed(healthy(), V2=0.0, V6=noise), units="NU")
    assert found(scaled)["flat lead"] == "V2"


def test_a_lead_that_is_off_or_saturated_is_named_with_its_seconds():
    def off(values: np.ndarray) -> np.ndarray:
        values[300:420] = 0.123
        return values

    assert found(changed(healthy(), V3=off)) == {"lead off or saturated": "V3 1.5-2.1 s"}

    def short(values: np.ndarray) -> np.ndarray:
        values[300:395] = 0.123
        return values

    assert found(changed(healthy(), V3=short)) == {}


@pytest.mark.parametrize(("times", "rest"), [(3, ""), (4, " and 1 more"), (5, " and 2 more")])
def test_of_many_times_that_a_lead_was_off_three_are_told_and_the_rest_counted(times, rest):
    def often(values: np.ndarray) -> np.ndarray:
        for at in range(times):
            values[400 * at : 400 * at + 200] = 0.123
        return values

    told = f"V3 0.0-1.0 s and 2.0-3.0 s and 4.0-5.0 s{rest}"
    assert found(changed(healthy(), V3=often)) == {"lead off or saturated": told}


def test_clipped_leads_are_named_with_the_value_they_end_at():
    assert found(changed(healthy(), V5=lambda v: np.minimum(v, 0.5))) == {
        "clipped lead": "V5 above at 0.5 mV, 10 times"
    }
    assert found(changed(healthy(), V1=lambda v: np.maximum(v, -0.05)))["clipped lead"].startswith(
        "V1 below at -0.05 mV"
    )


def test_missing_samples_are_counted_and_are_no_fault_of_another_kind():
    known = np.ones((12, 10 * RATE), bool)
    known[3, 400:600], known[7] = False, False
    some = healthy()
    some = replace(some, signals=np.where(known, some.signals, 0), known=known)
    assert found(some) == {"missing samples": "aVR 10.0%, V2 all"}


def test_two_leads_with_the_same_signal_are_named():
    some = healthy()
    assert found(changed(some, V2=some.signals[6])) == {"two leads with the same signal": "V1 and V2"}


@pytest.mark.parametrize(("one", "two"), [("I", "II"), ("II", "III"), ("aVR", "aVL"), ("I", "aVF")])
def test_exchanged_limb_leads_are_found_in_millivolts_and_after_scaling(one, two):
    some = healthy()
    a, b = some.leads.index(one), some.leads.index(two)
    mixed = changed(some, **{one: some.signals[b], two: some.signals[a]})
    told = found(mixed)["limb leads do not fit each other"]
    assert f"{one} and {two} exchanged" in told
    scaled = replace(mixed, signals=mixed.signals / mixed.signals.std(axis=1, keepdims=True) * 3, units="NU")
    assert "limb leads do not fit each other" in found(scaled)


def test_a_lead_upside_down_is_found():
    told = found(changed(healthy(), aVF=np.negative))["limb leads do not fit each other"]
    assert told == "aVF against I and II; it looks like aVF upside down"


@pytest.mark.parametrize(
    ("two", "ways"), [(3, "aVR upside down"), (1.2, "III and aVR exchanged or aVR upside down"), (5, None), (0.5, None)]
)
def test_ways_to_mend_are_named_up_to_two_and_more_would_be_a_guess(two, ways):
    # All leads rise and fall together and every one was scaled by itself, so that only signs are left. What is wrong is aVR,
    # upside down, but whatever falls would do in its place: with II = 5 aVL, or I upside down; with II = 0.5 three more.
    some = healthy()
    one, two = 2 * some.signals[0], two * some.signals[0]
    limbs = np.stack([one, two, two - one, (one + two) / 2, one - two / 2, two - one / 2])
    noise = np.random.default_rng(2).normal(0, 0.001, limbs.shape)
    scaled = replace(some, signals=np.concatenate([limbs + noise, some.signals[6:]]).astype(np.float32), units="NU")
    assert found(scaled)["limb leads do not fit each other"] == (
        "aVR against I and II" + (f"; it looks like {ways}" if ways else "")
    )


def test_limb_leads_that_hardly_move_say_nothing_of_their_order():
    noise = np.random.default_rng(3).normal(0, 0.01, (6, 10 * RATE)).astype(np.float32)
    some = healthy()
    assert found(replace(some, signals=np.concatenate([noise, some.signals[6:]]))) == {}
    assert "limb leads do not fit each other" in found(
        replace(some, signals=np.concatenate([10 * noise, some.signals[6:]]))
    )


def test_limb_leads_fit_each_other_whatever_their_offset_and_each_ones_scale():
    some = healthy()
    scale = np.linspace(0.5, 4, 12)[:, None]
    scaled = replace(some, signals=(some.signals * scale + np.arange(12)[:, None]).astype(np.float32), units="NU")
    assert found(scaled) == {}
    assert found(replace(some, signals=some.signals + np.arange(12, dtype=np.float32)[:, None])) == {}


def test_exchanged_arm_electrodes_are_suspected():
    some = healthy()
    one, two, three, right, left, foot = some.signals[:6]
    arms = changed(some, I=-one, II=three, III=two, aVR=left, aVL=right, aVF=foot)
    assert found(arms) == {"electrodes may be exchanged": "lead I runs against V6"}


def test_amplitudes_that_cannot_be_millivolts_are_found():
    some = healthy()
    for factor in (1000, 0.001):
        told = found(replace(some, signals=(some.signals * factor).astype(np.float32)))
        assert "amplitudes cannot be millivolts" in told or "flat lead" in told
    assert "amplitudes cannot be millivolts" in found(replace(some, signals=some.signals * 1000))
    assert found(replace(some, signals=some.signals * 1000, units="uV")) == {}
    # One artefact is no other unit.
    assert found(changed(some, V1=lambda v: np.where(np.arange(len(v)) == 700, 90, v))) == {}


def test_another_rate_and_other_leads_are_found():
    assert found(healthy(), rate_hz=500) == {"unexpected rate": "200 Hz instead of 500 Hz"}
    assert found(replace(healthy(), rate_hz=1.0))["unexpected rate"].startswith("1 Hz, at which")
    for rate_hz, strange in ((49, True), (50, False), (20_000, False), (20_001, True)):
        assert ("unexpected rate" in found(replace(healthy(), rate_hz=rate_hz))) == strange
    some = healthy()
    upper = replace(some, leads=tuple(name.upper() for name in TWELVE_LEADS))
    assert found(upper, leads=TWELVE_LEADS) == {}
    kind = "leads in another order or missing"
    assert found(in_order(some, TWELVE_LEADS[::-1]), leads=TWELVE_LEADS)[kind].startswith("V6, V5")
    assert found(in_order(some, TWELVE_LEADS[:11]), leads=TWELVE_LEADS) == {kind: "without V6"}


def test_recordings_of_a_few_samples_or_leads_are_judged_without_complaint():
    for length in (1, 2, 5):
        found(EcgRecording(np.ones((12, length), np.float32), TWELVE_LEADS, 100.0))
    known = np.zeros((2, 50), bool)
    found(EcgRecording(np.zeros((2, 50), np.float32), ("I", "II"), 100.0, known=known))


def test_real_recordings_have_the_faults_they_are_known_for():
    told = Counter()
    for folder, kinds in (
        ("cinc2021-sample", {"JS20004": {"flat lead": "V2, V4, V6"}, "JS20008": {"flat lead": "V2, V4, V6"}}),
        ("ptbxl-native-sample", {}),
    ):
        for path in sorted(real_data("ecg", folder).glob("*.hea")):
            assert found(read_record(path), leads=TWELVE_LEADS) == kinds.get(path.stem, {}), path.stem
            told[folder] += 1
    assert told == {"cinc2021-sample": 39, "ptbxl-native-sample": 1}
    # The amplifier of record 116 ended at -5.12 mV.
    assert "-5.12 mV" in found(read_record(real_data("ecg", "mitbih-subset") / "116"))["clipped lead"]


def test_few_real_recordings_are_suspected():
    paths = sorted(real_data("ecg", "ptbxl-subset").rglob("*.hea"))
    told = {path.stem: kinds for path in paths[::10] if (kinds := found(read_record(path)))}
    assert len(told) <= 1, told


def test_a_recording_that_is_there_twice_is_found_whatever_its_rate_units_and_filter():
    folder = real_data("ecg", "cinc2021-sample")
    subset = sorted(real_data("ecg", "ptbxl-subset").rglob("*.hea"))
    paths = [*sorted(folder.glob("*.hea")), *subset[::15], next(path for path in subset if path.stem == "06005_lr")]
    recordings = [in_order(read_record(path)) for path in dict.fromkeys(paths)]
    # The same recording at another rate, in other units and with noise.
    first = recordings[0]
    noisy = first.signals * 1000 + np.random.default_rng(0).normal(0, 5, first.signals.shape)
    again = resampled(replace(first, signals=noisy.astype(np.float32), units="uV", name="again"), 250)
    names = [one.name for one in (*recordings, again)]
    findings = near_duplicates(names, np.stack([signature(one) for one in (*recordings, again)]))
    assert {frozenset((one.sample, one.where)) for one in findings} == {
        frozenset(("E07509", "E07510")),
        frozenset(("HR06005", "06005_lr")),
        frozenset((first.name, "again")),
    }


def test_among_thousands_each_later_one_names_the_first_that_is_like_it():
    signatures = np.random.default_rng(0).normal(size=(5000, 128)).astype(np.float32)
    for one, first in ((7, 3), (2047, 2046), (2048, 5), (4096, 2047), (4999, 0), (4998, 3)):
        signatures[one] = signatures[first]
    signatures /= np.linalg.norm(signatures, axis=1, keepdims=True)
    signatures = signatures.astype(np.float64)
    told = near_duplicates([str(at) for at in range(5000)], signatures, alike=1 - 1e-6)
    assert [(int(one.sample), int(one.where)) for one in told] == [
        (7, 3), (2047, 2046), (2048, 5), (4096, 2046), (4998, 3), (4999, 0)
    ]  # fmt: skip


def test_signatures_are_128_numbers_of_length_1_that_keep_how_alike_movements_are():
    some = healthy()
    bursts = np.where(np.random.default_rng(0).random(200) < 0.5, 1.0, 0.2).repeat(10)
    one = replace(some, signals=some.signals * bursts.astype(np.float32))
    signatures = np.stack([signature(recording) for recording in (some, one)])
    assert signatures.shape == (2, 128)
    assert np.linalg.norm(signatures, axis=1) == pytest.approx([1, 1], abs=1e-6)
    # The same written out: standard deviations of 200 parts, each lead in its own units.
    moves = [r.signals.astype(np.float64).reshape(12, 200, 10).std(2) for r in (some, one)]
    moves = [((m - m.mean(1, keepdims=True)) / m.std(1, keepdims=True)).ravel() for m in moves]
    cosine = moves[0] @ moves[1] / np.linalg.norm(moves[0]) / np.linalg.norm(moves[1])
    assert signatures[0] @ signatures[1] == pytest.approx(cosine, abs=3 / np.sqrt(128))


def test_recordings_in_which_nothing_moves_are_like_nothing():
    flat = EcgRecording(np.zeros((12, 1000), np.float32), TWELVE_LEADS, 100.0)
    short = EcgRecording(np.ones((12, 3), np.float32), TWELVE_LEADS, 100.0)
    assert near_duplicates(["a", "b", "c"], np.stack([signature(flat), signature(flat), signature(short)])) == ()
