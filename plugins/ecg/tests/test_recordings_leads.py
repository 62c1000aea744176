"""Leads by name: order, spelling, and the limb leads that follow from others."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_ecg.recordings.leads import LIMB_LEADS, TWELVE_LEADS, canonical, in_order, limb_leads_from
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.recordings.units import in_millivolts
from pellucid_ecg.wfdb_files.reading import read_record


def recording(*leads: str, units: str = "mV", known: np.ndarray | None = None) -> EcgRecording:
    signals = np.random.default_rng(0).normal(size=(len(leads), 20)).astype(np.float32)
    if known is not None:
        signals[~known] = 0
    return EcgRecording(signals, leads, 100.0, units, known)


def test_spellings_of_a_lead_are_one_lead():
    for name in TWELVE_LEADS:
        for spelt in (name, name.upper(), name.lower(), f"Lead {name}", f"lead_{name}"):
            assert canonical(spelt) == name
    assert canonical("D2") == "II"
    assert canonical("mlii") == "MLII"
    assert canonical("RESP") == "RESP"


def test_leads_come_in_the_order_asked_for_under_their_usual_names():
    known = np.random.default_rng(1).random((4, 20)) < 0.7
    some = recording("V1", "AVR", "ii", "I", known=known)
    ordered = in_order(some, ("I", "II", "aVR"))
    assert ordered.leads == ("I", "II", "aVR")
    assert np.array_equal(ordered.signals, some.signals[[3, 2, 1]])
    assert np.array_equal(ordered.known, known[[3, 2, 1]])
    assert in_order(ordered, ("I", "II", "aVR")) is ordered


def test_a_lead_that_is_not_there_or_there_twice_is_named():
    with pytest.raises(DataError, match=r"no lead III, V2.*has I, II, V1"):
        in_order(recording("I", "II", "V1"), ("I", "III", "V1", "V2"))
    with pytest.raises(DataError, match="lead aVR is there 2 times"):
        in_order(recording("aVR", "AVR"), ("aVR",))
    # A modified lead is not the lead it resembles, and nothing is computed without being asked for.
    with pytest.raises(DataError, match="no lead II"):
        in_order(recording("MLII"), ("II",))
    with pytest.raises(DataError, match="no lead III"):
        in_order(recording("I", "II"), LIMB_LEADS)
    with pytest.raises(DataError, match="no lead III, aVR"):
        in_order(recording("I", "V1"), ("I", "III", "aVR"), derive=True)
    with pytest.raises(DataError, match="I and II are needed"):
        limb_leads_from(recording("I", "V1"))


def test_limb_leads_follow_from_the_first_two_as_a_machine_computed_them():
    native = read_record(real_data("ecg", "ptbxl-native-sample") / "00001_lr")
    two = EcgRecording(native.signals[[0, 1, 6]], ("I", "II", "V1"), native.rate_hz)
    whole = in_order(two, (*LIMB_LEADS, "V1"), derive=True)
    # The machine rounded each lead to a microvolt.
    assert np.abs(whole.signals[:6] - in_order(native, LIMB_LEADS).signals).max() <= 0.0016
    assert np.array_equal(whole.signals[6], native.signals[6])
    # What was recorded is not computed anew.
    assert np.array_equal(in_order(native, LIMB_LEADS, derive=True).signals, native.signals[:6])


def test_a_computed_sample_is_known_where_both_leads_are():
    known = np.ones((2, 20), bool)
    known[0, 3], known[1, 7] = False, False
    whole = in_order(recording("I", "II", known=known), LIMB_LEADS, derive=True)
    assert np.flatnonzero(~whole.known[2]).tolist() == [3, 7]
    assert (whole.signals[2:, [3, 7]] == 0).all()
    assert np.flatnonzero(~whole.known[0]).tolist() == [3]


def test_voltages_become_millivolts_and_other_units_are_refused():
    for units, factor in (("uV", 1e-3), ("µV", 1e-3), ("\u03bcV", 1e-3), ("V", 1e3), ("MV", 1.0), ("mV", 1.0)):
        some = recording("I", units=units)
        assert in_millivolts(some).units == "mV"
        assert np.allclose(in_millivolts(some).signals, some.signals * factor)
    with pytest.raises(DataError, match="'NU', which is no voltage"):
        in_millivolts(recording("I", units="NU"))
