"""Whatever is wrong with a recording becomes one error through the dataset that names the file, the place and the mend, or is listed."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from written_edf import Planted, write
from written_trees import NAMES, RATE, blocks, noise, tapping, tree_of_events, written

from pellucid.errors import DataError
from pellucid_eeg.databases.folder import EegFolder, EegFolderConfig
from pellucid_eeg.preparing.record import Preparation

TAPPING = {"classes": {"rest": "rest", "tapping": "tapping"}, "window_s": 2}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    return tree_of_events(tmp_path / "data", people=2)


def opened(folder, **options) -> EegFolder:
    return EegFolder(EegFolderConfig(**{**TAPPING, **options}), folder)


def listed(data) -> dict[str, str]:
    return {one.what: one.where for one in data.findings}


def test_a_file_that_was_cut_short(folder):
    path = folder / "p1.edf"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(
        DataError,
        match=r"1 of 2 .*\(p1\.edf\): p1\.edf: the file was cut short: the header says 40 records.*--skip-broken",
    ):
        opened(folder)
    data = opened(folder, skip_broken=True)
    assert data.frame["subject"].nunique() == 1
    finding = data.findings[0]
    assert (finding.what, finding.done) == ("cannot be used", "left out")
    assert "cut short" in finding.where
    assert "p1" not in repr(finding)
    assert not [one for one in (folder.parent / "cache").iterdir() if one.name.startswith(".")]


def test_interruptions_are_kept_apart_and_listed(folder):
    begun = [*range(13), *range(20, 47)]
    written(folder / "p1.edf", tapping(40, 1), begun=begun, events=blocks(47))
    data = opened(folder)
    assert listed(data)["interruptions"] == "1, 7.0 s in all"
    second = data.frame["start_s"].iloc[20:]
    # Thirteen seconds hold six windows of two, and the next begins where recording went on.
    assert second.tolist() == [*range(0, 12, 2), *range(20, 46, 2)]


def test_channels_of_different_rates(folder):
    signals = [Planted(name, np.zeros((40, RATE if name != "Cz" else 2 * RATE), int)) for name in NAMES]
    write(folder / "p1.edf", signals)
    with pytest.raises(
        DataError,
        match=r"p1\.edf: the signals have different rates \(64 Hz: Fp1, C3, C4, O2; 128 Hz: Cz\); name the channels",
    ):
        opened(folder)


def test_recordings_of_different_rates(folder):
    written(folder / "p1.edf", noise(5, 40, rate=100), rate=100, events=blocks(40))
    with pytest.raises(DataError, match=r"p1\.edf: its rate is 100 Hz, that of p0\.edf 64 Hz; .*preparation\.rate_hz"):
        opened(folder)
    assert opened(folder, preparation=Preparation(rate_hz=50)).spec.inputs["eeg"].rate_hz == 50


def test_annotations_beyond_the_end(folder):
    written(folder / "p1.edf", tapping(40, 1), events=[*blocks(40), (55.0, 5, "rest"), (38.0, 20.0, "pause")])
    data = opened(folder)
    assert listed(data)["annotations beyond the end"] == "1, the first at 55.000 s of 40.000 s"
    assert listed(data)["annotations that last beyond the end"].startswith("1, the first at 38.000 s")
    around = opened(folder, cut="events")
    assert listed(around)["events whose window was not recorded"] == "1, the first at 55.000 s"


def test_flat_and_bridged_channels_are_listed_by_electrode(folder):
    signals = tapping(40, 1)
    signals[0] = 3.0
    signals[4] = signals[3] + 0.1 * noise(1, 40, seed=9)[0] / 20
    written(folder / "p1.edf", signals, events=blocks(40))
    data = opened(folder)
    assert listed(data)["flat channel"] == "Fp1"
    assert listed(data)["bridged electrodes"] == "C4 and O2"
    mended = opened(folder, preparation=Preparation(absent="interpolated"))
    assert listed(mended)["electrodes made up"] == "Fp1 interpolated from 4 electrodes"


def test_unknown_electrode_names_with_the_nearest(folder):
    written(folder / "p1.edf", tapping(40, 1), names=("Fp1", "C33", "Cz", "C4", "O2"), events=blocks(40))
    with pytest.raises(
        DataError,
        match=r"p1\.edf: has no electrode C3; it has channels that no electrode is called: 'C33'; did you mean 'C3'\?",
    ):
        opened(folder, preparation=Preparation(electrodes=NAMES))
    with pytest.raises(
        DataError, match=r"preparation\.electrodes names 'Fpp2', which is no electrode.*did you mean 'Fp2'\?"
    ):
        opened(folder, preparation=Preparation(electrodes=("Fpp2",)))
    written(folder / "p1.edf", tapping(40, 1), names=("EEG FP1-REF", "Fp1", "Cz", "C4", "O2"), events=blocks(40))
    with pytest.raises(DataError, match=r"p1\.edf: 'EEG FP1-REF' and 'Fp1' are both Fp1; rename one"):
        opened(folder, preparation=Preparation(electrodes=("Fp1", "Cz")))


def test_missing_samples_are_in_no_window_and_listed_by_channel_and_time(folder):
    signals = tapping(40, 1) * 1e-6
    signals[2, 11 * RATE : 11 * RATE + 10] = np.nan
    raw = mne.io.RawArray(signals, mne.create_info(list(NAMES), RATE, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations(*zip(*blocks(40), strict=True)))
    raw.save(folder / "q_raw.fif", verbose="ERROR")
    (folder / "p1.edf").unlink()
    data = opened(folder)
    assert listed(data)["missing samples"] == "Cz 11.0-11.2 s"
    starts = data.frame["start_s"].iloc[20:].to_numpy()
    assert not ((starts < 11.15) & (starts + 2 > 11)).any()
    assert len(starts) == 5 + 14
    assert np.isfinite(data.read(np.arange(len(data))).inputs["eeg"]).all()


def test_duplicate_events_count_once_and_contradictions_are_refused(folder):
    twice = [(5.0, 0, "rest"), (5.0, 0, "rest"), (9.0, 0, "tapping")]
    written(folder / "p1.edf", tapping(40, 1), events=twice)
    data = opened(folder, cut="events")
    assert data.frame["start_s"].iloc[-2:].tolist() == [5.0, 9.0]
    assert listed(data)["annotations that are there twice"] == "1"
    written(folder / "p1.edf", tapping(40, 1), events=[*twice, (9.0, 0, "rest")])
    with pytest.raises(DataError, match=r"p1\.edf: at 9\.000 s begin events of two classes \(1 such times\); take one"):
        opened(folder, cut="events")


@pytest.mark.parametrize(
    ("factor", "unit", "words"),
    [(1e-6, "uV", "as volts it would be"), (1e3, "nV", None), (1, "mV", "multiplied by a thousand twice")],
)
def test_values_a_thousand_or_a_million_times_off(folder, factor, unit, words):
    signals = tapping(40, 1) * factor
    # A range of the file's own, so that small values keep their digits.
    digital = np.round(signals / np.abs(signals).max() * 30000).astype(int)
    most = f"{np.abs(signals).max() * 32768 / 30000:.7f}"
    planted = [
        Planted(name, row.reshape(40, RATE), unit, (f"-{most}"[:8], most[:8]))
        for name, row in zip(NAMES, digital, strict=True)
    ]
    write(folder / "p1.edf", planted)
    options = {"labels": "table", "label": "kind", "classes": {"a": "a", "b": "b"}}
    (folder / "recordings.csv").write_text("path,kind\np0.edf,a\np1.edf,b\n")
    if words is None:  # as large as the others, told in another unit
        assert len(opened(folder, **options)) == 40
        return
    with pytest.raises(DataError, match=rf"p1\.edf: channels move by .*{words}.*doubtful_units"):
        opened(folder, **options)
    kept = opened(folder, doubtful_units="kept", **options)
    assert "amplitudes cannot be microvolts" in listed(kept)


def test_one_channel_a_million_times_off_is_named(folder):
    signals = tapping(40, 1)
    planted = [
        Planted(name, np.round(row / 500 * 32768).astype(int).reshape(40, RATE), "V" if name == "Cz" else "uV")
        for name, row in zip(NAMES, signals, strict=True)
    ]
    write(folder / "p1.edf", planted)
    (folder / "recordings.csv").write_text("path,kind\np0.edf,a\np1.edf,b\n")
    with pytest.raises(DataError, match=r"p1\.edf: Cz moves by .* uV and the others by .*; its unit may be another"):
        opened(folder, labels="table", label="kind", classes={"a": "a", "b": "b"})


def test_a_unit_that_is_none(folder):
    written(folder / "p1.edf", tapping(40, 1), unit="", events=blocks(40))
    with pytest.raises(DataError, match=r"p1\.edf: no known voltages: Fp1 in ''"):
        opened(folder)
    assert len(opened(folder, unit_where_unknown="uV")) == 40


def test_events_that_nobody_named_or_that_are_not_there(folder):
    written(folder / "p1.edf", tapping(40, 1), events=[(1, 1, "Rest"), (3, 2, "Mr Doe")])
    with pytest.raises(DataError, match=r"p1\.edf: none of its 2 events is called 'rest', 'tapping'") as caught:
        opened(folder)
    assert "Doe" not in str(caught.value)


def test_a_recording_too_short_for_a_filter_or_a_window(folder):
    with pytest.raises(DataError, match=r"40 s are too short for a high-pass at 0\.01 Hz"):
        opened(folder, preparation=Preparation(high_pass_hz=0.01))
    with pytest.raises(DataError, match=r"eeg-folder: no window of 60 s is left of 40 s"):
        opened(folder, window_s=60)
    begun = [*range(30), *range(40, 50)]
    written(folder / "p1.edf", tapping(40, 1), begun=begun, events=blocks(50))
    data = opened(folder, preparation=Preparation(high_pass_hz=0.15))
    assert listed(data)["a stretch too short for its filter"] == "40.0-50.0 s"
    assert data.frame["start_s"].iloc[20:].max() < 30


def test_a_folder_without_recordings_and_a_file_that_vanished(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no recording; expected files ending with"):
        opened(tmp_path / "empty")
    (folder / "recordings.csv").write_text("path,kind\np0.edf,a\np7.edf,b\n")
    with pytest.raises(DataError, match=r"1 of 2 .*\(p7\.edf\).*there is no such file"):
        opened(folder, labels="table", label="kind", classes={"a": "a", "b": "b"})


@pytest.mark.parametrize(
    ("preparation", "words"),
    [
        ({"low_pass_hz": 500}, "low_pass_hz is 500, but at 64 samples a second an edge must lie between 0 and 32 Hz"),
        ({"rate_hz": 5000}, "rate_hz = 5000 asks for more than the 64 samples a second that were recorded"),
        ({"electrodes": ("Cz", "Fz")}, "has no electrode Fz; "),
    ],
)
def test_a_setting_that_no_recording_can_have_is_the_error_itself(folder, monkeypatch, preparation, words):
    monkeypatch.setattr("pellucid_eeg.windows.storing.scanned", lambda *_: pytest.fail("samples were read"))
    for skip in (False, True):
        with pytest.raises(DataError, match=f"^eeg-folder: {words}") as refused:
            opened(folder, preparation=Preparation(**preparation), skip_broken=skip)
        assert "can be used" not in str(refused.value)
        assert str(refused.value).endswith("(the same for all of its 2 recordings)")


def test_slower_recordings_are_left_out_or_brought_up_as_asked(folder):
    written(folder / "p1.edf", noise(5, 40, rate=100), rate=100, events=blocks(40))
    with pytest.raises(DataError, match=r"1 of 2 .*rate_hz = 100 asks for more than the 64 .*upsampled = true"):
        opened(folder, preparation=Preparation(rate_hz=100))
    left = opened(folder, preparation=Preparation(rate_hz=100), skip_broken=True)
    assert left.frame["subject"].nunique() == 1
    both = opened(folder, preparation=Preparation(rate_hz=100, upsampled=True))
    assert both.frame["subject"].nunique() == 2
