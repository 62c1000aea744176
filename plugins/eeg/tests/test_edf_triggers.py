"""Triggers of BDF files: which lines count, as mne finds them and as planted."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from written_trees import NAMES, RATE, noise, written

from pellucid.errors import DataError
from pellucid_eeg.databases.folder import EegFolder, EegFolderConfig
from pellucid_eeg.edf_files.triggers import triggers
from pellucid_eeg.preparing.record import Preparation

SECONDS = 30
PLANTED = [(2.0, 0.25, 5), (6.0, 0.25, 9), (10.5, 1.0, 5), (14.0, 0.25, 255), (20.0, 0.5, 9)]
IN_RANGE, BATTERY = 1 << 20, 1 << 22


def status() -> np.ndarray:
    """Codes on the lower lines, over bits of the amplifier that come and go."""
    lines = np.zeros(SECONDS * RATE, np.int64)
    for onset, lasts, code in PLANTED:
        lines[round(onset * RATE) : round((onset + lasts) * RATE)] |= code
    lines |= IN_RANGE
    lines[8 * RATE : 12 * RATE] |= BATTERY
    # The highest bit says which kind of amplifier it is: as a signed number the channel is below 0.
    lines |= 1 << 23
    return np.where(lines >= 1 << 23, lines - (1 << 24), lines)


@pytest.fixture
def path(tmp_path):
    return written(tmp_path / "data" / "a.bdf", noise(5, SECONDS), width=3, status=status())


def test_the_lines_that_count_are_told_with_their_times_and_the_amplifiers_bits_are_not(path):
    found = triggers(path)
    assert found["description"].tolist() == [f"trigger {code}" for *_, code in PLANTED]
    np.testing.assert_allclose(found["onset_s"], [onset for onset, *_ in PLANTED], atol=1e-9)
    np.testing.assert_allclose(found["duration_s"], [lasts for _, lasts, _ in PLANTED], atol=1e-9)


def test_a_bit_of_the_amplifier_is_told_where_it_is_asked_for(path):
    found = triggers(path, BATTERY)
    assert found.to_numpy().tolist() == [[8.0, 4.0, "trigger 1"]]
    # It was there from the first sample on.
    assert triggers(path, IN_RANGE).to_numpy().tolist() == [[0.0, 30.0, "trigger 1"]]


@pytest.mark.parametrize("mask", [0xFF, 0x0F, 0x01, 0xF0])
def test_masks_give_what_mne_finds(path, mask):
    raw = mne.io.read_raw_bdf(path, preload=True, verbose="ERROR")
    values = raw.get_data(picks=["Status"])[0].astype(np.int64) & 0xFFFFFF
    raw._data[raw.ch_names.index("Status")] = values
    # As mne takes a step from one code to the next for two events only with consecutive=True.
    expected = mne.find_events(
        raw,
        "Status",
        mask=mask,
        mask_type="and",
        shortest_event=1,
        consecutive=True,
        initial_event=True,
        verbose="ERROR",
    )
    shift = (mask & -mask).bit_length() - 1
    found = triggers(path, mask)
    assert found["description"].tolist() == [f"trigger {code >> shift}" for code in expected[:, 2]]
    np.testing.assert_allclose(found["onset_s"], (expected[:, 0] - raw.first_samp) / RATE, atol=1e-9)


def test_a_spike_of_lines_that_switch_one_after_the_other_can_be_passed_over(tmp_path):
    lines = np.zeros(10 * RATE, np.int64)
    lines[100:130] = 6
    lines[100] = 2
    lines[115] = 4
    path = written(tmp_path / "a.bdf", noise(5, 10), width=3, status=lines)
    assert triggers(path)["description"].tolist() == ["trigger 2", "trigger 6", "trigger 4", "trigger 6"]
    assert triggers(path, least_samples=2)["description"].tolist() == ["trigger 6"]


def test_windows_lie_around_triggers_of_a_dataset(path):
    config = EegFolderConfig(
        cut="events",
        window_s=1,
        trigger_mask=0xFF,
        classes={"trigger 5": "face", "trigger 9": "house"},
        preparation=Preparation(),
    )
    data = EegFolder(config, path.parent)
    assert data.frame["start_s"].tolist() == [2.0, 6.0, 10.5, 20.0]
    assert data.frame["label"].tolist() == [0, 1, 0, 1]
    assert data.spec.inputs["eeg"].channels == NAMES


def test_a_file_without_a_status_channel_says_so(tmp_path):
    plain = written(tmp_path / "a.bdf", noise(5, 10), width=3)
    edf = written(tmp_path / "b.edf", noise(5, 10))
    for file in (plain, edf):
        with pytest.raises(DataError, match="has no Status channel"):
            triggers(file)
    with pytest.raises(DataError, match="names none of the 24 bits"):
        triggers(plain, 1 << 24)
