"""The layouts of TUAB and TUSZ: verdicts by folder, seizures by annotation, the official sides, electrodes by either reference."""

from __future__ import annotations

import numpy as np
import pytest
from written_trees import tuab_tree, tuh_file, tusz_tree

from pellucid.errors import DataError
from pellucid_eeg.databases.tuh import Tuh, TuhConfig
from pellucid_eeg.databases.tuh_annotations import read_annotations
from pellucid_eeg.preparing.record import Preparation

ELECTRODES = Preparation(electrodes=("Fp1", "C3", "Cz", "C4", "O2"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def opened(root, **options) -> Tuh:
    return Tuh(TuhConfig(preparation=ELECTRODES, **options), root)


def tone(data) -> np.ndarray:
    """Of 10 Hz at Cz."""
    signals = data.read(np.arange(len(data))).inputs["eeg"][:, 2]
    hz = np.fft.rfftfreq(signals.shape[-1], 1 / 64)
    return np.abs(np.fft.rfft(signals))[:, np.abs(hz - 10) < 0.06].mean(1)


def test_tuab_has_verdicts_of_folders_and_sides_of_the_official_split(tmp_path):
    data = opened(tuab_tree(tmp_path / "tuab"))
    per = data.frame.groupby("subject", sort=False)[["split", "abnormal"]].first()
    assert (
        sorted(map(tuple, per.to_numpy().tolist()))
        == [("test", 0.0), ("test", 1.0)] + [("train", 0.0)] * 2 + [("train", 1.0)] * 2
    )
    assert len(data) == 24
    assert tone(data)[data.frame["abnormal"] == 1].min() > tone(data)[data.frame["abnormal"] == 0].max()
    assert data.spec.inputs["eeg"].channels == ("Fp1", "C3", "Cz", "C4", "O2")
    assert "aaaaa" not in data.frame.to_csv() + repr(data.findings)


@pytest.mark.parametrize("kind", [".csv_bi", ".csv", ".tse"])
def test_tusz_windows_are_seizures_where_annotators_marked_them(tmp_path, kind):
    data = opened(tusz_tree(tmp_path / "tusz", kind=kind), labels="seizure", window_s=5)
    marked = (data.frame["start_s"] >= 10) & (data.frame["start_s"] < 25)
    assert data.frame["seizure"].tolist() == marked.astype(float).tolist()
    assert sorted(data.frame.groupby("subject")["split"].first()) == [
        "test",
        "test",
        "train",
        "train",
        "train",
        "validation",
    ]
    assert tone(data)[marked].min() > tone(data)[~marked].max()
    # The first recording is against linked ears, the others against a common reference.
    listed = [one for one in data.findings if "reference" in one.what]
    assert [one.where for one in listed] == ["LE, not REF"]


def test_windows_at_the_edge_of_a_seizure_follow_the_stated_rule(tmp_path):
    root = tusz_tree(tmp_path / "tusz")
    half = opened(root, labels="seizure", window_s=4)
    # The seizure lasts from 10 s to 25 s: of the window at 8 s it is one half and background the other, which is the first class.
    first = half.frame.iloc[:10].set_index("start_s")["seizure"]
    assert first.loc[[8, 12, 16, 20]].tolist() == [0, 1, 1, 1]
    assert first.loc[24] == 0
    strict = opened(root, labels="seizure", window_s=4, covered=1.0)
    assert not {8.0, 24.0} & set(strict.frame["start_s"])


def test_a_channel_by_channel_file_is_a_seizure_where_any_channel_has_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "# version\nchannel,start_time,stop_time,label,confidence\nFP1-F7,0,30,bckg,1\nF7-T3,0,12,bckg,1\nF7-T3,12,20,gnsz,1\n"
        "T3-T5,14,18,fnsz,1\nT3-T5,18,19,eybl,1\n"
    )
    events = read_annotations(path)
    rows = sorted(zip(events.description, events.onset_s, events.onset_s + events.duration_s, strict=True))
    assert rows == [("background", 0, 12), ("background", 20, 30), ("seizure", 12, 20), ("seizure", 14, 18)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("TERM,10.0000,25.0000,Mr Doe,1.0", "1 labels are none of the corpus's"),
        ("TERM,25.0000,10.0000,seiz,1.0", "line 6: is no annotation"),
        ("TERM,ten,25.0000,seiz,1.0", "line 6: is no annotation"),
        ("TERM,10.0", "line 6: is no annotation"),
    ],
)
def test_annotations_that_are_none_are_named_by_line_and_not_quoted(tmp_path, line, words):
    root = tusz_tree(tmp_path / "tusz")
    path = sorted(root.rglob("*.csv_bi"))[0]
    path.write_text(path.read_text().replace("TERM,10.0000,25.0000,seiz,1.0000", line))
    with pytest.raises(DataError, match=words) as caught:
        opened(root, labels="seizure")
    assert "Doe" not in str(caught.value)


def test_annotations_that_are_missing_are_asked_for(tmp_path):
    root = tusz_tree(tmp_path / "tusz")
    sorted(root.rglob("*.csv_bi"))[0].unlink()
    with pytest.raises(DataError, match=r"1 of 6 .* has no annotations beside it"):
        opened(root, labels="seizure")
    assert opened(root, labels="seizure", skip_broken=True).frame["subject"].nunique() == 5


def test_another_tree_is_refused_with_what_was_expected(tmp_path):
    with pytest.raises(DataError, match="holds none of edf/train, edf/dev and edf/eval"):
        opened(tmp_path)
    with pytest.raises(DataError, match=r"lies in no folder normal or abnormal.*seizure"):
        opened(tusz_tree(tmp_path / "tusz"))
    tuh_file(tmp_path / "tuab" / "edf" / "train" / "normal" / "holiday.edf", 0)
    with pytest.raises(DataError, match="is no name of the corpora"):
        opened(tmp_path / "tuab")


def test_without_electrodes_the_nineteen_are_asked_for_and_missing_ones_named(tmp_path):
    with pytest.raises(DataError, match="has no electrode Fp2, F7, F3, Fz, F4, F8 and 8 more"):
        Tuh(TuhConfig(), tuab_tree(tmp_path / "tuab"))
