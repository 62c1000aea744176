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
from pellucid_eeg.recordings.objects import recording_of
from pellucid_eeg.recordings.stim import stim_triggers

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


# --- stim channels of FIF files and of mne's objects -------------------------------------------------------------------


def with_stim(values, names=("STI101",)):
    """Five electrodes, and stim channels of these values, shape (channel, time)."""
    info = mne.create_info([*NAMES, *names], RATE, ["eeg"] * 5 + ["stim"] * len(names))
    signals = noise(5, values.shape[1] / RATE) * 1e-6
    return mne.io.RawArray(np.concatenate([signals, values]), info, first_samp=640, verbose="ERROR")


def stim_lines(seconds: float = 30.0) -> np.ndarray:
    values = np.zeros((1, round(seconds * RATE)))
    for at, code in ((2, 5), (6, 9), (10.5, 5), (14, 9), (20, 5), (24, 9)):
        values[0, round(at * RATE) : round((at + 0.5) * RATE)] = code | 0x1000
    return values


@pytest.mark.parametrize("mask", [0xFF, 0x1, 0xFFFF])
def test_stim_channels_are_decoded_as_mne_finds_their_events(tmp_path, mask):
    raw = with_stim(stim_lines())
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    expected = mne.find_events(
        raw, mask=mask, mask_type="and", shortest_event=1, consecutive=True, initial_event=True, verbose="ERROR"
    )
    shift = (mask & -mask).bit_length() - 1
    for one in (raw, tmp_path / "a_raw.fif"):
        found = stim_triggers(one, recording_of(one), mask)
        assert found["description"].tolist() == [f"trigger {code >> shift}" for code in expected[:, 2]]
        np.testing.assert_allclose(found["onset_s"], (expected[:, 0] - raw.first_samp) / RATE, atol=1e-9)
    assert len(expected) == {0xFF: 6, 0x1: 6, 0xFFFF: 6}[mask]


def test_windows_lie_around_triggers_of_stim_channels(tmp_path):
    raw = with_stim(stim_lines())
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    config = EegFolderConfig(
        cut="events", window_s=1, trigger_mask=0xFF, classes={"trigger 5": "face", "trigger 9": "house"},
        preparation=Preparation(electrodes=NAMES),
    )  # fmt: skip
    data = EegFolder(config, tmp_path)
    assert data.frame["start_s"].tolist() == [2.0, 6.0, 10.5, 14.0, 20.0, 24.0]
    assert data.frame["label"].tolist() == [0, 1, 0, 1, 0, 1]
    for one in (raw, tmp_path / "a_raw.fif"):
        made = EegFolder.of_objects(one, config)
        assert made.frame["start_s"].tolist() == data.frame["start_s"].tolist()


def test_stim_channels_that_are_none_or_several_are_refused():
    several = with_stim(np.repeat(stim_lines(), 2, 0), ("STI001", "STI002"))
    with pytest.raises(DataError, match="has 2 stim channels to read triggers from"):
        stim_triggers(several, recording_of(several), 0xFF)
    together = with_stim(np.concatenate([0 * stim_lines(), stim_lines()]), ("STI001", "STI 014"))
    assert len(stim_triggers(together, recording_of(together), 0xFF)) == 6
    none = together.copy().pick("eeg")
    with pytest.raises(DataError, match="has no stim channel to read triggers from; leave out trigger_mask"):
        stim_triggers(none, recording_of(none), 0xFF)
