"""Names of electrodes and their places are those of mne's 10-5 montage, under whatever names files give them."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid_eeg.recordings.electrodes import (
    EARS,
    OLD_NAMES,
    SCALP,
    TEN_TWENTY,
    canonical,
    channel_of,
    positions,
    shown,
    unknown_doubt,
)


@pytest.fixture(scope="module")
def montage() -> mne.channels.DigMontage:
    name = "colin27_1005" if "colin27_1005" in mne.channels.get_builtin_montages() else "standard_1005"
    return mne.channels.make_standard_montage(name)


def test_the_names_are_those_of_the_montage(montage):
    assert set(SCALP) | set(EARS) | set(OLD_NAMES) == set(montage.ch_names)
    assert len(set(SCALP)) == len(SCALP)
    assert set(TEN_TWENTY) <= set(SCALP)
    assert len(TEN_TWENTY) == 19


FORMS = (
    "{}", "EEG {}", "EEG {}-REF", "EEG {}-LE", "{}.", "{}..", "{} ", "eeg_{}", "{}-Ref", "{}-A1A2", "EEG {}-AR", "POL {}", "{}-M2",
    "{}\0",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
def test_every_name_is_known_in_every_form_that_files_have(form, case):
    for name in SCALP:
        channel = channel_of(case(form.format(name)))
        assert (channel.name, channel.kind) == (name, "scalp"), form.format(name)


def test_old_names_are_the_present_ones():
    assert [canonical(one) for one in ("T3", "T4", "T5", "T6", "EEG T3-REF", "t6.")] == [
        "T7",
        "T8",
        "P7",
        "P8",
        "T7",
        "P8",
    ]


@pytest.mark.parametrize(
    ("label", "name", "kind", "reference"),
    [
        ("A1", "A1", "reference", ""),
        ("EEG A2-REF", "A2", "reference", "REF"),
        ("m1", "M1", "reference", ""),
        ("GND", "GND", "reference", ""),
        ("C3-A2", "C3", "scalp", "A2"),
        ("EEG F4-M1", "F4", "scalp", "M1"),
        ("EEG Fpz-Cz", "Fpz-Cz", "bipolar", ""),
        ("FP1-F7", "Fp1-F7", "bipolar", ""),
        ("T3-T5", "T7-P7", "bipolar", ""),
        ("EOG horizontal", "EOG horizontal", "eog", ""),
        ("VEOG", "VEOG", "eog", ""),
        ("EEG LOC-REF", "LOC", "eog", "REF"),
        ("EEG EKG1-REF", "EKG1", "ecg", "REF"),
        ("ECG", "ECG", "ecg", ""),
        ("ECG II", "ECG II", "ecg", ""),
        ("EMG submental", "EMG submental", "emg", ""),
        ("EMG-REF", "EMG", "emg", "REF"),
        ("Status", "Status", "other", ""),
        ("PHOTIC-REF", "PHOTIC", "other", "REF"),
        ("Resp oro-nasal", "Resp oro-nasal", "other", ""),
        ("STI 014", "STI 014", "other", ""),
        ("EEG 21-REF", "EEG 21-REF", "unknown", ""),
        ("E17", "E17", "unknown", ""),
        ("", "", "unknown", ""),
        ("C3-", "C3-", "unknown", ""),
        ("-C3", "-C3", "unknown", ""),
        ("Cz" * 10**6, "Cz" * 10**6, "unknown", ""),
    ],
)
def test_channels_that_are_no_electrode_of_the_scalp_are_told_apart(label, name, kind, reference):
    channel = channel_of(label)
    assert (channel.name, channel.kind, channel.reference) == (name, kind, reference)


def test_unknown_names_are_told_with_the_nearest():
    assert unknown_doubt(["Fp1", "EOG", "Fppz", "Ozz"]) == "'Fppz'; did you mean 'Fpz'?, 'Ozz'; did you mean 'Oz'?"
    assert unknown_doubt(["Cz", "T3"]) == ""
    assert shown(["EEG FP1-REF", "Mr Doe", "ECG of Mr Doe", "A1"]) == "Fp1, channel 2, channel 3, A1"


def test_of_many_unknown_names_five_are_told():
    six, five = [f"spare {at}" for at in range(6)], [f"spare {at}" for at in range(5)]
    assert unknown_doubt(six).endswith("'spare 4' and 1 more")
    assert unknown_doubt(five).endswith("'spare 4'")
    with pytest.raises(DataError, match="'spare 4' and 1 more; leave it out"):
        positions(["Cz", *six])
    with pytest.raises(DataError, match="'spare 4'; leave it out"):
        positions(five)


def test_the_other_names_of_a_place_are_known():
    assert [canonical(one) for one in ("O9", "O10", "T3'", "Mastoid L", "mastoid r")] == ["I1", "I2", "T7", "M1", "M2"]
    assert (channel_of("A1-A2").name, channel_of("A1-A2").kind) == ("A1-A2", "reference")
    assert (channel_of("M1-Cz").name, channel_of("M1-Cz").kind) == ("M1-Cz", "reference")
    assert shown(["Mastoid L", "Cz"]) == "M1, Cz"


def test_places_are_on_the_unit_sphere_and_as_far_apart_as_in_the_montage(montage):
    ours = positions(SCALP)
    assert np.allclose(np.linalg.norm(ours, axis=1), 1)
    metres = np.stack([montage.get_positions()["ch_pos"][name] for name in SCALP])
    theirs = np.linalg.norm(metres[:, None] - metres[None], axis=-1)
    chords = np.linalg.norm(ours[:, None] - ours[None], axis=-1)
    upper = np.triu_indices(len(SCALP), 1)
    # A head is no sphere, but nearly: one radius in metres makes the distances the same to some percent.
    ratio = theirs[upper] / chords[upper]
    assert np.corrcoef(theirs[upper], chords[upper])[0, 1] > 0.98
    assert 0.08 < np.median(ratio) < 0.11


def test_places_are_where_their_names_say():
    where = dict(zip(SCALP, positions(SCALP), strict=True))
    assert where["T8"][0] > 0.9 > -0.9 > where["T7"][0]
    assert where["Fpz"][1] > 0.9
    assert where["Oz"][1] < -0.9
    assert where["Cz"][2] > 0.95
    for left, right in (("Fp1", "Fp2"), ("C3", "C4"), ("P7", "P8"), ("O1", "O2")):
        assert np.allclose(where[left] * [-1, 1, 1], where[right], atol=0.06)
    assert np.array_equal(positions(["EEG T5-REF", "p7"]), np.stack([where["P7"]] * 2))
    with pytest.raises(DataError, match="'Fppz'; did you mean 'Fpz'"):
        positions(["Cz", "Fppz"])
    assert positions([]).shape == (0, 3)


def test_places_that_were_given_out_cannot_be_changed():
    one = positions(["Cz"])
    one[:] = 0
    assert positions(["Cz"])[0, 2] > 0.9
