"""Recordings that somebody has open: cut around the events that are named, windows that are windows already, in their order."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from written_trees import NAMES, RATE, noise

from pellucid.errors import DataError
from pellucid_eeg.databases.folder import EegFolder, EegFolderConfig
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.recording import EegRecording, event_table
from pellucid_eeg.windows.channels import asked_of, selected
from pellucid_eeg.windows.given import given_recordings

EVENTS = EegFolderConfig(
    cut="events",
    window_s=1,
    onset_s=-0.25,
    classes={"go": "go", "stop": "stop"},
    preparation=Preparation(electrodes=NAMES, rate_hz=RATE),
)


def recording(*events: tuple[float, str], seed: int = 0) -> EegRecording:
    onsets, words = [one for one, _ in events], [word for _, word in events]
    table = event_table(onsets, [0.0] * len(onsets), words)
    return EegRecording(noise(5, 20, seed=seed).astype(np.float32), NAMES, float(RATE), events=table)


def test_windows_lie_around_the_events_that_are_named_and_around_all_where_none_is():
    some = recording((3.0, "go"), (5.0, "cough"), (7.5, "stop"))
    other = recording((4.0, "cough"), (9.0, "yawn"), seed=1)
    made = EegFolder.of_objects([some, other], EVENTS)
    assert made.frame.index.tolist() == ["given-1-00000", "given-1-00001", "given-2-00000", "given-2-00001"]
    assert made.frame["start_s"].tolist() == [2.75, 7.25, 3.75, 8.75]
    assert made.frame["label"].isna().all()
    starts = [(some, 2.75), (some, 7.25), (other, 3.75), (other, 8.75)]
    expected = [one.signals_uv[:, round(at * RATE) : round(at * RATE) + RATE] for one, at in starts]
    np.testing.assert_array_equal(made.read(np.arange(4)).inputs["eeg"], expected)


def test_an_array_of_windows_is_these_windows_whatever_the_dataset_cuts_around():
    windows = noise(5, 6).reshape(5, 6, RATE).transpose(1, 0, 2).astype(np.float32)
    for config in (EVENTS, EegFolderConfig(window_s=1, classes=EVENTS.classes, preparation=EVENTS.preparation)):
        made = EegFolder.of_objects([windows[:4], windows[4:]], config)
        np.testing.assert_array_equal(made.read(np.arange(6)).inputs["eeg"], windows)
        assert made.frame["start_s"].tolist() == [0, 1, 2, 3, 0, 1]
    ((one, _),) = given_recordings(windows, EVENTS)
    assert [(part.start, part.stop, part.onset_s) for part in one.segments] == [
        (at * RATE, (at + 1) * RATE, at) for at in range(6)
    ]
    assert one.events["onset_s"].tolist() == [at + 0.25 for at in range(6)]


def test_epochs_as_long_as_a_window_are_windows_wherever_their_time_zero_is():
    signals = noise(5, 20)
    raw = mne.io.RawArray(signals * 1e-6, mne.create_info(list(NAMES), RATE, "eeg"), verbose="ERROR")
    marks = np.array([[5 * RATE, 0, 1], [9 * RATE, 0, 1]])
    epochs = mne.Epochs(raw, marks, {"go": 1}, -0.5, 0.5 - 1 / RATE, baseline=None, preload=True, verbose="ERROR")
    made = EegFolder.of_objects(epochs, EVENTS)
    expected = [signals[:, round(at * RATE) : round(at * RATE) + RATE] for at in (4.5, 8.5)]
    np.testing.assert_allclose(made.read(np.arange(2)).inputs["eeg"], expected, atol=1e-3)


def test_longer_pieces_without_events_are_cut_at_their_beginning():
    pieces = noise(5, 6).reshape(5, 2, 3 * RATE).transpose(1, 0, 2).astype(np.float32)
    made = EegFolder.of_objects(pieces, EVENTS)
    np.testing.assert_array_equal(made.read(np.arange(2)).inputs["eeg"], pieces[:, :, :RATE])


def test_what_gives_no_recording_is_refused():
    with pytest.raises(DataError, match="nothing was given"):
        given_recordings([], EVENTS)
    for electrodes, rate_hz in (((), RATE), (NAMES, None)):
        bare = EVENTS.model_copy(update={"preparation": Preparation(electrodes=electrodes, rate_hz=rate_hz)})
        with pytest.raises(DataError, match="given-2: an array does not say its channels"):
            given_recordings([recording((1.0, "go")), np.zeros((5, 640))], bare)


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, ("C4", "Cz")),
        ({"reference": ("C3",)}, ("C3", "Cz", "C4")),
        ({"reference": "average"}, NAMES),
        ({"absent": "interpolated"}, NAMES),
        ({"absent": "masked"}, NAMES),
    ],
)
def test_channels_are_read_that_are_wanted_or_needed_and_no_others(settings, read):
    asked = asked_of(Preparation(**settings), ("C4", "Cz"))
    assert asked.wanted == ("C4", "Cz")
    names = ("EOG", *NAMES)
    made = EegRecording(noise(6, 2).astype(np.float32), names, float(RATE))
    assert set(selected(made, asked).channels) == set(read)
    # One that lacks an electrode is refused only where nothing may stand for it.
    lacking = made.of_channels([name for name in names if name != "C4"])
    if "absent" in settings:
        assert set(selected(lacking, asked).channels) == set(read) - {"C4"}
    else:
        with pytest.raises(DataError, match="has no electrode C4"):
            selected(lacking, asked)
