"""The native files of a headband: segments where packets were lost, events at their samples, and a wave where it should be."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid.testing.real_data import real_data
from pellucid_eeg.databases.muse import MuseN170, MuseN170Config, read_muse
from pellucid_eeg.preparing.record import Preparation

HEADER = "timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker0"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def made(folder, subject="subject1", *, lost=(), seed=0, count=2560):
    """Ten seconds with a picture every second, one after the other a house and a face; some samples lost."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 10, (count, 5)).round(3)
    rows = [HEADER]
    for at in range(count):
        if at in lost:
            continue
        marker = 1 + (at // 256) % 2 if at % 256 == 128 else 0
        time = 1000 + round(at / 256 + 0.01 * np.sin(at), 3)
        rows.append(f"{time:.3f},{','.join(map(str, values[at]))},{marker}")
    path = folder / subject / "session1" / f"data_2017-09-13-15.30.0{seed}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path, values[:, :4].T


def test_samples_markers_and_lost_packets_are_where_the_file_has_them(tmp_path):
    path, values = made(tmp_path, lost=range(1000, 1200))
    got = read_muse(path)
    assert got.channels == ("TP9", "AF7", "AF8", "TP10")
    assert [(one.start, one.stop) for one in got.segments] == [(0, 1000), (1000, 2360)]
    assert got.segments[1].onset_s == pytest.approx(1200 / 256, abs=0.03)
    np.testing.assert_allclose(got.signals_uv[:, :1000], values[:, :1000], atol=1e-3)
    assert got.events["description"].tolist() == ["house", "face"] * 2 + ["face"] + ["house", "face"] * 2
    assert got.events["onset_s"].iloc[0] == 0.5


def test_windows_lie_from_a_tenth_of_a_second_before_each_picture(tmp_path):
    path, values = made(tmp_path)
    data = MuseN170(MuseN170Config(), tmp_path)
    # The last picture comes up half a second before the end.
    assert [one.what for one in data.findings] == ["events whose window was not recorded"]
    assert data.spec.targets["picture"].names == ("house", "face")
    assert data.frame["picture"].tolist() == [0, 1] * 4 + [0]
    start = round(1.4 * 256)
    np.testing.assert_allclose(data[1].inputs["eeg"], values[:, start : start + 230], atol=1e-3)
    assert "2017" not in data.frame.to_csv() + repr(data.findings) + repr(data.spec)
    assert path.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1000.000,", "x,", r"line \d+, column 'timestamps': is no number"),
        ("Marker0", "Marker", "line 1: lacks the columns Marker0"),
        ("1009.999,", "992.000,", r"line \d+: time runs backward by"),
        (",1\n", ",7\n", r"column 'Marker0': is 7; expected 0, 1 or 2"),
    ],
)
def test_a_file_that_is_something_else_is_refused_by_line(tmp_path, old, new, words):
    path, _ = made(tmp_path)
    text = gzip.decompress(path.read_bytes()).decode()
    assert old in text
    path.write_bytes(gzip.compress(text.replace(old, new, 1).encode()))
    with pytest.raises(DataError, match=words):
        MuseN170(MuseN170Config(), tmp_path)


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    path, _ = made(tmp_path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=r"cannot be read \(EOFError\)"):
        MuseN170(MuseN170Config(), tmp_path)
    with pytest.raises(DataError, match=r"expected subject1/session1/data_"):
        MuseN170(MuseN170Config(), tmp_path / "subject1")


def test_the_real_recordings_show_the_wave_of_faces_and_keep_people_apart():
    preparation = Preparation(high_pass_hz=1, low_pass_hz=30, baseline_s=(0, 0.1), reject_uv=100)
    data = MuseN170(MuseN170Config(preparation=preparation), real_data("eeg", "muse-n170"))
    # Whoever published a count of epochs below 100 uV came to 1,969 (991 houses), with windows and filters of their own.
    assert len(data) == 1966
    assert data.frame["picture"].value_counts().to_dict() == {0.0: 990, 1.0: 976}
    assert data.frame["subject"].nunique() == 3
    assert data.frame["recording"].nunique() == 11
    signals, face = data.read(np.arange(len(data))).inputs["eeg"], data.frame["picture"].to_numpy() == 1
    times = np.arange(signals.shape[-1]) / 256 - 0.1
    at = (times > 0.14) & (times < 0.22)
    difference = signals[face][..., at].mean((0, 2)) - signals[~face][..., at].mean((0, 2))
    # Faces go further down behind the ears (TP9, TP10), and nowhere else.
    assert difference[[0, 3]].max() < -0.3
    assert np.abs(difference[[1, 2]]).max() < 0.15
    split = next(iter(SubjectHoldout(SubjectHoldoutConfig()).splits(data, "picture", 0)))
    assert not set(data.frame["subject"].iloc[split.test]) & set(data.frame["subject"].iloc[split.train])
